"""Settings of the host program's process do not change how films are read, and are left as they were."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from made_films import dicom_film, draw_film
from PIL import Image, ImageFile
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from pneumo_infer import ImageError
from pneumo_infer.films.host_settings import isolated
from pneumo_infer.films.raster import read_film

FILM = draw_film(0, height=300, width=300)


def encode(form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(FILM).save(file, form)
    return file.getvalue()


@pytest.fixture
def strict_host() -> Iterator[None]:
    before = np.seterr(all="raise")
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    np.seterr(**before)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("share", [0.8, 0.4])
@pytest.mark.usefixtures("strict_host")
def test_a_truncated_film_is_an_error_even_where_pillow_may_fill_it(form: str, share: float) -> None:
    whole = encode(form)
    with pytest.raises(ImageError):
        read_film(whole[: int(share * len(whole))])
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_warnings_as_errors_do_not_change_what_is_read(strict_host: None) -> None:
    film = dcmread(io.BytesIO(dicom_film(np.arange(4096, dtype=np.uint16).reshape(64, 64))))
    film.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    film.PixelData = encapsulate([encode("JPEG")])
    file = io.BytesIO()
    film.save_as(file)
    # pydicom warns that the file ends, and leaves its pixels out.
    with pytest.raises(ImageError, match="truncated within its pixels"):
        read_film(file.getvalue()[:-20])
    with pytest.raises(UserWarning):
        warnings.warn("of the host", UserWarning, stacklevel=1)


def test_libtiff_prints_nothing_about_a_film_and_all_for_the_host(capfd: pytest.CaptureFixture[str]) -> None:
    file = io.BytesIO()
    Image.fromarray(FILM).save(file, "TIFF", compression="tiff_lzw")
    damaged = bytearray(file.getvalue())
    damaged[300:400] = bytes(255 - byte for byte in damaged[300:400])
    with pytest.raises(ImageError, match="damaged or truncated"):
        read_film(bytes(damaged))
    assert capfd.readouterr().err == ""
    with pytest.raises(OSError, match="decoder error"):
        Image.open(io.BytesIO(damaged)).load()
    assert "code not yet in table" in capfd.readouterr().err


def test_filters_are_restored_after_many_readers() -> None:
    before = list(warnings.filters)
    whole = encode("JPEG")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read_film, [whole] * 100))
    assert list(warnings.filters) == before


def test_settings_hold_until_the_last_reader_is_done() -> None:
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with isolated():
            with isolated():
                assert not ImageFile.LOAD_TRUNCATED_IMAGES
            assert not ImageFile.LOAD_TRUNCATED_IMAGES
        assert ImageFile.LOAD_TRUNCATED_IMAGES
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
