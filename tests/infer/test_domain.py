"""The model that ships tells films of the kind it knows from everything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import skimage
from made_films import SHARED_FILMS
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pneumo_infer import Classifier, ImageError
from pneumo_infer.cli.command import SAMPLES
from pneumo_infer.films.raster import read_film

SKIMAGE_DATA = Path(skimage.__file__).parent / "data"
DICOM_FILES = sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm"))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(device="cpu")


def in_domain(classifier: Classifier, pictures: list[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    return np.array([prediction.in_domain for prediction in classifier.predict_many(pictures)])


def test_photographs_and_drawings_are_no_films(classifier: Classifier) -> None:
    pictures = {}
    for path in sorted(SKIMAGE_DATA.iterdir()):
        try:
            with Image.open(path) as picture:
                pictures[path.name] = np.asarray(picture.convert("L"))
        except (UnidentifiedImageError, IsADirectoryError):  # a table, or a format of its own
            continue
    assert len(pictures) >= 20
    known = in_domain(classifier, list(pictures.values()))
    assert [name for name, is_known in zip(pictures, known, strict=True) if is_known] == []


def test_other_modalities_and_body_parts_are_no_chest_films(classifier: Classifier) -> None:
    read = {}
    for path in DICOM_FILES:
        try:
            read[path.name] = read_film(path)
        except ImageError:  # no picture in it, or several
            continue
    assert len(read) >= 20
    wrong = [name for name, known in zip(read, in_domain(classifier, list(read.values())), strict=True) if known]
    assert wrong == []


def test_the_sample_films_are_of_the_known_kind(classifier: Classifier) -> None:
    samples = [np.asarray(Image.open(path).convert("L")) for path in sorted(SAMPLES.glob("*.png"))]
    assert in_domain(classifier, samples).all()


@pytest.mark.skipif(not SHARED_FILMS.exists(), reason="the real films are not here")
def test_real_films_are_known_and_wrongly_hung_ones_are_not(classifier: Classifier) -> None:
    paths = sorted(SHARED_FILMS.glob("chest_xray/train/*/*.jpeg"))
    films = [read_film(paths[place]) for place in np.linspace(0, len(paths) - 1, 100).astype(int)]
    assert in_domain(classifier, films).mean() >= 0.97
    for turned in ([255 - film for film in films], *([np.rot90(film, k) for film in films] for k in (1, 3))):
        assert in_domain(classifier, turned).mean() <= 0.05
