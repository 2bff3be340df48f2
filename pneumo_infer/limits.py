"""How large a film may be before it is taken for an attack or an accident."""

from __future__ import annotations

from dataclasses import dataclass

from pneumo_infer.errors import ImageError


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes beyond which a film is refused, before memory is spent on it. A film has one frame in any case.

    Attributes
    ----------
    pixels
        Width times height. The largest detectors make about 30 million; far beyond that is a decompression bomb.
        Pillow has a limit of its own, `PIL.Image.MAX_IMAGE_PIXELS`, which refuses twice its 89 million.
    encoded_bytes
        Of the file: by default as many as the most pixels take uncompressed in 16-bit colour.
    """

    pixels: int = 64_000_000
    encoded_bytes: int = 384_000_000

    def require_pixels(self, width: int, height: int, name: str) -> None:
        """Refuse a film that has more pixels.

        Raises
        ------
        ImageError
            It has.
        """
        if width * height > self.pixels:
            raise self.too_many_pixels(name, f"{width} x {height} pixels, which is")

    def require_bytes(self, size: int, name: str) -> None:
        """Refuse a file that is longer.

        Raises
        ------
        ImageError
            It is.
        """
        if size > self.encoded_bytes:
            raise ImageError(
                name, f"is beyond the limit of {self.encoded_bytes} bytes", "export the film alone, or raise the limit"
            )

    def too_many_pixels(self, name: str, how_far: str) -> ImageError:
        """The error for a film that has more pixels, `how_far` more."""
        return ImageError(
            name,
            f"has {how_far} beyond the limit of {self.pixels} pixels",
            "export the film at its own size, or raise the limit",
        )


LIMITS = Limits()
