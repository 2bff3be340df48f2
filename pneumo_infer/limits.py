"""Limits that protect against decompression bombs and corrupt files."""

from __future__ import annotations

from dataclasses import dataclass

from pneumo_infer.errors import ImageError

# Larger numbers are mistakes; they would end in errors of onnxruntime and Python.
MAX_THREADS = 1024
MAX_BATCH = 65_536  # films
MAX_SIDE = 65_535  # pixels; JPEG and DICOM allow no more, and lines of a pixel each take long to work on

WALL_FACTOR = 6


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits above which a film is rejected before it is decoded.

    Attributes
    ----------
    pixels
        Width times height. The largest detectors produce about 30 million pixels; a file that claims far more is
        probably a decompression bomb. Pillow applies a limit of its own as well: it rejects images with more than
        twice `PIL.Image.MAX_IMAGE_PIXELS` (89 million).
    encoded_bytes
        File size. The default is what `pixels` pixels of uncompressed 16-bit colour take.
    memory
        Bytes that reading a film may take, on top of what the process takes anyway. How much that is, is computed from
        the header of the film.
    seconds
        CPU time for one film, enforced only in the worker processes of `Classifier(..., isolate=True)`. There, a film
        may take six times as long altogether, such as when a decoder waits for something.
    """

    pixels: int = 64_000_000
    encoded_bytes: int = 384_000_000
    memory: int = 512_000_000
    seconds: int = 10

    @property
    def wall_seconds(self) -> int:
        """Seconds from the start to the end of reading a film; on a busy machine they are more than its CPU time."""
        return WALL_FACTOR * self.seconds

    def require_pixels(self, width: int, height: int, name: str) -> None:
        """Check the number of pixels of a film.

        Raises
        ------
        ImageError
            The film has more pixels than the limit, or a side of more than 65,535 pixels.
        """
        if width * height > self.pixels:
            raise self.too_many_pixels(name, f"{width} x {height} pixels")
        if max(width, height) > MAX_SIDE:
            raise ImageError(
                name, f"{width} x {height} pixels: no side may exceed {MAX_SIDE} pixels", "export the film again"
            )

    def require_bytes(self, size: int, name: str) -> None:
        """Check the size of a file.

        Raises
        ------
        ImageError
            The file is larger than the limit.
        """
        if size > self.encoded_bytes:
            raise ImageError(
                name, f"exceeds the limit of {self.encoded_bytes} bytes", "export only the film, or raise the limit"
            )

    def require_memory(self, needed: int, name: str) -> None:
        """Check the number of bytes that reading a film will take.

        Raises
        ------
        ImageError
            They are more than the limit.
        """
        if needed > self.memory:
            raise ImageError(
                name,
                f"reading it takes about {needed / 1e6:.0f} MB of memory, more than the limit of "
                f"{self.memory / 1e6:.0f} MB",
                "export the film in grey and at its original size, or raise the limit",
            )

    def too_many_pixels(self, name: str, size: str) -> ImageError:
        """Build the error for a film with too many pixels; `size` describes how many."""
        return ImageError(
            name,
            f"{size} exceeds the limit of {self.pixels} pixels",
            "export the film at its original size, or raise the limit",
        )


LIMITS = Limits()
