"""Write pictures of films, and recognise them, so that none is read as a film and no other file is replaced by one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pneumo_infer.errors import PneumoError
from pneumo_infer.files.atomic_write import is_device_or_pipe, replacing

if TYPE_CHECKING:
    from PIL.Image import Image

# A text chunk (PNG, 11.3.3.3), which Pillow writes right after the header.
KEYWORD, TEXT = "Software", "pneumo-infer"
CHUNK = f"tEXt{KEYWORD}\0{TEXT}".encode("latin-1")
CHUNK_START = 37  # bytes: after the signature, the header, and the length of the chunk


def save_picture(picture: Image, path: Path, option: str) -> None:
    """Write a PNG file, marked as drawn by pneumo-infer, and create its folder.

    Parameters
    ----------
    picture
        The picture.
    path
        The file. If it exists it must be such a picture.
    option
        The option of the command that chose the folder, for errors.

    Raises
    ------
    PneumoError
        The file cannot be written, or another file has its name.
    """
    from PIL.PngImagePlugin import PngInfo

    mark = PngInfo()
    mark.add_text(KEYWORD, TEXT)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if (path.exists() or path.is_symlink()) and not is_own_picture(path):
            raise PneumoError(str(path), "exists and was not drawn by pneumo-infer", f"choose another {option}")
        with replacing(path) as temporary:
            picture.save(temporary, format="PNG", pnginfo=mark)
    except OSError as error:
        reason = error.strerror or error
        raise PneumoError(str(path), f"cannot be written ({reason})", f"choose another {option}") from error


def is_own_picture(path: Path) -> bool:
    """Return whether a file was written by `save_picture`."""
    return path.suffix == ".png" and read_start(path, CHUNK_START + len(CHUNK))[CHUNK_START:] == CHUNK


def read_start(path: Path, size: int) -> bytes:
    """Read at most `size` bytes of a regular file; nothing if it cannot be read."""
    try:
        if is_device_or_pipe(path):
            return b""
        with path.open("rb", buffering=0) as file:
            return file.read(size)
    except OSError:
        return b""
