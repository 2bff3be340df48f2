"""Memory and rate over very many films: `predict_many` should stay where it was after the first thousand.

    python -m benchmarks.scale films/ --films 100000

The folder's films are read over and over through links, as a folder of that many films would be. Resident memory is
printed at a thousand films and from there on, with its ratio to that first value; the largest is what counts.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.films import films_under
from benchmarks.record import Comparison, publish
from pneumo_infer import Classifier

FIRST = 1000
HOW = "Resident memory of the process while `predict_many` reads links to {files} files, {films} films in all."


def main(
    source: Annotated[Path, typer.Argument(help="A folder of films.")],
    films: Annotated[int, typer.Option(min=2 * FIRST, help="How many to read.")] = 20_000,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    to: Annotated[Path | None, typer.Option(help="Where the figures go, as JSON.")] = None,
) -> None:
    """Read links to films, and print resident memory beside what it was after the first thousand."""
    paths = [path.resolve() for path in films_under(source)]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(films):
            link = Path(folder, f"{number:06}{paths[number % len(paths)].suffix}")
            link.symlink_to(paths[number % len(paths)])
        listed = sorted(os.path.join(folder, name) for name in os.listdir(folder))  # noqa: PTH118, PTH208
        classifier = Classifier(device="cpu")
        print(f"{films} films, {classifier.threads} threads, batches of {batch_size}", flush=True)
        began, first, most = time.monotonic(), 0.0, 0.0
        for count, prediction in enumerate(classifier.predict_many(listed, batch_size), start=1):
            if prediction.error:
                raise prediction.error
            if count == FIRST:
                first = resident_megabytes()
            if count % FIRST == 0:
                now, rate = resident_megabytes(), count / (time.monotonic() - began)
                most = max(most, now)
                if count % (films // 10) == 0 or count in (FIRST, films):
                    ratio = f"{now / first:.3f} times that after {FIRST}"
                    print(f"{count:7} films  {now:6.1f} MB, {ratio}  {rate:5.1f} films a second", flush=True)
    compared = Comparison(
        f"memory over {films} films", f"after {FIRST}", most, first, "MB", "ours / peer", ("at most", 1.05)
    )
    publish("scale", HOW.format(files=len(paths), films=films), [compared], to)


def resident_megabytes() -> float:
    """Resident memory of this process, from the kernel (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    typer.run(main)
