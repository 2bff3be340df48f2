"""Where a film comes from: its name for records and errors, and its bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_infer.errors import ImageError
from pneumo_infer.limits import Limits

FilmSource: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | Image.Image | NDArray[Any]"

CHUNK_SIZE = 2**16  # bytes


def source_name(source: FilmSource) -> str:
    """Name a source for records and error messages: its path if it has one, otherwise a description of its type."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, bytes):
        return f"<{len(source)} bytes>"
    if isinstance(source, np.ndarray):
        return f"<array {source.dtype} {source.shape}>"
    named = getattr(source, "filename", None) or getattr(source, "name", None)
    return named if isinstance(named, str) and named else f"<{type(source).__name__}>"


def read_bytes(source: str | os.PathLike[str] | bytes | BinaryIO, name: str, limits: Limits) -> bytes:
    """Read a file, or the rest of a binary stream.

    Raises
    ------
    ImageError
        The source cannot be read, or is larger than the limit.
    """
    if isinstance(source, bytes):
        limits.require_bytes(len(source), name)
        return source
    try:
        if isinstance(source, (str, os.PathLike)):
            with Path(source).open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size  # 0 if unknown, as for a pipe
                encoded = _read_at_most(limits.encoded_bytes + 1, file, size + 1 if size else CHUNK_SIZE)
        else:
            encoded = _read_at_most(limits.encoded_bytes + 1, source)
    except FileNotFoundError:
        raise ImageError(name, "does not exist", "check the path") from None
    except IsADirectoryError:
        raise ImageError(
            name, "a folder, not a film", "give a film, or on the command line a folder that contains films"
        ) from None
    except ImageError:  # of a stream that knows why
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(name, f"cannot be read ({reason})", "check the path and its permissions") from error
    except AttributeError:
        raise ImageError(
            name, "not a film", "give a path, bytes, a binary stream, a Pillow image or a numpy array"
        ) from None
    except TypeError:
        raise ImageError(name, "a text stream, not a binary one", "open it with mode 'rb'") from None
    limits.require_bytes(len(encoded), name)
    return encoded


def _read_at_most(limit: int, stream: BinaryIO | io.FileIO, chunk_size: int = CHUNK_SIZE) -> bytes:
    # One read() with the limit as its size would first allocate that much memory, which takes longer than the reading.
    chunks: list[bytes] = []
    while limit > 0 and (chunk := stream.read(min(limit, chunk_size))):
        chunks.append(chunk)
        limit -= len(chunk)
        chunk_size = CHUNK_SIZE  # only the first chunk may have another size
    return b"".join(chunks)
