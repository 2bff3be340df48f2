"""Measures a model on films that it has not learned from, and writes figures and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from pneumo_infer.errors import ModelError
from pneumo_infer.files import write_json, write_whole
from pneumo_infer.model import LABELS
from pneumo_train.calibrate import Scores
from pneumo_train.conformal import UncertainBand
from pneumo_train.dataset import IndexedFilm, Layout, index_films
from pneumo_train.errors import DataError
from pneumo_train.evaluate import bootstrap_by_patient, measure, ranking, wilson_interval
from pneumo_train.pixels import DecodedFilms, decode_films
from pneumo_train.progress import console, progress_bar
from pneumo_train.scorer import Scored, Scorer, load_scorer
from pneumo_train.splits import MANIFEST, read_manifest
from pneumo_train.stress import SHIFTS, measure_stress

KINDS = {"bacteria": "bacterial", "virus": "viral"}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model, the films it was measured on, and what came out.

    Attributes
    ----------
    films
        Decoded, in the order of `targets` and `scored`.
    targets
        float32 (N,), 1 for PNEUMONIA.
    operating_point
        The one that decides labels in this report; its threshold was fixed before.
    metrics
        All figures, JSON-ready.
    """

    scorer: Scorer
    films: DecodedFilms
    targets: Scores
    scored: Scored
    operating_point: str
    metrics: dict[str, Any]

    @property
    def threshold(self) -> float:
        return float(self.scorer.description["operating_points"][self.operating_point]["threshold"])

    def outcome(self, called: bool, ill: bool) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Rows of films that were called so and are so, the most confident first."""
        probabilities = self.scored.probabilities
        rows = np.flatnonzero(((probabilities >= self.threshold) == called) & ((self.targets == 1) == ill))
        return rows[np.argsort(-probabilities[rows] if called else probabilities[rows], kind="stable")]


def evaluate(
    model: Path,
    data: Path,
    output: Path,
    operating_point: str | None,
    split: str,
    layout: Layout,
    stress: bool,
    cache: Path | None,
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
    stress
        Whether to measure under the shifts of `stress.SHIFTS` too.

    Raises
    ------
    PneumoError
        The model or the films cannot be used.
    """
    from pneumo_train.report import write_report

    scorer = load_scorer(model)
    point = _operating_point(scorer, operating_point)
    chosen = choose_films(model, data, split, layout)
    with progress_bar() as bar:
        decoding = bar.add_task("decoding films", total=len(chosen))
        decoded = decode_films(data, chosen, cache, lambda: bar.advance(decoding))
        shifts = list(SHIFTS) if stress else []
        scoring = bar.add_task("scoring films", total=len(decoded.films) * (1 + len(shifts)))
        evaluation = measure_films(scorer, decoded, point, shifts, lambda count: bar.advance(scoring, count))
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "metrics.json", evaluation.metrics)
    with write_whole(output / "report.html") as file:
        file.write(write_report(evaluation))
    return evaluation


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


def measure_films(
    scorer: Scorer, decoded: DecodedFilms, operating_point: str, shifts: list[str], on_films: Callable[[int], object]
) -> Evaluation:
    """Score the films, as they are and under each shift, and measure everything."""
    targets = np.array([film.is_pneumonia for film in decoded.films], dtype=np.float32)
    scored = scorer.score(decoded.pixels, on_films)
    threshold = scorer.description["operating_points"][operating_point]["threshold"]
    patients = [film.patient for film in decoded.films]
    metrics: dict[str, Any] = {
        "model": scorer.path.name,
        "default_operating_point": operating_point,
        "films": len(targets),
        "patients": len(set(patients)),
        "classes": dict(Counter(film.label for film in decoded.films)),
        **ranking(targets, scored.probabilities),
        "intervals": bootstrap_by_patient(targets, scored.probabilities, patients, threshold),
        "operating_points": {
            name: measure(targets, scored.probabilities, point["threshold"])
            for name, point in scorer.description["operating_points"].items()
        },
        "kinds": _sensitivity_by_kind(decoded.films, scored.probabilities >= threshold),
        "calibration": {
            "before": ranking(targets, np.asarray(expit(scored.logits), dtype=np.float32)),
            "after": ranking(targets, scored.probabilities),
        },
        "unreadable": decoded.unreadable,
    }
    if scorer.uncertain_band:
        metrics["uncertain"] = _measure_band(scorer.uncertain_band, targets, scored.probabilities, threshold)
    missed = np.flatnonzero((targets == 1) & (scored.probabilities < threshold))
    metrics["false_negatives"] = [
        {"path": decoded.films[row].path, "probability": float(scored.probabilities[row])} for row in missed
    ]
    metrics["stress"] = measure_stress(
        lambda films: scorer.score(films, on_films).probabilities, decoded.pixels, targets, threshold, shifts
    )
    return Evaluation(scorer, decoded, targets, scored, operating_point, metrics)


def _operating_point(scorer: Scorer, wanted: str | None) -> str:
    points = scorer.description["operating_points"]
    name = str(wanted or scorer.description["default_operating_point"])
    if name not in points:
        raise ModelError(scorer.path.name, f"has no operating point {name!r}", f"choose one of {', '.join(points)}")
    return name


def _sensitivity_by_kind(films: list[IndexedFilm], called: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
    figures = {}
    for kind, name in KINDS.items():
        of_kind = np.array([film.kind == kind for film in films])
        total, found = int(of_kind.sum()), int((of_kind & called).sum())
        if total:
            figures[name] = {"films": total, "sensitivity": found / total, "interval": wilson_interval(found, total)}
    return figures


def _measure_band(band: UncertainBand, targets: Scores, probabilities: Scores, threshold: float) -> dict[str, Any]:
    uncertain = (probabilities >= band.low) & (probabilities <= band.high)
    certain = ~uncertain
    return {
        "low": band.low,
        "high": band.high,
        "films": int(uncertain.sum()),
        "share": float(uncertain.mean()),
        "called_otherwise": {
            LABELS[0]: float((certain & (probabilities > band.high))[targets == 0].mean()),
            LABELS[1]: float((certain & (probabilities < band.low))[targets == 1].mean()),
        },
        "certain": measure(targets[certain], probabilities[certain], threshold) if certain.any() else None,
    }
