"""What people see while films are read: coloured rows, a progress bar, a closing line. Plain text where it is piped."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from pneumo_infer.prediction import NEEDS_REVIEW, OUTCOMES

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier
    from pneumo_infer.errors import PneumoError
    from pneumo_infer.prediction import Prediction

WORTH_A_BAR = 10  # films; fewer are read before a bar could be looked at
HEADER = f"{'outcome':12}  {'reason':13}  {'label':9}  probability  film\n"
# ECMA-48, 8.3.117 (select graphic rendition).
COLOURS = {"NORMAL": "\x1b[32m", "PNEUMONIA": "\x1b[1;35m", "NEEDS_REVIEW": "\x1b[33m", "failed": "\x1b[31m"}
PLAIN = "\x1b[0m"


def table_row(prediction: Prediction, out: TextIO) -> str:
    """Lay one prediction out as a row of the table, coloured if `out` is a terminal (and NO_COLOR is not set)."""
    outcome = prediction.outcome or "failed"
    shown = f"{outcome:12}"
    if out.isatty() and not os.environ.get("NO_COLOR"):
        shown = f"{COLOURS[outcome]}{shown}{PLAIN}"
    if prediction.error is not None:
        return f"{shown}  {'':13}  {'':9}  {'':11}  {prediction.error}\n"
    answer = f"{prediction.reason or '':13}  {prediction.label:9}  {prediction.probability:11.4f}"
    return f"{shown}  {answer}  {prediction.path}\n"


@contextmanager
def progress_bar(films: int) -> Iterator[Callable[[Iterable[Prediction]], Iterator[Prediction]]]:
    """Give what passes predictions on and shows how far they are, where they are many and standard error is a terminal.

    What is printed to standard output within the block appears above the bar; where it is piped it is left alone.
    """
    if films < WORTH_A_BAR or not sys.stderr.isatty():
        yield iter
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("films, {task.fields[rate]:.1f}/s,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=films, rate=0.0)
        began = time.monotonic()

        def pass_on(predictions: Iterable[Prediction]) -> Iterator[Prediction]:
            for count, prediction in enumerate(predictions, start=1):
                yield prediction
                bar.update(task, completed=count, rate=count / (time.monotonic() - began))

        yield pass_on


def print_stderr(what: object) -> None:
    """Print to standard error."""
    print(f"pneumo-infer: {what}", file=sys.stderr)


class Tally:
    """Counts predictions as they pass, for the closing line."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.failed = self.overlays_failed = 0
        self._start = time.monotonic()

    def count(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        for prediction in predictions:
            if prediction.outcome is None:
                self.failed += 1
            else:
                self.outcomes[prediction.outcome] += 1
            if prediction.reason is not None:
                self.reasons[prediction.reason] += 1
            yield prediction

    def overlay_failed(self, error: PneumoError) -> None:
        self.overlays_failed += 1
        print_stderr(error)

    def closing_line(self, classifier: Classifier) -> str:
        """Sum up: outcomes, what needs review and why, failures, rate, and what was held against what."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.reasons.items()))
        outcomes = {outcome: f"{count} {outcome}" for outcome, count in self.outcomes.items()}
        if reasons:
            outcomes[NEEDS_REVIEW] += f" ({reasons})"
        parts = [
            *(outcomes[outcome] for outcome in OUTCOMES if outcome in outcomes),
            *([f"{self.failed} failed"] if self.failed else []),
            *([f"{self.overlays_failed} overlays not written"] if self.overlays_failed else []),
        ]
        films = self.outcomes.total() + self.failed
        seconds = time.monotonic() - self._start
        point = classifier.operating_point or "your own"
        return (
            f"{', '.join(parts)}; {films} in {seconds:.1f} s ({films / seconds:.1f}/s); "
            f"PNEUMONIA from {classifier.threshold:.4f} on ({point}), "
            f"{classifier.model.path.name} on {classifier.device}"
        )
