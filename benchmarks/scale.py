"""Memory and rate over a large number of films: memory should not grow after the first thousand.

    python -m benchmarks.scale films/ --films 100000

The films of a folder are classified repeatedly through links, as if the folder contained that many films. The result is
the ratio of the highest resident memory to that after a thousand films.
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
HOW = "Resident memory of the process while `predict_many` classifies {films} films, through links to {files} files."


def main(
    source: Annotated[Path, typer.Argument(help="Folder of films.")],
    films: Annotated[int, typer.Option(min=2 * FIRST, help="Number of films to classify.")] = 20_000,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    to: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Classify the films, print resident memory along the way, and publish the ratio."""
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
                    ratio = f"{now / first:.3f} times that after {FIRST} films"
                    print(f"{count:7} films  {now:6.1f} MB, {ratio}  {rate:5.1f} films/s", flush=True)
    compared = Comparison(
        f"memory over {films} films", f"after {FIRST} films", most, first, "MB", "ours / peer", ("at most", 1.05)
    )
    publish("scale", HOW.format(files=len(paths), films=films), [compared], to)


def resident_megabytes() -> float:
    """Return the resident memory of this process, as reported by the kernel (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    typer.run(main)
