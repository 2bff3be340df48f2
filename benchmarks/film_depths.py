"""Whether a film is answered alike in every file format and depth, and with uniform borders around it.

    python -m benchmarks.film_depths films/

Needs the `dicom` extra. Each film is decoded, spread over 8 to 16 bits, and classified as PNG, TIFF and DICOM. Films of
12 bits are classified again with black borders: padded to a square, and by a seventh of their sides all around.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from benchmarks.films import films_under
from pneumo_infer import Classifier, Prediction
from pneumo_infer.films.raster import read_film

Pixels: TypeAlias = "NDArray[np.uint8] | NDArray[np.uint16]"
DEPTHS = (8, 10, 12, 14, 16)
BORDERED_DEPTH = 12
SIDE_SHARE = 7


def as_picture(pixels: Pixels, form: str) -> bytes:
    """Encode a film as PNG or TIFF."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, compress_level=1)
    return file.getvalue()


def as_dicom(pixels: Pixels, bits: int) -> bytes:
    """Encode a film as DICOM, uncompressed and without a window."""
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.SOPClassUID, film.SOPInstanceUID = DigitalXRayImageStorageForPresentation, generate_uid()
    film.Modality, film.PhotometricInterpretation = "DX", "MONOCHROME2"
    film.Rows, film.Columns = pixels.shape
    film.SamplesPerPixel, film.PixelRepresentation = 1, 0
    film.BitsAllocated, film.BitsStored, film.HighBit = 8 * pixels.itemsize, bits, bits - 1
    film.PixelData = pixels.tobytes()
    file = io.BytesIO()
    dcmwrite(file, film, enforce_file_format=True)
    return file.getvalue()


FORMATS: dict[str, Callable[[Pixels, int], bytes]] = {
    "PNG": lambda pixels, _bits: as_picture(pixels, "PNG"),
    "TIFF": lambda pixels, _bits: as_picture(pixels, "TIFF"),
    "DICOM": as_dicom,
}


def spread(film: NDArray[np.uint8], bits: int) -> Pixels:
    """Spread a film of 8 bits over another depth."""
    if bits == 8:
        return film
    levels = np.arange(256, dtype=np.uint32)
    table = ((levels * (2**bits - 1) + 127) // 255).astype(np.uint16)
    deep: Pixels = table[film]
    return deep


def squared(film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pad a film to a square."""
    height, width = film.shape
    down, across = max(width - height, 0), max(height - width, 0)
    return np.pad(film, ((down // 2, down - down // 2), (across // 2, across - across // 2)))


def framed(film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pad a film by a share of its sides."""
    return np.pad(film, [(side // SIDE_SHARE, side // SIDE_SHARE) for side in film.shape])


def files(paths: list[Path]) -> Iterator[bytes]:
    """Yield each film in every format and depth, then with borders: squared and framed in each format."""
    for path in paths:
        film = read_film(path)
        for encode in FORMATS.values():
            yield from (encode(spread(film, bits), bits) for bits in DEPTHS)
        for pad in (squared, framed):
            bordered = spread(pad(film), BORDERED_DEPTH)
            yield from (encode(bordered, BORDERED_DEPTH) for encode in FORMATS.values())


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of films.")],
    model: Annotated[Path | None, typer.Option(help="ONNX model. Default: the packaged one.")] = None,
) -> None:
    """Classify all films in all forms, and print how far the answers differ."""
    paths = films_under(folder)
    plain, bordered = len(FORMATS) * len(DEPTHS), 2 * len(FORMATS)
    with Classifier(model, device="cpu") as classifier:
        answers = iter(list(classifier.predict_many(files(paths))))
    films = [[next(answers) for _ in range(plain + bordered)] for _ in paths]
    probabilities = np.array([[answer.probability for answer in film] for film in films], float)
    ranges = np.ptp(probabilities[:, :plain], axis=1)
    same = np.array([len(set(_labels(film[:plain]))) == 1 for film in films])
    typer.echo(f"{len(paths)} films in {len(FORMATS)} formats and {len(DEPTHS)} depths, {classifier.model.path.name}")
    typer.echo(f"range of probability: median {np.median(ranges):.4f}, largest {ranges.max():.4f} (at most 0.01, 0.03)")
    typer.echo(f"same label in all: {np.count_nonzero(same)} of {len(films)} (all)")
    typer.echo(f"out of domain: {_out_of_domain([film[:plain] for film in films]):.1%}")
    middle = DEPTHS.index(BORDERED_DEPTH)
    for name, start in (("square", plain), ("frame", plain + len(FORMATS))):
        parts = [film[start : start + len(FORMATS)] for film in films]
        kept = [label == film[middle].label for film, part in zip(films, parts, strict=True) for label in _labels(part)]
        moved = np.abs(probabilities[:, start : start + len(FORMATS)] - probabilities[:, [middle]])
        typer.echo(
            f"{name}: out of domain {_out_of_domain(parts):.1%} (at most 5 %), same label {np.mean(kept):.1%} "
            f"(at least 98 %), probability moves by {np.median(moved):.4f} at the median, {moved.max():.4f} at most"
        )


def _labels(answers: list[Prediction]) -> list[str | None]:
    return [answer.label for answer in answers]


def _out_of_domain(films: list[list[Prediction]]) -> float:
    return float(np.mean([not answer.in_domain for film in films for answer in film]))


if __name__ == "__main__":
    typer.run(main)
