"""Measures a model on films that it has not learned from, and writes figures and a report."""

from __future__ import annotations

from pathlib import Path

from pneumo_infer.atomic_write import atomic_write, write_json
from pneumo_infer.errors import ModelError
from pneumo_infer.model.info import LABELS
from pneumo_train.data.decode import decode_films
from pneumo_train.data.index import IndexedFilm, Layout, index_films
from pneumo_train.data.split import MANIFEST, read_manifest
from pneumo_train.errors import DataError
from pneumo_train.evaluation.corruptions import CORRUPTIONS
from pneumo_train.evaluation.deletion import SCORED_BY_DELETION
from pneumo_train.evaluation.evaluation import Evaluation, measure_films
from pneumo_train.evaluation.scorer import Scorer, load_scorer
from pneumo_train.ood.extra_films import read_kinds
from pneumo_train.report.page import write_report
from pneumo_train.training.progress import console, progress_bar


def evaluate(
    model: Path,
    data: Path,
    output: Path,
    operating_point: str | None,
    split: str,
    layout: Layout,
    corruptions: bool,
    cache: Path | None,
    ood_films: Path | None = None,
) -> Evaluation:
    """Measure a model and write `metrics.json` and `report.html`.

    Parameters
    ----------
    model
        A `.keras` or `.onnx` file.
    data
        Root of the films. If `split.csv` of the model's own run lies beside it and names these films, only those of
        the named split are read; else those of a `test` folder; else all.
    operating_point
        Its threshold decides the labels; the model's default one if None.
    split
        `test`, `validation` or `all`.
    layout
        How the films are laid out below the root.
    corruptions
        Whether to measure under `corruptions.CORRUPTIONS` too.
    ood_films
        Folder of films that should be flagged, a sub-folder for each kind.

    Raises
    ------
    PneumoError
        The model or the films cannot be used.
    """
    scorer = load_scorer(model)
    point = _operating_point(scorer, operating_point)
    others = read_kinds(ood_films) if ood_films else {}
    chosen = choose_films(model, data, split, layout)
    with progress_bar() as bar:
        decoding = bar.add_task("decoding films", total=len(chosen))
        decoded = decode_films(data, chosen, cache, lambda: bar.advance(decoding))
        names = list(CORRUPTIONS) if corruptions else []
        scoring = bar.add_task("scoring films", total=_times_scored(scorer, decoded.films, len(names)))
        evaluation = measure_films(scorer, decoded, point, names, lambda count: bar.advance(scoring, count), others)
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "metrics.json", evaluation.metrics)
    with atomic_write(output / "report.html") as file:
        file.write(write_report(evaluation))
    return evaluation


def _times_scored(scorer: Scorer, films: list[IndexedFilm], corruptions: int) -> int:
    deleted = SCORED_BY_DELETION * sum(film.is_pneumonia for film in films)
    return len(films) * (1 + corruptions) + deleted


def choose_films(model: Path, data: Path, split: str, layout: Layout) -> list[IndexedFilm]:
    """Choose films that the model has not learned from, where the model's own split or a test folder tells them.

    Raises
    ------
    DataError
        There is no film of that split, or one class of it is missing.
    """
    films = index_films(data, layout)
    manifest = next((f for f in (model.with_name(MANIFEST), model.parent.parent / MANIFEST) if f.is_file()), None)
    given = {film.path for film in films}
    own = [film for film in read_manifest(manifest) if film.path in given] if manifest else []
    if split == "all":
        chosen, said = films, "all films of the folder, also those that the model may have learned from"
    elif own:
        chosen, said = [film for film in own if film.split == split], f"the {split} films of the model's own split"
    elif any(film.split == split for film in films):
        chosen, said = [film for film in films if film.split == split], f"the films in the {split} folder"
    else:
        chosen, said = films, "all films of the folder: nothing says which of them the model has learned from"
    missing = [label for label in LABELS if not any(film.label == label for film in chosen)]
    if missing:
        problem = f"has no {missing[0]} film to measure on ({said})"
        raise DataError(str(data), problem, "choose another --split or --data")
    console.print(f"measuring on {len(chosen)} films: {said}", highlight=False)
    return chosen


def _operating_point(scorer: Scorer, wanted: str | None) -> str:
    points = scorer.description.operating_points
    name = wanted or scorer.description.default_operating_point
    if name not in points:
        raise ModelError(scorer.path.name, f"has no operating point {name!r}", f"choose one of {', '.join(points)}")
    return name
