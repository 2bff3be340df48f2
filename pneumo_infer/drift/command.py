"""Run pneumo-infer --drift: compare films and earlier records with the model's validation films."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pneumo_infer.cli.inputs import STDIN, expand
from pneumo_infer.cli.output.console import progress_bar, warn
from pneumo_infer.cli.output.records import Format, to_json
from pneumo_infer.cli.resume.earlier_records import read_answers
from pneumo_infer.drift.comparison import Verdict, compare
from pneumo_infer.drift.reference import read_reference
from pneumo_infer.drift.report import as_dict, as_text
from pneumo_infer.films.source import source_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pneumo_infer.classifier import Classifier
    from pneumo_infer.cli.output.destination import Destination
    from pneumo_infer.films.source import FilmSource

RECORDS_SUFFIX = ".jsonl"
EXIT_CODES = {Verdict.LIKE: 0, Verdict.UNLIKE: 1, Verdict.TOO_FEW: 3}


def check_drift(classifier: Classifier, arguments: Iterable[str], batch_size: int, destination: Destination) -> int:
    """Compare films and records with the model's reference, and write the report.

    Parameters
    ----------
    classifier
        The model.
    arguments
        Films, as for the command line, and files of records, which end in `.jsonl`. Films that have a record are not
        read again.
    batch_size
        Films per run of the network.
    destination
        Where the report goes.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    ModelError
        The model has no reference.
    PneumoError
        A file of records cannot be used, or the report cannot be written.
    """
    reference = read_reference(classifier.model)
    sources = expand(arguments, classifier.limits).films
    destination.require_none_of([*sources, classifier.model.path])
    answers, unreadable = _collect(classifier, sources, batch_size)
    probabilities, distances = zip(*answers, strict=True) if answers else ((), ())
    drift = compare(probabilities, distances, reference, classifier.model.domain_limit)
    model = classifier.model.path.name
    with destination.open() as out:
        if destination.form is Format.JSON:
            out.write(to_json(as_dict(drift, reference, unreadable, model)) + "\n")
        else:
            out.write(as_text(drift, reference, unreadable, model))
    return EXIT_CODES[drift.verdict]


def _collect(
    classifier: Classifier, sources: list[FilmSource], batch_size: int
) -> tuple[list[tuple[float, float]], int]:
    """Return probability and distance of each readable film, and the number of unreadable films."""
    files = [source for source in sources if isinstance(source, str) and source.lower().endswith(RECORDS_SUFFIX)]
    expected = {"model": classifier.model.path.name, "model_sha256": classifier.model.sha256}
    earlier = [answer for file in files for answer in read_answers(Path(file), expected)]
    known = {path for path, _ in earlier if path != STDIN}  # standard input has a different film each time
    films = [source for source in sources if source not in files and source_name(source) not in known]
    answers = [answer for _, answer in earlier if answer is not None]
    unreadable = len(earlier) - len(answers)
    with progress_bar(len(films)) as track:
        for prediction in track(classifier.predict_many(films, batch_size)):
            if prediction.probability is None or prediction.domain_distance is None:
                warn(prediction.error)
                unreadable += 1
            else:
                answers.append((prediction.probability, prediction.domain_distance))
    return answers, unreadable
