"""DICOM films: the transforms of the standard in its order, and files that are refused with a reason."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from imagecodecs import jpeg_encode
from made_films import dicom_film
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGLossless, JPEGLosslessSV1

from pneumo_infer.errors import ImageError
from pneumo_infer.films.raster import read_film

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
EIGHT_BITS = np.round(RAMP / 4095 * 255).astype(np.uint8)


def test_stored_bits_become_grey_levels() -> None:
    np.testing.assert_array_equal(read_film(dicom_film(RAMP)), EIGHT_BITS)
    # Half the range stays half the range: the film's own maximum does not matter.
    assert read_film(dicom_film(RAMP // 2)).max() == 127


def test_monochrome1_is_inverted_by_the_range() -> None:
    inverted = dicom_film(RAMP // 2, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_film(inverted), np.round((4095 - RAMP // 2) / 4095 * 255).astype(np.uint8))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_spreads_what_it_shows(photometric: str) -> None:
    shown = read_film(dicom_film(RAMP, WindowCenter=1000, WindowWidth=1001, PhotometricInterpretation=photometric))
    flat = shown.ravel() if photometric == "MONOCHROME2" else 255 - shown.ravel()
    assert flat[499] == 0
    assert flat[1500] == 255
    np.testing.assert_allclose(flat[500:1500], (np.arange(500, 1500) - 499.5) / 1000 * 255, atol=0.51)


def test_the_window_is_in_rescaled_units() -> None:
    plain = read_film(dicom_film(RAMP, WindowCenter=1000, WindowWidth=1001))
    rescaled = dicom_film(RAMP, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1000, WindowWidth=2001)
    np.testing.assert_allclose(read_film(rescaled).astype(int), plain.astype(int), atol=1)


def test_a_voi_lut_maps_values() -> None:
    lut = Dataset()
    lut.LUTDescriptor = [4096, 0, 8]
    lut.add_new("LUTData", "OW", np.repeat(np.arange(255, -1, -1, dtype="<u2"), 16).tobytes())
    shown = read_film(dicom_film(RAMP, VOILUTSequence=[lut]))
    np.testing.assert_array_equal(shown.ravel(), np.repeat(np.arange(255, -1, -1), 16))


def test_several_frames_are_refused() -> None:
    with pytest.raises(ImageError, match="has 4 frames; export a single frame"):
        read_film(dicom_film(RAMP, NumberOfFrames=4, Rows=16))


def test_too_many_pixels_are_refused_before_decoding() -> None:
    film = dcmread(io.BytesIO(dicom_film(RAMP)))
    film.Rows = film.Columns = 60000
    file = io.BytesIO()
    film.save_as(file)
    with pytest.raises(ImageError, match="60000 x 60000 pixels"):
        read_film(file.getvalue())


def test_damaged_files() -> None:
    whole = dicom_film(RAMP)
    for damaged in (whole[:400], whole[:-2000], whole[:132]):
        with pytest.raises(ImageError):
            read_film(damaged)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_every_file_that_pydicom_ships_is_read_or_refused_with_a_reason() -> None:
    read, refused = [], []
    for path in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm"):
        try:
            read.append(read_film(path))
        except ImageError as error:
            refused.append(error)
    assert len(read) > 40
    assert {(film.dtype, film.ndim) for film in read} == {(np.dtype(np.uint8), 2)}
    assert all(error.problem and error.remedy for error in refused)


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
def test_lossless_jpeg_is_read_to_the_last_bit(syntax: UID) -> None:
    film = dcmread(io.BytesIO(dicom_film(RAMP)))
    predictor = {"predictor": 1} if syntax == JPEGLosslessSV1 else {}
    frame = jpeg_encode(RAMP, lossless=True, bitspersample=12, **predictor)
    film.file_meta.TransferSyntaxUID = syntax
    film.PixelData = encapsulate([frame])
    file = io.BytesIO()
    film.save_as(file)
    np.testing.assert_array_equal(read_film(file.getvalue()), EIGHT_BITS)


def test_a_compressed_frame_larger_than_its_header_says_is_refused() -> None:
    film = dcmread(io.BytesIO(dicom_film(RAMP[:8, :8])))
    film.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    film.PixelData = encapsulate([jpeg_encode(np.zeros((4000, 4000), np.uint16), lossless=True, bitspersample=12)])
    file = io.BytesIO()
    film.save_as(file)
    with pytest.raises(ImageError, match="cannot be read as DICOM"):
        read_film(file.getvalue())


def test_without_pydicom_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError, match=re.escape("pip install 'pneumo-infer[dicom]'")):
        read_film(get_testdata_file("CT_small.dcm"))
