"""Run pneumo-infer with parsed options. Heavy modules are imported only when needed."""

from __future__ import annotations

import sys
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pneumo_infer.cli.exit_codes import exit_codes
from pneumo_infer.cli.output.console import Tally, progress_bar, warn
from pneumo_infer.cli.output.destination import Destination
from pneumo_infer.cli.output.records import Format, to_json, write_records
from pneumo_infer.cli.start import raise_if_interrupted
from pneumo_infer.cli.streams import discard, open_standard_output, prepare_streams
from pneumo_infer.limits import LIMITS, Limits

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier

SAMPLES = Path(__file__).parents[1] / "samples"


class DeviceChoice(StrEnum):
    """The value of --device."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True)
class Command:
    """The parsed arguments and options; see `pneumo-infer --help`."""

    films: tuple[str, ...]
    model: Path | None = None
    threshold: str | None = None
    device: DeviceChoice = DeviceChoice.AUTO
    threads: int | None = None
    batch_size: int = 16
    form: Format = Format.TABLE
    output: Path | None = None
    resume: Path | None = None
    heatmap: Path | None = None
    limits: Limits = LIMITS
    isolate: bool = False
    info: bool = False
    drift: bool = False
    explain: bool = False
    save_inputs: Path | None = None

    def run(self) -> int:
        """Run the command and return its exit code.

        Raises
        ------
        SystemExit
            An error or an interrupt ended the command.
        """
        prepare_streams(for_csv=self.form is Format.CSV)
        destination = Destination(self.form, self.output, self.resume)
        with exit_codes("pneumo-infer", lambda: "no report" if self.drift else destination.after_interrupt()):
            return self._run(destination)

    def _run(self, destination: Destination) -> int:
        # A film above Pillow's own limit has an error in its record; Pillow's warning would only repeat it.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            classifier = self._open_classifier()
            raise_if_interrupted()
            if self.info:
                self._print_info(classifier)
            if self.drift:
                from pneumo_infer.drift.command import check_drift

                return check_drift(classifier, self.films, self.batch_size, destination)
            if self.explain:
                return self._explain(classifier, destination)
            has_errors = self.films and self._read_films(classifier, destination)
        except BrokenPipeError:  # the reading process, such as `head`, has closed the pipe
            discard(sys.stdout)
            return 0
        return 1 if has_errors else 0

    def _open_classifier(self) -> Classifier:
        from pneumo_infer.classifier import Classifier
        from pneumo_infer.decision import number_or_name

        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always", RuntimeWarning)
            classifier = Classifier(
                self.model,
                device=self.device.value,
                threads=self.threads,
                threshold=number_or_name(self.threshold),
                limits=self.limits,
                isolate=self.isolate,
            )
        for warning in raised:
            warn(warning.message)
        return classifier

    def _explain(self, classifier: Classifier, destination: Destination) -> int:
        from pneumo_infer.cli.inputs import expand
        from pneumo_infer.cli.output.explain import explain_films

        films = expand(self.films, self.limits).films
        destination.require_none_of([*films, classifier.model.path])
        with destination.open() as out:
            return int(explain_films(classifier, films, self.form, self.save_inputs, out))

    def _print_info(self, classifier: Classifier) -> None:
        from pneumo_infer.cli.output.info import as_text, describe

        description = describe(classifier)
        with open_standard_output() as out:
            out.write(f"{to_json(description) if self.form is Format.JSON else as_text(description)}\n")

    def _read_films(self, classifier: Classifier, destination: Destination) -> bool:
        """Classify all films. Return True if a film was unreadable or an overlay was not written."""
        from pneumo_infer.cli.inputs import expand

        inputs = expand(self.films, self.limits)
        films = inputs.films
        destination.require_none_of([*films, classifier.model.path])
        tally = Tally()
        with ExitStack() as stack:
            if destination.resume:
                from pneumo_infer.cli.resume.resume import resuming

                films, file = stack.enter_context(resuming(destination.resume, films, classifier))
            track = stack.enter_context(progress_bar(len(films)))
            predictions = track(tally.count(classifier.predict_many(films, self.batch_size)))
            if self.heatmap:
                from pneumo_infer.cli.output.overlays import write_overlays

                predictions = write_overlays(predictions, films, self.heatmap, self.limits, tally.report_overlay)
            out = file if destination.resume else stack.enter_context(destination.open())
            write_records(predictions, destination.form, out)
        if destination.form is Format.TABLE:
            warn(tally.closing_line(classifier, inputs.other_files))
        return bool(tally.unreadable or tally.failed_overlays)
