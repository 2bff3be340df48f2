"""Evaluate a model on films that it was not trained on, and write figures and a report."""

from __future__ import annotations

from pathlib import Path

from pneumo_infer.errors import ModelError
from pneumo_infer.files.atomic_write import atomic_write, write_json
from pneumo_train.console import print_line, progress_bar
from pneumo_train.data.decode import decode_films
from pneumo_train.data.index import IndexedFilm, Layout, index_films
from pneumo_train.data.label import Label
from pneumo_train.data.manifest import MANIFEST, read_manifest
from pneumo_train.errors import DataError, RunError
from pneumo_train.evaluation.corruptions import CORRUPTIONS
from pneumo_train.evaluation.deletion import SCORED_BY_DELETION
from pneumo_train.evaluation.evaluation import Evaluation, measure_films
from pneumo_train.evaluation.scorer import Scorer, load_scorer
from pneumo_train.ood.extra_films import read_kinds
from pneumo_train.report.page import write_report


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
    """Evaluate a model, and write `metrics.json` and `report.html`.

    Parameters
    ----------
    model
        A `.keras` or `.onnx` file.
    data
        Root folder of the films.
    output
        Folder for the results.
    operating_point
        Name of the operating point that decides the labels. None selects the default of the model.
    split
        `test`, `validation` or `all`; see `choose_films`.
    layout
        Layout of the films below the root folder.
    corruptions
        Whether to evaluate on corrupted films, too.
    cache
        Folder for decoded films. None selects the user's cache folder.
    ood_films
        Folder of films that should be flagged, with a subfolder for each kind.

    Raises
    ------
    PneumoError
        The model or the films cannot be used, or the results cannot be written.
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
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_json(output / "metrics.json", evaluation.metrics)
        with atomic_write(output / "report.html") as file:
            file.write(write_report(evaluation))
    except OSError as error:
        raise RunError(str(output), f"cannot be written ({error.strerror})", "choose another --output") from error
    return evaluation


def _times_scored(scorer: Scorer, films: list[IndexedFilm], corruptions: int) -> int:
    deleted = SCORED_BY_DELETION * sum(film.is_pneumonia for film in films)
    return len(films) * (1 + corruptions) + deleted


def choose_films(model: Path, data: Path, split: str, layout: Layout) -> list[IndexedFilm]:
    """Choose the films of a split.

    If `split.csv` of the model's run contains films of this data set, that split is used. Otherwise the folder for the
    split is used, or all films if that folder does not exist.

    Raises
    ------
    DataError
        A class has no films in that split.
    """
    films = index_films(data, layout)
    manifest = next((f for f in (model.with_name(MANIFEST), model.parent.parent / MANIFEST) if f.is_file()), None)
    paths = {film.path for film in films}
    own = [film for film in read_manifest(manifest, data) if film.path in paths] if manifest else []
    if split == "all":
        chosen, described = films, "all films in the folder, including any that the model was trained on"
    elif own:
        chosen, described = [f for f in own if f.split == split], f"the {split} films of the model's own split"
    elif any(film.split == split for film in films):
        chosen, described = [f for f in films if f.split == split], f"the films in the {split} folder"
    else:
        chosen, described = films, "all films in the folder; some of them may be training films of the model"
    missing = [label for label in Label if not any(film.label is label for film in chosen)]
    if missing:
        problem = f"has no {missing[0]} films to evaluate on ({described})"
        raise DataError(str(data), problem, "use another --split or --data")
    print_line(f"evaluating on {len(chosen)} films: {described}")
    return chosen


def _operating_point(scorer: Scorer, requested: str | None) -> str:
    points = scorer.description.operating_points
    name = requested or scorer.description.default_operating_point
    if name not in points:
        raise ModelError(scorer.path.name, f"has no operating point {name!r}", f"choose one of {', '.join(points)}")
    return name
