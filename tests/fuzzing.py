"""Film files spoiled in many ways, and what may come of them.

python tests/fuzzing.py FORMAT [FILES] has hypothesis spoil that many files and prints what came of them as JSON.
python tests/fuzzing.py FORMAT --for-seconds N lets atheris look for files that take a new way through the code; its
own options go after these.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from reading_cost import memory

from pneumo_infer.errors import ImageError
from pneumo_infer.films.raster import read_film

SIDE = 48
LONGEST_RUN = 64
WARM = 1000  # files after which memory should no longer grow


def seeds(form: str) -> list[bytes]:
    """Small whole files of a format, several kinds of each."""
    if form == "DICOM":
        return _dicom_seeds()
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    grey = ((rows * 5 + columns * 3) % 256).astype(np.uint8)
    deep = grey.astype(np.uint16) * 257
    pictures = {
        "L": Image.fromarray(grey),
        "RGB": Image.fromarray(np.stack([grey, grey.T, 255 - grey], axis=2)),
        "CMYK": Image.fromarray(grey).convert("CMYK"),
        "LA": Image.fromarray(grey).convert("LA"),
        "P": Image.fromarray(grey).convert("P"),
        "1": Image.fromarray(grey).convert("1"),
        "I;16": Image.fromarray(deep),
    }
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds: dict[str, list[tuple[str, dict[str, object]]]] = {
        "JPEG": [("L", {"exif": exif}), ("RGB", {"progressive": True}), ("CMYK", {}), ("L", {"optimize": True})],
        "PNG": [("L", {}), ("RGB", {}), ("LA", {}), ("P", {}), ("1", {}), ("I;16", {})],
        "TIFF": [
            ("L", {"compression": "tiff_lzw"}),
            ("RGB", {"compression": "tiff_adobe_deflate"}),
            ("1", {"compression": "group4"}),
            ("I;16", {}),
        ],
        "BMP": [("L", {}), ("RGB", {}), ("1", {})],
        "WEBP": [("RGB", {}), ("RGB", {"lossless": True}), ("LA", {"lossless": True, "exif": exif})],
        "JPEG2000": [("L", {}), ("RGB", {"irreversible": True}), ("I;16", {}), ("L", {"no_jp2": True})],
    }
    return [_encode(pictures[mode], form, options) for mode, options in kinds[form]]


def _encode(picture: Image.Image, form: str, options: dict[str, object]) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def _dicom_seeds() -> list[bytes]:
    """The smallest of pydicom's own files that are films, one of each transfer syntax."""
    smallest: dict[str, bytes] = {}
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm")):
        content = path.read_bytes()
        if outcome(content) == "film":
            syntax = str(pydicom.dcmread(path, stop_before_pixels=True).file_meta.get("TransferSyntaxUID"))
            if len(content) < len(smallest.get(syntax, content + b"x")):
                smallest[syntax] = content
    return list(smallest.values())


def _flip_bits(content: bytearray, choose: random.Random) -> None:
    for _ in range(choose.randint(1, 8)):
        content[choose.randrange(len(content))] ^= 1 << choose.randrange(8)


def _flip_bits_in_header(content: bytearray, choose: random.Random) -> None:
    for _ in range(choose.randint(1, 4)):
        content[choose.randrange(min(len(content), 400))] = choose.choice((0, 1, 127, 128, 255, choose.randrange(256)))


def _cut(content: bytearray, choose: random.Random) -> None:
    del content[choose.randrange(len(content)) :]


def _drop(content: bytearray, choose: random.Random) -> None:
    start = choose.randrange(len(content))
    del content[start : start + choose.randint(1, LONGEST_RUN)]


def _repeat(content: bytearray, choose: random.Random) -> None:
    start = choose.randrange(len(content))
    content[start:start] = content[start : start + choose.randint(1, LONGEST_RUN)] * choose.randint(1, 20)


def _overwrite(content: bytearray, choose: random.Random) -> None:
    start = choose.randrange(len(content))
    run = choose.randbytes(choose.randint(1, LONGEST_RUN))
    content[start : start + len(run)] = run


def _grow_a_number(content: bytearray, choose: random.Random) -> None:
    start, width = choose.randrange(len(content)), choose.choice((2, 4))
    number = choose.choice((0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), 65536, 20000)) % 2 ** (8 * width)
    content[start : start + width] = number.to_bytes(width, choose.choice(("little", "big")))  # type: ignore[arg-type]


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip_bits,
    _flip_bits_in_header,
    _cut,
    _drop,
    _repeat,
    _overwrite,
    _grow_a_number,
)


def spoil(whole: bytes, choose: random.Random) -> bytes:
    """Spoil a file in one to three ways."""
    content = bytearray(whole)
    for mutate in choose.choices(MUTATIONS, k=choose.randint(1, 3)):
        if content:
            mutate(content, choose)
    return bytes(content)


def outcome(content: bytes) -> str:
    """Read a file: `film` or `ImageError`; anything else is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            film = read_film(content)
        except ImageError as error:
            return "ImageError" if error.subject and error.problem and error.remedy else "unexplained"
    assert film.dtype == np.uint8
    assert film.ndim == 2
    assert film.size
    return "film"


def cost(form: str, files: int) -> dict[str, float]:
    """Read that many spoiled files: the CPU time of the slowest in seconds, and memory in bytes.

    `warm_memory` is that after a thousand files, `memory` that after all, and `peak_memory` the most at any time.
    Hypothesis has no part in this, since it remembers what it has chosen.
    """
    whole, choose = seeds(form), random.Random(0)
    slowest, warm_memory = 0.0, 0
    for number in range(files):
        content = spoil(choose.choice(whole), choose)
        start = time.process_time()
        outcome(content)
        slowest = max(slowest, time.process_time() - start)
        if number < WARM:
            warm_memory = memory("VmRSS")
    return {
        "slowest": slowest,
        "warm_memory": warm_memory,
        "memory": memory("VmRSS"),
        "peak_memory": memory("VmHWM"),
    }


def with_hypothesis(form: str, files: int) -> Counter[str]:
    """Have hypothesis choose what is spoiled and how; it shrinks what fails."""
    whole = seeds(form)
    assert all(outcome(content) == "film" for content in whole)
    counts: Counter[str] = Counter()

    @settings(
        max_examples=files, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.sampled_from(whole), st.randoms(use_true_random=False))
    def reads_or_refuses(content: bytes, choose: random.Random) -> None:
        counts[outcome(spoil(content, choose))] += 1

    reads_or_refuses()
    return counts


def with_atheris(form: str, seconds: int, options: list[str]) -> None:
    """Have atheris look for new ways through the code; it keeps what fails in the working directory."""
    import atheris

    with tempfile.TemporaryDirectory() as corpus:
        for number, content in enumerate(seeds(form)):
            Path(corpus, str(number)).write_bytes(content)
        atheris.instrument_all()
        atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-rss_limit_mb=2048", *options, corpus], outcome)
        atheris.Fuzz()


def main() -> None:
    """Run as the module says."""
    form, *rest = sys.argv[1:]
    if rest[:1] == ["--for-seconds"]:
        with_atheris(form, int(rest[1]), rest[2:])
        return
    files = int(rest[0]) if rest else 10_000
    print(json.dumps({**cost(form, files), "outcomes": with_hypothesis(form, files)}))


if __name__ == "__main__":
    main()
