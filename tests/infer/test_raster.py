"""Every way to hand in a film, and every way it can be broken."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pneumo_infer.errors import ImageError
from pneumo_infer.films.raster import read_film
from pneumo_infer.limits import LIMITS, Limits

Film = NDArray[np.uint8]
SIGNED, NOT_SIGNED = (struct.pack("<HHIH", 339, 3, 1, sample_format) for sample_format in (2, 1))  # tags of TIFF


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_png_comes_back_as_it_is(film: Film, tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    encoded = encode(Image.fromarray(film), "PNG")
    path.write_bytes(encoded)
    with path.open("rb") as stream:
        for source in (path, str(path), encoded, stream, io.BytesIO(encoded), Image.open(path), film):
            np.testing.assert_array_equal(read_film(source), film)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_grey_in_colour_modes_is_the_same_film(film: Film, mode: str) -> None:
    np.testing.assert_array_equal(read_film(encode(Image.fromarray(film).convert(mode), "PNG")), film)


def test_colour_becomes_luma() -> None:
    red = np.zeros((40, 50, 3), np.uint8)
    red[..., 0] = 255
    assert set(np.unique(read_film(red))) == {76}  # 0.299 * 255, ITU-R BT.601
    assert set(np.unique(read_film(encode(Image.fromarray(red), "PNG")))) == {76}
    assert abs(int(read_film(encode(Image.fromarray(red), "JPEG", quality=95)).mean()) - 76) <= 1


def test_jpeg_is_the_same_in_grey_and_colour(film: Film) -> None:
    grey = read_film(encode(Image.fromarray(film), "JPEG", quality=95))
    colour = read_film(encode(Image.fromarray(film).convert("RGB"), "JPEG", quality=95))
    np.testing.assert_array_equal(grey, colour)
    assert np.abs(grey.astype(int) - film).mean() < 3


def test_sixteen_bits_scale_over_their_full_range(film: Film) -> None:
    deep = film.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_film(deep), film)
    np.testing.assert_array_equal(read_film(encode(Image.fromarray(deep), "PNG")), film)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_depth_in_use_is_the_range(film: Film, bits: int) -> None:
    levels = film.astype(np.uint64)
    levels[0, 0] = 255
    deep = levels * (2**bits - 1) // 255
    expected = np.round(deep / (2**bits - 1) * 255).astype(np.uint8)
    assert np.abs(expected.astype(int) - levels).max() <= 1
    for kind in (np.uint16, np.int32, np.uint32, np.int64):
        np.testing.assert_array_equal(read_film(deep.astype(kind)), expected)
    for form in ("PNG", "TIFF"):
        np.testing.assert_array_equal(read_film(encode(Image.fromarray(deep.astype(np.uint16)), form)), expected)
    np.testing.assert_array_equal(read_film(Image.fromarray(deep.astype(np.int32))), expected)
    np.testing.assert_array_equal(read_film(encode(Image.fromarray(deep.astype(np.int32)), "TIFF")), expected)


def test_integers_of_32_bits_may_use_their_full_range(film: Film) -> None:
    film = film.copy()
    film[0, 0] = 255
    full = film.astype(np.uint32) * (2**32 // 256) + 2**24 - 1
    shown = read_film(encode(Image.fromarray(full.view(np.int32)), "TIFF").replace(SIGNED, NOT_SIGNED))
    np.testing.assert_allclose(shown.astype(int), film, atol=1)


@pytest.mark.parametrize("kind", [np.int16, np.uint32, np.int32, np.int64, np.uint64])
def test_other_integers_hold_eight_or_sixteen_bits(film: Film, kind: type[np.integer[Any]]) -> None:
    np.testing.assert_array_equal(read_film(film.astype(kind)), film)
    if np.iinfo(kind).max > 65535:
        np.testing.assert_array_equal(read_film(film.astype(kind) * 257), film)


def test_jpeg_2000_is_read(film: Film) -> None:
    np.testing.assert_array_equal(read_film(encode(Image.fromarray(film), "JPEG2000", irreversible=False)), film)


def test_the_first_picture_of_a_phones_file_is_read(film: Film) -> None:
    pictures = [Image.fromarray(film), Image.fromarray(film // 4)]
    file = io.BytesIO()
    pictures[0].save(file, "MPO", save_all=True, append_images=pictures[1:], quality=95)
    np.testing.assert_allclose(read_film(file.getvalue()).astype(int), film, atol=16)


def test_bool_and_float_arrays(film: Film) -> None:
    for kind in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(read_film((film / 255.0).astype(kind)), film)
    np.testing.assert_array_equal(read_film(film > 128), np.where(film > 128, 255, 0))
    np.testing.assert_array_equal(read_film(film[:, :, None]), film)


@pytest.mark.parametrize("form", ["TIFF", "BMP", "WEBP", "PNG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_lossless_files_hold_the_same_film(film: Film, form: str, mode: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    np.testing.assert_array_equal(read_film(encode(Image.fromarray(film).convert(mode), form, **options)), film)


@pytest.mark.parametrize("form", ["TIFF", "PNG", "BMP"])
def test_one_bit_is_black_and_white(film: Film, form: str) -> None:
    masked = Image.fromarray(np.where(film > 128, 255, 0).astype(np.uint8)).convert("1")
    np.testing.assert_array_equal(read_film(encode(masked, form)), np.where(film > 128, 255, 0))


def test_deep_tiffs(film: Film) -> None:
    deep = Image.fromarray(film.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_film(encode(deep, "TIFF")), film)
    np.testing.assert_array_equal(read_film(encode(deep, "TIFF", compression="tiff_lzw")), film)
    white_is_zero = Image.fromarray((255 - film.astype(np.uint16)) * 257)
    encoded = encode(white_is_zero, "TIFF")
    black_is_zero_tag, white_is_zero_tag = (struct.pack("<HHIH", 262, 3, 1, polarity) for polarity in (1, 0))
    assert encoded.count(black_is_zero_tag) == 1
    np.testing.assert_array_equal(read_film(encoded.replace(black_is_zero_tag, white_is_zero_tag)), film)


def deep_png(colours: NDArray[np.uint16]) -> bytes:
    encoded: bytes = imagecodecs.png_encode(colours)
    return encoded


def deep_tiff(colours: NDArray[np.uint16]) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, colours, photometric="rgb", compression="lzw")
    return file.getvalue()


@pytest.mark.parametrize("write", [deep_png, deep_tiff])
@pytest.mark.parametrize("channels", [3, 4])
def test_colour_of_16_bits_is_read_if_it_uses_them(
    film: Film, write: Callable[[NDArray[np.uint16]], bytes], channels: int
) -> None:
    colours = np.stack([film] * 3, axis=2).astype(np.uint16) * 257
    opaque = np.full((*film.shape, channels - 3), 65535, np.uint16)
    np.testing.assert_array_equal(read_film(write(np.concatenate([colours, opaque], axis=2))), film)
    for bits in (8, 10, 12, 14):
        with pytest.raises(ImageError, match="16-bit colour that uses at most 14 bits; save it in grey"):
            read_film(write(np.concatenate([colours >> (16 - bits), opaque], axis=2)))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_of_every_kind(film: Film, mode: str, progressive: bool) -> None:
    image = Image.fromarray(film).convert("RGB").convert(mode)
    read = read_film(encode(image, "JPEG", quality=95, progressive=progressive))
    assert np.abs(read.astype(int) - film).mean() < 3


def test_an_icc_profile_changes_nothing(film: Film) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    np.testing.assert_array_equal(read_film(encode(Image.fromarray(film), "PNG", icc_profile=profile)), film)


@pytest.mark.parametrize("form", ["TIFF", "WEBP", "PNG"])
def test_several_frames_are_refused(film: Film, form: str) -> None:
    other = Image.fromarray(film[::-1])
    moving = encode(Image.fromarray(film), form, save_all=True, append_images=[other])
    with pytest.raises(ImageError, match="has several frames; export a single frame"):
        read_film(moving)


def test_transparent_pixels_are_black() -> None:
    clear = Image.new("RGBA", (30, 30), (255, 255, 255, 0))
    assert read_film(encode(clear, "PNG")).max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(film: Film, orientation: int) -> None:
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.T,
        6: np.rot90,
        7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](film)))
    np.testing.assert_array_equal(read_film(encode(stored, "PNG", exif=exif)), film)


def test_a_missing_film(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.jpeg: does not exist; check the path"):
        read_film(tmp_path / "gone.jpeg")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="a folder, not a film"):
        read_film(tmp_path)


@pytest.mark.parametrize(("path", "problem"), [("a" * 5000, "name too long"), ("film\0.png", "null byte")])
def test_a_path_that_no_system_opens(path: str, problem: str) -> None:
    with pytest.raises(ImageError, match=f"(?i)cannot be read .*{problem}.*check the path"):
        read_film(path)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty\.png: empty file"):
        read_film(tmp_path / "empty.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_truncated_file(film: Film, form: str) -> None:
    encoded = encode(Image.fromarray(film), form)
    with pytest.raises(ImageError, match="damaged or truncated"):
        read_film(encoded[: len(encoded) // 2])


def test_what_is_no_picture() -> None:
    with pytest.raises(ImageError, match="not a JPEG, JPEG 2000, PNG, TIFF, BMP, WebP or DICOM file"):
        read_film(b"a text that was renamed to .jpeg")


def test_formats_beyond_the_listed_are_refused(film: Film) -> None:
    with pytest.raises(ImageError, match="not a JPEG, JPEG 2000, PNG, TIFF, BMP, WebP or DICOM file"):
        read_film(encode(Image.fromarray(film), "GIF"))


@pytest.mark.parametrize("side", [9_000, 30_000])
def test_a_decompression_bomb_is_refused_by_its_header(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 10) + b"IDAT" + zlib.compress(b"") + b"\0" * 8
    with pytest.raises(ImageError, match=f"exceeds the limit of {LIMITS.pixels} pixels"):
        read_film(bomb)


def test_limits_can_be_set(film: NDArray[np.uint8], tmp_path: Path) -> None:
    encoded = encode(Image.fromarray(film), "PNG")
    (tmp_path / "film.png").write_bytes(encoded)
    small = Limits(pixels=film.size - 1)
    for source in (encoded, film, Image.fromarray(film), tmp_path / "film.png"):
        with pytest.raises(ImageError, match=f"exceeds the limit of {film.size - 1} pixels"):
            read_film(source, small)
        assert read_film(source, Limits(pixels=film.size)).shape == film.shape
    short = Limits(encoded_bytes=len(encoded) - 1)
    for source in (encoded, io.BytesIO(encoded), tmp_path / "film.png"):
        with pytest.raises(ImageError, match=f"exceeds the limit of {len(encoded) - 1} bytes"):
            read_film(source, short)
    assert read_film(encoded, Limits(encoded_bytes=len(encoded))).shape == film.shape


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros(9, np.uint8), "shape"),
        (np.zeros((4, 4, 2), np.uint8), "shape"),
        (np.zeros((0, 4), np.uint8), "shape"),
        (np.zeros((4, 4), np.complex64), "type complex64"),
        (np.full((4, 4), -1, np.int16), r"outside 0\.\.255; scale them to uint8"),
        (np.full((4, 4), 2.0), r"outside 0\.\.1; scale them so that 1"),
        (np.full((4, 4), np.nan), r"outside 0\.\.1"),
        (np.broadcast_to(np.uint8(0), (9_000, 9_000)), "exceeds the limit"),
    ],
)
def test_arrays_that_are_no_films(array: NDArray[np.generic], problem: str) -> None:
    with pytest.raises(ImageError, match=problem):
        read_film(array)


def test_float_pictures_have_no_known_range() -> None:
    with pytest.raises(ImageError, match="unknown range"):
        read_film(Image.new("F", (8, 8)))


def test_text_streams_and_other_things_are_refused() -> None:
    with pytest.raises(ImageError, match="a text stream, not a binary one"):
        read_film(io.StringIO("film"))  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="give a path, bytes"):
        read_film(7)  # type: ignore[arg-type]


def jpeg_with(film: Film, segments: bytes = b"", scans: int = 0) -> bytes:
    encoded = encode(Image.fromarray(film), "JPEG", progressive=True)
    at = encoded.rindex(b"\xff\xda")
    return encoded[:2] + segments + encoded[2:at] + encoded[at:-2] * (1 + scans) + encoded[-2:]


@pytest.mark.parametrize(
    ("segments", "scans", "problem"),
    [
        (b"", 2000, "JPEG scans, more than 100"),
        (b"\xff\xe5\xff\xff" + bytes(65533), 0, None),
        ((b"\xff\xe5\xff\xff" + bytes(65533)) * 300, 0, "bytes of metadata"),
        (b"\xff" * 100_000_000, 0, "too many parts"),
    ],
    ids=["scans", "a segment", "many segments", "fill bytes"],
)
def test_a_jpeg_that_would_take_long_is_refused(film: Film, segments: bytes, scans: int, problem: str | None) -> None:
    encoded = jpeg_with(film, segments, scans)
    if problem is None:
        read_film(encoded)
    else:
        with pytest.raises(ImageError, match=problem):
            read_film(encoded)


def test_a_tiff_of_many_directories_is_refused_at_its_second(film: Film) -> None:
    many = [Image.fromarray(film[:8, :8])] * 300
    with pytest.raises(ImageError, match="has several frames"):
        read_film(encode(many[0], "TIFF", save_all=True, append_images=many[1:]))
