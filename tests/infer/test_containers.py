"""The answer does not depend on what a film comes in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from made_films import SHARED_FILMS, dicom_film
from numpy.typing import NDArray
from PIL import Image

from pneumo_infer import Classifier
from pneumo_infer.cli.command import SAMPLES
from pneumo_infer.films.raster import read_film

FULL_SIZE = sorted(SHARED_FILMS.glob("full_size/*/*.jpeg"))


def encode(film: NDArray[np.uint8], form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(film).save(file, form, **options)
    return file.getvalue()


def test_the_same_film_gives_the_same_answer(tmp_path: Path) -> None:
    classifier = Classifier(device="cpu", threads=1)
    for path in [*SAMPLES.glob("*.png"), *FULL_SIZE[::20]]:
        film = read_film(path)
        expected = classifier.predict(film).probability
        deep = film.astype(np.uint16)
        bits = {"BitsStored": 8, "HighBit": 7}
        lossless: dict[str, Any] = {
            "PNG": encode(film, "PNG"),
            "PNG of 16 bits": encode(deep * np.uint16(257), "PNG"),
            "TIFF": encode(film, "TIFF", compression="tiff_lzw"),
            "TIFF of 16 bits": encode(deep * np.uint16(257), "TIFF"),
            "BMP": encode(film, "BMP"),
            "WebP": encode(film, "WEBP", lossless=True),
            "DICOM": dicom_film(deep, **bits),
            "MONOCHROME1": dicom_film(255 - deep, PhotometricInterpretation="MONOCHROME1", **bits),
            "stream": io.BytesIO(encode(film, "PNG")),
            "Pillow image": Image.fromarray(film),
            "array of floats": film / 255.0,
            "RGB": np.repeat(film[:, :, None], 3, axis=2),
        }
        (tmp_path / "film.png").write_bytes(lossless["PNG"])
        lossless["file"] = tmp_path / "film.png"
        answers = {name: classifier.predict(source).probability for name, source in lossless.items()}
        assert answers == dict.fromkeys(lossless, expected)


def test_a_film_compressed_again_is_hardly_another() -> None:
    classifier = Classifier(device="cpu")
    moved = {}
    for path in [*SAMPLES.glob("*.png"), *FULL_SIZE]:
        film = read_film(path)
        expected = classifier.predict(film).probability
        again = encode(film, "JPEG", quality=95)
        for name, source in {"file": path, "again": again, "again, whole": read_film(again)}.items():
            moved[path.name, name] = abs(classifier.predict(source).probability - expected)
    furthest = dict(sorted(moved.items(), key=lambda item: item[1])[-5:])
    assert max(furthest.values()) < 0.02, furthest
    assert np.mean([difference > 0.01 for difference in moved.values()]) < 0.01, furthest
