"""Films that the tests make themselves, and where the real ones lie if they are at hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SHARED_FILMS = Path(__file__).parents[2] / "shared" / "data"


def draw_film(seed: int, *, pneumonia: bool = False, height: int = 300, width: int = 360) -> NDArray[np.uint8]:
    """Draw something like a chest film: a bright body, two dark lungs, and for pneumonia a bright patch in each."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    grey = np.full((height, width), 190.0) + 12 * np.sin(rows * rng.uniform(25, 40))
    for side in (-1, 1):
        across, down = rng.uniform(0.24, 0.32), rng.uniform(0.5, 0.7)
        grey -= 140 * np.exp(-1.5 * (((columns - side * 0.42) / across) ** 2 + (rows / down) ** 2))
    if pneumonia:
        for side in (-1, 1):
            across, down, height_of_patch = rng.uniform(0.25, 0.4), rng.uniform(0.4, 0.7), rng.uniform(-0.3, 0.3)
            patch = ((columns - side * 0.42) / across) ** 2 + ((rows - height_of_patch) / down) ** 2
            grey += rng.uniform(100, 160) * np.exp(-patch)
    return (grey + rng.normal(0, 4, grey.shape)).clip(0, 255).astype(np.uint8)


def flat_film(grey: int, size: int = 224) -> NDArray[np.uint8]:
    """A film of one grey but for one pixel, since blank films are refused."""
    film = np.full((size, size), grey, np.uint8)
    film[-1, -1] = grey - 1 if grey else 1
    return film


def draw_brightness(folder: Path, greys: NDArray[np.float64]) -> Path:
    """Write films of these mean greys, which the small model takes as its answers, into a new folder."""
    folder.mkdir()
    for number, grey in enumerate(greys):
        film = flat_film(int(grey))
        film[: round(224 * (grey % 1))] += 1
        Image.fromarray(film).save(folder / f"{number:03}.png")
    return folder


def write_chest_xray(root: Path, patients: int, split: str = "train") -> Path:
    """Write a data set in the public one's layout: one film of each of `patients` patients in each class."""
    for seed in range(patients):
        for label, name in (("NORMAL", f"IM-{seed:04}-0001.jpeg"), ("PNEUMONIA", f"person{seed}_virus_{seed}.jpeg")):
            path = root / split / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw_film(seed, pneumonia=label == "PNEUMONIA")).save(path, quality=90)
    return root


def dicom_film(pixels: NDArray[np.uint16], **attributes: Any) -> bytes:
    """Write a 12-bit DICOM film, uncompressed; attributes add to its header or replace what is there."""
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"  # Digital X-Ray
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = generate_uid()
    film.Rows, film.Columns = pixels.shape
    film.SamplesPerPixel, film.PixelRepresentation = 1, 0
    film.BitsAllocated, film.BitsStored, film.HighBit = 16, 12, 11
    film.PhotometricInterpretation = "MONOCHROME2"
    for name, value in attributes.items():
        setattr(film, name, value)
    film.PixelData = pixels.astype("<u2").tobytes()
    file = io.BytesIO()
    dcmwrite(file, film, enforce_file_format=True)
    return file.getvalue()
