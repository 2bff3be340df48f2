"""200 legal DICOM variants of one drawn film, compared with what DCMTK's dcm2pnm displays.

Where dcm2pnm is not installed, block means of its pictures are compared instead; `python tests/infer/test_dcmtk.py`
writes them.
"""

from __future__ import annotations

import io
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dicom_variants import Header, Lut, written
from made_films import draw_film
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pneumo_infer.films.raster import read_film

MEANS = Path(__file__).with_name("dcm2pnm.json")
BLOCKS = 4  # along each side
FILM = draw_film(1, height=64, width=64).astype(np.int64)


def variants() -> Iterator[tuple[str, Header]]:
    """Name and header of each variant."""
    depths = [(8, 8, 7), (16, 10, 9), (16, 12, 11), (16, 12, 15), (16, 16, 15)]
    polarities = [("MONOCHROME1", None), ("MONOCHROME2", None), ("MONOCHROME2", "INVERSE"), ("MONOCHROME1", "INVERSE")]
    for (allocated, stored, high), signed, (photometric, shape) in itertools.product(depths, (False, True), polarities):
        plain = Header(allocated, stored, high, signed, photometric=photometric, shape=shape)
        low = -(2 ** (stored - 1)) if signed else 0
        middle, width = low + 2 ** (stored - 1), 2 ** (stored - 1)
        entries = tuple(range(255, -1, -1))
        for name, changed in {
            "plain": {},
            "LINEAR": {"window": (middle, width, "LINEAR")},
            "SIGMOID": {"window": (middle, width, "SIGMOID"), "syntax": ImplicitVRLittleEndian},
            "negative slope": {"rescale": (-1, 100), "window": (100 - middle, width, "LINEAR")},
            "VOI LUT": {"voi": Lut(low, 8, entries), "syntax": ImplicitVRLittleEndian},
            "modality LUT": {"modality": Lut(low, 8, entries), "syntax": ExplicitVRLittleEndian},
        }.items():
            values = {field: getattr(plain, field) for field in Header.__dataclass_fields__} | changed
            yield (
                f"{allocated} {stored} {high} {'signed' if signed else 'unsigned'} {photometric} {shape} {name}",
                Header(**values),
            )


VARIANTS = dict(variants())


def film_of(header: Header) -> bytes:
    values = FILM * (2**header.stored - 1) // 255
    if header.signed:
        values -= 2 ** (header.stored - 1)
    cells = (values % 2**header.stored) << (header.high + 1 - header.stored)
    return written(cells, header)


def displayed_by_dcmtk(film: bytes, header: Header) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "film.dcm"), Path(folder, "film.pgm")
        source.write_bytes(film)
        transform = ["+Wl", "1"] if header.voi else ["+Wi", "1"] if header.window else []
        if header.window and header.window[2] == "SIGMOID":
            transform.append("+Wfs")
        subprocess.run(["dcm2pnm", *transform, source, target], check=True, capture_output=True)
        with Image.open(io.BytesIO(target.read_bytes())) as picture:
            return np.asarray(picture).astype(float)


def block_means(picture: np.ndarray) -> np.ndarray:
    size = len(picture) // BLOCKS
    return np.asarray(picture.reshape(BLOCKS, size, BLOCKS, size).mean(axis=(1, 3)))


def require_same(shown: np.ndarray, expected: np.ndarray) -> None:
    if expected.std() > 0.5:
        assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.999
    np.testing.assert_allclose(shown, expected, atol=2)


def test_there_are_at_least_200_variants() -> None:
    assert len(VARIANTS) >= 200


@pytest.mark.skipif(shutil.which("dcm2pnm") is None, reason="dcm2pnm is not installed")
def test_every_variant_is_displayed_as_dcm2pnm_displays_it() -> None:
    for name, header in VARIANTS.items():
        film = film_of(header)
        try:
            require_same(read_film(film).astype(float), displayed_by_dcmtk(film, header))
        except AssertionError as error:
            raise AssertionError(name) from error


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_has_the_block_means_of_dcm2pnm(name: str) -> None:
    expected = np.array(json.loads(MEANS.read_text())[name], float)
    require_same(block_means(read_film(film_of(VARIANTS[name])).astype(float)), expected)


if __name__ == "__main__":
    means = {name: block_means(displayed_by_dcmtk(film_of(h), h)).round(1).tolist() for name, h in VARIANTS.items()}
    MEANS.write_text(json.dumps(means) + "\n")
    sys.exit(0)
