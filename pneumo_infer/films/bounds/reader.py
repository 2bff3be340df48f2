"""A stream that stops the parsing of a file whose structure takes too long to walk, or too much memory to keep.

Pillow and pydicom read a file part by part: each JPEG segment and fill byte, PNG chunk, JPEG 2000 box, TIFF tag, run of
a BMP film and DICOM element, item or fragment takes one to four calls of `read`. Counting these bounds them all.
"""

from __future__ import annotations

import io

from pneumo_infer.errors import ImageError

MAX_HEADER_BYTES = 4_000_000  # metadata in front of the pixels, such as EXIF, colour profiles and tables of offsets


class BoundedReader(io.BytesIO):
    """The bytes of a film as a stream with a limited number of reads, and of bytes until the pixels begin.

    Parameters
    ----------
    encoded
        The file. It is not copied.
    name
        The film's name in error messages.

    Attributes
    ----------
    max_reads
        The limit. A film of 64 million pixels in PNG chunks of 8 KB takes 65,000, an ordinary film fewer than 1,000.
    refusal
        The error, once a limit has been exceeded.
    """

    max_reads = 200_000

    def __init__(self, encoded: bytes, name: str) -> None:
        super().__init__(encoded)
        self.refusal: ImageError | None = None  # kept, because parsers may replace what is raised
        self._film_name = name
        self._reads = 0
        self._header_bytes = 0
        self._in_header = True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like any stream.

        Raises
        ------
        ImageError
            The file has been read too often, or its header too far.
        """
        part = super().read(size)
        self._reads += 1
        if self._reads > self.max_reads:
            raise self._unreasonable(f"has too many parts to be a film: reading it takes over {self.max_reads} steps")
        if self._in_header and size is not None and size >= 0:  # a decoder in C gets the whole file and needs no copy
            self._header_bytes += len(part)
            if self._header_bytes > MAX_HEADER_BYTES:
                raise self._unreasonable(f"has more than {MAX_HEADER_BYTES} bytes of metadata")
        return part

    def begin_pixels(self) -> None:
        """Allow any number of bytes from here on."""
        self._in_header = False

    def _unreasonable(self, problem: str) -> ImageError:
        self.refusal = ImageError(self._film_name, problem, "export the film again, without metadata")
        return self.refusal
