"""Terminal output: coloured table rows, a progress bar and a closing line. Plain text if it is piped."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from pneumo_infer.cli.streams import print_stderr
from pneumo_infer.prediction import NEEDS_REVIEW, OUTCOMES
from pneumo_infer.printable import printable

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier
    from pneumo_infer.errors import PneumoError
    from pneumo_infer.prediction import Prediction

MIN_FILMS_FOR_BAR = 10  # fewer films finish before a progress bar is useful
HEADER = f"{'outcome':12}  {'reason':13}  {'label':9}  probability  film\n"
# ECMA-48, 8.3.117 (select graphic rendition).
COLOURS = {"NORMAL": "\x1b[32m", "PNEUMONIA": "\x1b[1;35m", "NEEDS_REVIEW": "\x1b[33m", "unreadable": "\x1b[31m"}
RESET = "\x1b[0m"


def table_row(prediction: Prediction, out: TextIO) -> str:
    """Format one prediction as a table row, coloured if `out` is a terminal and NO_COLOR is not set."""
    outcome = prediction.outcome or "unreadable"
    shown = f"{outcome:12}"
    if out.isatty() and not os.environ.get("NO_COLOR"):
        shown = f"{COLOURS[outcome]}{shown}{RESET}"
    if prediction.error is not None:
        return f"{shown}  {'':13}  {'':9}  {'':11}  {prediction.error}\n"
    answer = f"{prediction.reason or '':13}  {prediction.label:9}  {prediction.probability:11.4f}"
    return f"{shown}  {answer}  {printable(prediction.path)}\n"


@contextmanager
def progress_bar(films: int) -> Iterator[Callable[[Iterable[Prediction]], Iterator[Prediction]]]:
    """Show a progress bar if there are many films and standard error is a terminal.

    Output to the terminal within the block appears above the bar. Piped standard output is not affected.

    Yields
    ------
    callable
        Passes predictions on unchanged and updates the bar.
    """
    if films < MIN_FILMS_FOR_BAR or not sys.stderr.isatty():
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
        start = time.monotonic()

        def track(predictions: Iterable[Prediction]) -> Iterator[Prediction]:
            for count, prediction in enumerate(predictions, start=1):
                yield prediction
                bar.update(task, completed=count, rate=count / (time.monotonic() - start))

        yield track


def warn(message: object) -> None:
    """Print a message to standard error, prefixed with the name of the command."""
    print_stderr("pneumo-infer", message)


class Tally:
    """Counts predictions for the closing line."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.unreadable = self.failed_overlays = 0
        self._start = time.monotonic()

    def count(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        for prediction in predictions:
            if prediction.outcome is None:
                self.unreadable += 1
            else:
                self.outcomes[prediction.outcome] += 1
            if prediction.reason is not None:
                self.reasons[prediction.reason] += 1
            yield prediction

    def report_overlay(self, error: PneumoError) -> None:
        self.failed_overlays += 1
        warn(error)

    def closing_line(self, classifier: Classifier, other_files: int = 0) -> str:
        """Summarise outcomes, reasons for review, failures, files that are not films, speed, threshold and model."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.reasons.items()))
        outcomes = {outcome: f"{count} {outcome}" for outcome, count in self.outcomes.items()}
        if reasons:
            outcomes[NEEDS_REVIEW] += f" ({reasons})"
        parts = [
            *(outcomes[outcome] for outcome in OUTCOMES if outcome in outcomes),
            *([f"{self.unreadable} unreadable"] if self.unreadable else []),
            *([f"{self.failed_overlays} overlays not written"] if self.failed_overlays else []),
            *([f"{other_files} other files skipped"] if other_files else []),
        ]
        films = self.outcomes.total() + self.unreadable
        seconds = time.monotonic() - self._start
        point = classifier.operating_point or "custom"
        unverified = " (unverified)" if classifier.model.provenance == "unverified" else ""
        return (
            f"{', '.join(parts)}; {films} films in {seconds:.1f} s ({films / seconds:.1f}/s); "
            f"threshold {classifier.threshold:.4f} ({point}), "
            f"{classifier.model.path.name}{unverified} on {classifier.device}"
        )
