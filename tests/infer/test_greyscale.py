"""DICOM's greyscale transforms, compared with plain arithmetic written from the standard, one pixel at a time."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from dicom_variants import Header, Lut, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pneumo_infer.films.raster import read_film

SIDE = 6  # pixels of a picture's sides
EXAMPLES = 2000


def grey(cell: int, header: Header) -> float:
    """The grey of one cell, 0 to 255: PS3.5 8.1.1, then PS3.3 C.11.1, C.11.2 and C.7.6.3.1.2."""
    value: float = (cell >> (header.high + 1 - header.stored)) % 2**header.stored
    low, high = 0.0, 2.0**header.stored - 1
    if header.signed:
        value -= 2**header.stored if value >= 2 ** (header.stored - 1) else 0
        low, high = -(2.0 ** (header.stored - 1)), 2.0 ** (header.stored - 1) - 1
    if header.modality:
        value, low, high = looked_up(value, header.modality)
    elif header.rescale:
        slope, intercept = header.rescale
        value, low, high = slope * value + intercept, slope * low + intercept, slope * high + intercept
        low, high = min(low, high), max(low, high)
    if header.voi:
        value, low, high = looked_up(value, header.voi)
    elif header.window:
        value, low, high = windowed(value, *header.window), 0, 1
    share = min(max((value - low) / max(high - low, 1), 0), 1)
    inverse = {"INVERSE": True, "IDENTITY": False, None: header.photometric == "MONOCHROME1"}[header.shape]
    return 255 * (1 - share if inverse else share)


def looked_up(value: float, lut: Lut) -> tuple[float, float, float]:
    place = min(max(round(value - lut.first), 0), len(lut.entries) - 1)
    return lut.entries[place], 0, 2 ** max(lut.bits_in_use, 1) - 1


def windowed(value: float, centre: float, width: float, function: str) -> float:
    if function == "SIGMOID":
        return 1 / (1 + math.exp(min(-4 * (value - centre) / width, 700)))
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
        if value <= centre - width / 2:
            return 0
        return 1 if value > centre + width / 2 else (value - centre) / width + 0.5
    if value <= centre - width / 2:
        return 0
    return 1 if value > centre + width / 2 else (value - centre) / width + 0.5


def shown_and_expected(cells: np.ndarray, header: Header) -> tuple[np.ndarray, np.ndarray]:
    expected = [[grey(int(cell), header) for cell in row] for row in cells]
    return read_film(written(cells, header)).astype(float), np.array(expected)


def luts(inputs: tuple[int, int], syntax: UID) -> st.SearchStrategy[Lut]:
    @st.composite
    def lut(draw: st.DrawFn) -> Lut:
        bits = draw(st.integers(8, 16))
        count = draw(st.integers(2, 64))
        spread = max(inputs[1] - inputs[0] - count, 0)
        entries = draw(st.lists(st.integers(0, 2**bits - 1), min_size=count, max_size=count))
        first = inputs[0] + draw(st.integers(0, min(spread, 2**15)))
        # The standard has no order of bytes in big-endian words.
        return Lut(first, bits, tuple(entries), as_bytes=bits == 8 and syntax.is_little_endian and draw(st.booleans()))

    return lut()


@st.composite
def headers(draw: st.DrawFn) -> Header:
    allocated = draw(st.sampled_from([8, 16]))
    stored = draw(st.integers(max(allocated - 8, 2), allocated))
    header = Header(
        allocated=allocated,
        stored=stored,
        high=draw(st.integers(stored - 1, allocated - 1)),
        signed=draw(st.booleans()),
        photometric=draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"])),
        shape=draw(st.sampled_from([None, "IDENTITY", "INVERSE"])),
        syntax=draw(st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])),
    )
    ends = (-(2 ** (stored - 1)), 2 ** (stored - 1) - 1) if header.signed else (0, 2**stored - 1)
    kind = draw(st.sampled_from(["none", "rescale", "lut"]))
    if kind == "rescale":
        slope = draw(st.sampled_from([1, 2, 0.5, -1, -0.25]))
        header = replace(header, rescale=(slope, draw(st.integers(-2048, 2048))))
        ends = tuple(sorted(math.floor(slope * end + header.rescale[1]) for end in ends))  # type: ignore[index]
    elif kind == "lut":
        header = replace(header, modality=draw(luts(ends, header.syntax)))
        ends = (0, 2**16 - 1)
    kind = draw(st.sampled_from(["none", "window", "lut"]))
    if kind == "window":
        centre, width = draw(st.integers(*ends)), draw(st.integers(2, max(ends[1] - ends[0], 2)))
        header = replace(header, window=(centre, width, draw(st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]))))
    elif kind == "lut" and ends[0] >= -(2**15) and ends[1] < 2**15:
        header = replace(header, voi=draw(luts(ends, header.syntax)))
    return header


@pytest.mark.fuzz
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(headers(), st.integers(0, 2**32 - 1))
def test_every_legal_combination_is_displayed_as_the_standard_says(header: Header, seed: int) -> None:
    cells = np.random.default_rng(seed).integers(0, 2**header.allocated, (SIDE, SIDE))
    shown, expected = shown_and_expected(cells, header)
    np.testing.assert_allclose(shown, expected, atol=2)


RAMP = np.arange(4096).reshape(64, 64)


@pytest.mark.parametrize(
    "header",
    [
        Header(high=15),
        Header(high=13),
        Header(rescale=(-1, 0), window=(-2000, 3000, "LINEAR")),
        Header(shape="INVERSE"),
        Header(signed=True, voi=Lut(-2048, 16, tuple(range(4096)))),
        Header(signed=True, voi=Lut(-2048, 16, tuple(range(4096))), syntax=ImplicitVRLittleEndian),
        Header(rescale=(1, -1000), voi=Lut(-1000, 12, tuple(range(4096))), syntax=ImplicitVRLittleEndian),
        Header(stored=16, high=15, signed=True, modality=Lut(-32768, 16, tuple(range(0, 65536, 2)))),
        Header(rescale=(20, 0), voi=Lut(0, 16, tuple(range(4096)))),
        Header(voi=Lut(0, 8, tuple(number // 16 for number in range(4096)), as_bytes=True)),
        Header(voi=Lut(0, 10, tuple(number // 4 for number in range(4096)))),
        Header(voi=Lut(0, 16, tuple(range(4096))), syntax=ExplicitVRBigEndian),
    ],
    ids=[
        "high bit 15",
        "high bit 13",
        "negative slope and window",
        "presentation shape INVERSE",
        "signed VOI LUT",
        "signed VOI LUT, implicit VR",
        "unsigned pixels rescaled below zero, implicit VR",
        "modality LUT on signed pixels that fill their type",
        "VOI LUT after a rescale beyond 16 bits",
        "8-bit VOI LUT as bytes",
        "10-bit VOI LUT",
        "big-endian VOI LUT and pixels",
    ],
)
def test_known_misreadings(header: Header) -> None:
    cells = RAMP << (header.high + 1 - header.stored)
    shown, expected = shown_and_expected(cells, header)
    np.testing.assert_allclose(shown, expected, atol=2)


def attributes_of(film: bytes, **attributes: Any) -> bytes:
    from pydicom import dcmread

    header = dcmread(io.BytesIO(film))
    for name, value in attributes.items():
        setattr(header, name, value)
    file = io.BytesIO()
    header.save_as(file)
    return file.getvalue()


@pytest.mark.parametrize(
    "attributes",
    [
        {"RescaleSlope": None, "RescaleIntercept": None},
        {"WindowCenter": 2000, "WindowWidth": 0},
        {"WindowCenter": 2000, "WindowWidth": -5},
        {"WindowCenter": 2000, "WindowWidth": 100, "VOILUTFunction": "CUBIC"},
        {"VOILUTSequence": [Dataset()]},
        {"WindowCenter": None, "WindowWidth": 100},
    ],
    ids=["empty slope", "width 0", "negative width", "unknown function", "empty LUT", "empty centre"],
)
def test_an_empty_or_invalid_transform_is_skipped(attributes: dict[str, Any]) -> None:
    plain = written(RAMP, Header())
    np.testing.assert_array_equal(read_film(attributes_of(plain, **attributes)), read_film(plain))


def test_functional_groups_have_a_window() -> None:
    window = Dataset()
    window.WindowCenter, window.WindowWidth = 1000, 500
    group = Dataset()
    group.FrameVOILUTSequence = [window]
    grouped = attributes_of(written(RAMP, Header()), SharedFunctionalGroupsSequence=[group])
    plain = attributes_of(written(RAMP, Header()), WindowCenter=1000, WindowWidth=500)
    np.testing.assert_array_equal(read_film(grouped), read_film(plain))


def test_decimal_commas_are_read() -> None:
    point = attributes_of(written(RAMP, Header()), WindowCenter="1000.5", WindowWidth="500.5")
    comma = point.replace(b"1000.5", b"1000,5").replace(b"500.5 ", b"500,5 ")
    assert comma != point
    np.testing.assert_array_equal(read_film(comma), read_film(point))
