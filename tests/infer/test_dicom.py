"""DICOM films: the transforms of the standard in its order, and files that are refused with a reason."""

from __future__ import annotations

import io
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from imagecodecs import htj2k_encode, jpeg2k_encode, jpeg_encode, jpegls_encode, packbits_encode
from made_films import dicom_film
from pydicom import Dataset, dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.pixels import decoders as pydecoders
from pydicom.uid import UID, JPEGLosslessSV1

from pneumo_infer.errors import ImageError
from pneumo_infer.films.dicom import decoders as dicom_decoders
from pneumo_infer.films.raster import read_film
from pneumo_infer.limits import Limits

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
EIGHT_BITS = np.round(RAMP / 4095 * 255).astype(np.uint8)


def test_stored_bits_become_grey_levels() -> None:
    np.testing.assert_array_equal(read_film(dicom_film(RAMP)), EIGHT_BITS)
    # Half the range stays half the range: the film's own maximum does not matter.
    assert read_film(dicom_film(RAMP // 2)).max() == 127


def test_monochrome1_is_inverted_by_the_range() -> None:
    inverted = dicom_film(RAMP // 2, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_film(inverted), np.round((4095 - RAMP // 2) / 4095 * 255).astype(np.uint8))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_spreads_what_it_shows(photometric: str) -> None:
    shown = read_film(dicom_film(RAMP, WindowCenter=1000, WindowWidth=1001, PhotometricInterpretation=photometric))
    flat = shown.ravel() if photometric == "MONOCHROME2" else 255 - shown.ravel()
    assert flat[499] == 0
    assert flat[1500] == 255
    np.testing.assert_allclose(flat[500:1500], (np.arange(500, 1500) - 499.5) / 1000 * 255, atol=0.51)


def test_the_window_is_in_rescaled_units() -> None:
    plain = read_film(dicom_film(RAMP, WindowCenter=1000, WindowWidth=1001))
    rescaled = dicom_film(RAMP, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1000, WindowWidth=2001)
    np.testing.assert_allclose(read_film(rescaled).astype(int), plain.astype(int), atol=1)


def test_a_voi_lut_maps_values() -> None:
    lut = Dataset()
    lut.LUTDescriptor = [4096, 0, 8]
    lut.add_new("LUTData", "OW", np.repeat(np.arange(255, -1, -1, dtype="<u2"), 16).tobytes())
    shown = read_film(dicom_film(RAMP, VOILUTSequence=[lut]))
    np.testing.assert_array_equal(shown.ravel(), np.repeat(np.arange(255, -1, -1), 16))


def test_several_frames_are_refused() -> None:
    with pytest.raises(ImageError, match="has 4 frames; export a single frame"):
        read_film(dicom_film(RAMP, NumberOfFrames=4, Rows=16))


def test_too_many_pixels_are_refused_before_decoding() -> None:
    film = dcmread(io.BytesIO(dicom_film(RAMP)))
    film.Rows = film.Columns = 60000
    file = io.BytesIO()
    film.save_as(file)
    with pytest.raises(ImageError, match="60000 x 60000 pixels"):
        read_film(file.getvalue())


def test_damaged_files() -> None:
    whole = dicom_film(RAMP)
    for damaged in (whole[:400], whole[:-2000], whole[:132]):
        with pytest.raises(ImageError):
            read_film(damaged)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_every_file_that_pydicom_ships_is_read_or_refused_with_a_reason() -> None:
    read, refused = [], []
    for path in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm"):
        try:
            read.append(read_film(path))
        except ImageError as error:
            refused.append(error)
    assert len(read) > 40
    assert {(film.dtype, film.ndim) for film in read} == {(np.dtype(np.uint8), 2)}
    assert all(error.problem and error.remedy for error in refused)


def test_a_compressed_frame_larger_than_its_header_says_is_refused() -> None:
    film = dcmread(io.BytesIO(dicom_film(RAMP[:8, :8])))
    film.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    film.PixelData = encapsulate([jpeg_encode(np.zeros((4000, 4000), np.uint16), lossless=True, bitspersample=12)])
    file = io.BytesIO()
    film.save_as(file)
    with pytest.raises(ImageError, match="cannot be read as DICOM"):
        read_film(file.getvalue())


def test_without_pydicom_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError, match=re.escape("pip install 'pneumo-infer[dicom]'")):
        read_film(get_testdata_file("CT_small.dcm"))


def compressed(frame: bytes, syntax: UID, **attributes: object) -> bytes:
    film = dcmread(io.BytesIO(dicom_film(RAMP)))
    film.file_meta.TransferSyntaxUID = syntax
    for name, value in attributes.items():
        setattr(film, name, value)
    film.PixelData = encapsulate([frame])
    file = io.BytesIO()
    film.save_as(file)
    return file.getvalue()


def in_colour(cells: np.ndarray, photometric: str, **attributes: object) -> bytes:
    film = dcmread(io.BytesIO(dicom_film(RAMP, PhotometricInterpretation=photometric, **attributes)))
    film.BitsAllocated, film.BitsStored, film.HighBit = 8, 8, 7
    if cells.ndim == 3:
        film.SamplesPerPixel, film.PlanarConfiguration = 3, 0
    film.add_new("PixelData", "OB", cells.tobytes())
    file = io.BytesIO()
    film.save_as(file)
    return file.getvalue()


def test_colour_becomes_luma() -> None:
    grey = np.repeat(EIGHT_BITS[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(read_film(in_colour(grey, "RGB")), EIGHT_BITS)
    red = grey * np.array([1, 0, 0], np.uint8)
    np.testing.assert_allclose(read_film(in_colour(red, "RGB")).astype(float), 0.299 * EIGHT_BITS, atol=0.51)
    tinted = np.dstack([EIGHT_BITS, np.full_like(EIGHT_BITS, 90), np.full_like(EIGHT_BITS, 160)])
    np.testing.assert_array_equal(read_film(in_colour(tinted, "YBR_FULL")), EIGHT_BITS)


def test_a_palette_is_looked_up() -> None:
    ramp = (np.arange(256, dtype="<u2")[::-1] * 257).tobytes()
    palette: dict[str, object] = {}
    for colour in ("Red", "Green", "Blue"):
        palette[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palette[f"{colour}PaletteColorLookupTableData"] = ramp
    np.testing.assert_array_equal(read_film(in_colour(EIGHT_BITS, "PALETTE COLOR", **palette)), 255 - EIGHT_BITS)


def jpeg_2000(pixels: np.ndarray) -> bytes:
    encoded: bytes = jpeg2k_encode(pixels, codecformat="j2k", reversible=True, bitspersample=12)
    return encoded


SIGNED = {"PixelRepresentation": 1, "RescaleSlope": 1, "RescaleIntercept": 2048}


@pytest.mark.parametrize(
    ("frame", "syntax", "attributes"),
    [
        (jpeg_encode(RAMP, lossless=True, bitspersample=12), uid.JPEGLossless, {}),
        (jpeg_encode(RAMP, lossless=True, bitspersample=12, predictor=1), uid.JPEGLosslessSV1, {}),
        (jpegls_encode(RAMP), uid.JPEGLSLossless, {}),
        (jpegls_encode((RAMP.astype(np.int16) - 2048).view(np.uint16) & 4095), uid.JPEGLSLossless, SIGNED),
        (jpeg_2000(RAMP), uid.JPEG2000Lossless, {}),
        (jpeg_2000(RAMP.astype(np.int16) - 2048), uid.JPEG2000Lossless, SIGNED),
        (htj2k_encode(RAMP), uid.HTJ2KLossless, {}),
    ],
    ids=["JPEG", "JPEG SV1", "JPEG-LS", "signed JPEG-LS", "JPEG 2000", "signed JPEG 2000", "HTJ2K"],
)
def test_lossless_compression_changes_nothing(frame: bytes, syntax: UID, attributes: dict[str, int]) -> None:
    np.testing.assert_array_equal(read_film(compressed(frame, syntax, **attributes)), EIGHT_BITS)


@pytest.mark.parametrize("allocated", [8, 16])
@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGLosslessSV1])
def test_eight_bits_may_be_stored_in_sixteen(syntax: UID, allocated: int) -> None:
    lossless = {"lossless": True, "bitspersample": 8} if syntax == uid.JPEGLosslessSV1 else {"level": 100}
    film = compressed(jpeg_encode(EIGHT_BITS, **lossless), syntax, BitsAllocated=allocated, BitsStored=8, HighBit=7)
    np.testing.assert_allclose(read_film(film).astype(int), EIGHT_BITS, atol=1)


def test_imagecodecs_decodes_every_compressed_syntax_that_pydicom_knows() -> None:
    decoded = {decoder for decoder in vars(pydecoders).values() if isinstance(decoder, pydecoders.base.Decoder)}
    assert {decoder.UID for decoder in decoded if not decoder.is_native} == set(dicom_decoders.CODECS)


@pytest.mark.parametrize("padding", [b"", b"\0", b"\x80\x80", b"\x81\0"], ids=["none", "zero", "empty runs", "a run"])
def test_run_lengths_are_decoded(padding: bytes) -> None:
    planes = [(RAMP >> 8).astype(np.uint8).tobytes(), RAMP.astype(np.uint8).tobytes()]
    segments = [packbits_encode(plane) + padding for plane in planes]
    offsets = [64, 64 + len(segments[0]), *[0] * 13]
    frame = struct.pack("<16I", 2, *offsets) + b"".join(segments)
    np.testing.assert_array_equal(read_film(compressed(frame, uid.RLELossless)), EIGHT_BITS)


def test_a_frame_in_fragments_is_joined() -> None:
    frame = jpeg_2000(RAMP)
    film = dcmread(io.BytesIO(compressed(frame, uid.JPEG2000Lossless)))
    film.PixelData = encapsulate([frame], fragments_per_frame=3)
    file = io.BytesIO()
    film.save_as(file)
    np.testing.assert_array_equal(read_film(file.getvalue()), EIGHT_BITS)


def test_a_data_set_without_preamble_is_read() -> None:
    whole = dicom_film(RAMP)
    np.testing.assert_array_equal(read_film(whole[132:]), EIGHT_BITS)  # with file meta information
    for implicit, little_endian in ((True, True), (False, True), (False, False)):
        file = io.BytesIO()
        film = dcmread(io.BytesIO(whole))
        film.PixelData = RAMP.astype("<u2" if little_endian else ">u2").tobytes()
        del film.file_meta
        film.preamble = None
        pydicom.dcmwrite(file, film, implicit_vr=implicit, little_endian=little_endian)
        np.testing.assert_array_equal(read_film(file.getvalue()), EIGHT_BITS)


@pytest.mark.parametrize(("little", "big"), [("MR_small", "MR_small_bigendian"), ("liver_1frame", "liver_expb_1frame")])
def test_big_endian_pixels_are_read(little: str, big: str) -> None:
    films = [read_film(Path(get_testdata_file(f"{name}.dcm"))) for name in (little, big)]
    assert films[0].any()
    np.testing.assert_array_equal(*films)


def test_a_header_that_lacks_what_describes_its_pixels() -> None:
    film = dcmread(io.BytesIO(dicom_film(RAMP, BitsStored=None)))
    del film.Columns
    file = io.BytesIO()
    film.save_as(file)
    with pytest.raises(ImageError, match="its header lacks Columns, BitsStored; export the film again"):
        read_film(file.getvalue())


def test_a_compressed_file_that_is_cut_is_truncated() -> None:
    whole = compressed(jpeg_2000(RAMP), uid.JPEG2000Lossless)
    with pytest.raises(ImageError, match="truncated within its pixels"):
        read_film(whole[:-20])


def test_the_reason_of_a_decoder_is_kept_in_one_line() -> None:
    with pytest.raises(ImageError) as caught:
        read_film(compressed(jpeg_2000(RAMP)[:120] + b"not a frame" * 20, uid.JPEG2000Lossless))
    assert "\n" not in caught.value.problem
    assert len(caught.value.problem) > 40


def deflated(film: bytes) -> bytes:
    data = dcmread(io.BytesIO(film))
    data.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    file = io.BytesIO()
    data.save_as(file)
    return file.getvalue()


def test_a_deflated_film_is_read_and_inflates_no_further_than_the_limit() -> None:
    film = deflated(dicom_film(RAMP))
    np.testing.assert_array_equal(read_film(film), EIGHT_BITS)
    bomb = deflated(dicom_film(np.zeros((4000, 4000), np.uint16)))
    assert len(bomb) < 100_000
    with pytest.raises(ImageError, match="exceeds the limit of 1000000 bytes"):
        read_film(bomb, Limits(encoded_bytes=1_000_000))


def test_a_window_of_millions_of_values_is_the_first_of_them() -> None:
    plain = dicom_film(RAMP, WindowCenter=1000, WindowWidth=500)
    many = dicom_film(RAMP, WindowCenter=[1000] * 5000, WindowWidth=[500] * 5000)
    np.testing.assert_array_equal(read_film(many), read_film(plain))
