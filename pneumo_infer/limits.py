"""Size limits that protect against decompression bombs and corrupt files."""

from __future__ import annotations

from dataclasses import dataclass

from pneumo_infer.errors import ImageError


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
    """

    pixels: int = 64_000_000
    encoded_bytes: int = 384_000_000

    def require_pixels(self, width: int, height: int, name: str) -> None:
        """Check the number of pixels of a film.

        Raises
        ------
        ImageError
            The film has more pixels than the limit.
        """
        if width * height > self.pixels:
            raise self.too_many_pixels(name, f"{width} x {height} pixels")

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

    def too_many_pixels(self, name: str, size: str) -> ImageError:
        """Build the error for a film with too many pixels; `size` describes how many."""
        return ImageError(
            name,
            f"{size} exceeds the limit of {self.pixels} pixels",
            "export the film at its original size, or raise the limit",
        )


LIMITS = Limits()
