"""Release a trained trunk: calibrate it, evaluate it, and save the serving model with its description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pneumo_infer import __version__
from pneumo_infer.files.atomic_write import atomic_write, write_json
from pneumo_infer.files.csv_files import CsvWriter
from pneumo_infer.films.raster import Film
from pneumo_infer.model.info import LABELS
from pneumo_train.console import progress_bar
from pneumo_train.data.batches import TrainingFilms, predict
from pneumo_train.data.decode import DecodedFilms
from pneumo_train.evaluation.corruptions import CORRUPTIONS, measure_corruptions
from pneumo_train.evaluation.deletion import delete_evidence
from pneumo_train.evaluation.metrics import metrics_at_threshold, threshold_free_metrics
from pneumo_train.model.calibration import Calibration, Scores, calibration_error_by_chance
from pneumo_train.model.conformal import fit_uncertain_band
from pneumo_train.model.description import ModelDescription
from pneumo_train.model.network import build_serving_model, rebuild_trunk
from pneumo_train.model.save_keras import round_to_float16, save_deflated
from pneumo_train.model.trained import MODEL_FILE, description_of
from pneumo_train.ood.extra_films import NONE, OtherFilms
from pneumo_train.ood.fit import describe_ood, fit_ood_detector
from pneumo_train.ood.metrics import share_flagged
from pneumo_train.recipe import Recipe
from pneumo_train.release.provenance import describe_data, describe_population, describe_weights
from pneumo_train.release.thresholds import choose_thresholds, measure_degraded
from pneumo_train.report.plots import draw_curves, save
from pneumo_train.style.metrics import describe_style

DEFAULT_OPERATING_POINT = "balanced"


def release_model(
    folder: Path,
    trunk: keras.Model,
    recipe: Recipe,
    weights: str,
    decoded: DecodedFilms,
    films: TrainingFilms,
    history: list[dict[str, Any]],
    known: OtherFilms = NONE,
    outliers: OtherFilms = NONE,
) -> None:
    """Calibrate and choose operating points on validation films, evaluate on test films, and write the results.

    Parameters
    ----------
    folder
        The run folder to write to.
    trunk
        The trained trunk.
    recipe, weights
        The recipe and initial weights that it was trained with.
    decoded, films
        The films, decoded and by split.
    history
        One dict per epoch.
    known, outliers
        Additional in-domain and out-of-domain films for the out-of-distribution detector.
    """
    # Drop mixed precision and distribution, and use the image size of the last phase.
    trunk = rebuild_trunk(trunk, recipe.network, recipe.phases[-1].image_size)
    held_out = {split: rows for split, rows in sorted(films.rows.items()) if split != "train"}
    logit = column_of(trunk, "logit")
    unrounded = logit(films.pixels[held_out["validation"]])
    round_to_float16(trunk)
    logits = {split: logit(films.pixels[rows]) for split, rows in held_out.items()}
    targets = {split: films.targets[rows] for split, rows in held_out.items()}
    calibration, points = choose_thresholds(logit, films.pixels[held_out["validation"]], targets["validation"])
    detector = fit_ood_detector(output_of(trunk, "ood_features"), films, known, outliers)
    model = build_serving_model(trunk, calibration, detector)
    scores = {split: calibration(values) for split, values in logits.items()}
    measured_on = "test" if "test" in held_out else "validation"
    distance = column_of(model, "domain_distance")
    ood = describe_ood(distance, films, measured_on, known, outliers)
    threshold = points[DEFAULT_OPERATING_POINT]["threshold"]
    pixels = films.pixels[held_out[measured_on]]
    corruptions, ood["corrupted"] = _score_corruptions(model, pixels, targets[measured_on], threshold, ood["limit"])
    degraded = measure_degraded(lambda copies: calibration(logit(copies)), pixels, targets[measured_on], threshold)
    metrics = {split: _metrics(targets[split], scores[split], points) for split in held_out}
    heatmap = _describe_heatmap(trunk, decoded, films, held_out[measured_on])
    patients = [film.patient for film in decoded.films]
    style = describe_style(films, patients, measured_on, logits[measured_on], scores[measured_on], threshold)

    save(draw_curves(history), folder / "curves.png")
    _write_predictions(folder / "predictions.csv", decoded, held_out, logits, scores)
    write_json(folder / "metrics.json", metrics)
    save_deflated(model, folder / MODEL_FILE)
    description = ModelDescription.model_validate(
        {
            "version": __version__,
            "labels": LABELS,
            "operating_points": points,
            "default_operating_point": DEFAULT_OPERATING_POINT,
            "uncertain_band": fit_uncertain_band(targets["validation"], scores["validation"]),
            "calibration": _describe_calibration(calibration),
            "ood": ood,
            "metrics": metrics,
            "corruptions": {"measured_on": measured_on, "figures": corruptions},
            "degraded": {"measured_on": measured_on, **degraded},
            "heatmap": {"measured_on": measured_on, **heatmap},
            "style": style,
            "data": describe_data(decoded),
            "population": describe_population(decoded),
            "recipe": recipe,
            "epochs": len(history),
            "weights": describe_weights(weights),
            "rounding": _describe_rounding(calibration(unrounded), scores["validation"], points),
        }
    )
    # Last, because the description marks the model as complete.
    write_json(description_of(folder / MODEL_FILE), description.to_json())


def output_of(model: keras.Model, name: str) -> Callable[[Film], Scores]:
    """Return a function from films to one output of a model, (N, ...).

    The other outputs cost next to nothing, whereas a model of its own for each output would be compiled again.
    """
    return lambda pixels: predict(model, pixels)[name]


def column_of(model: keras.Model, name: str) -> Callable[[Film], Scores]:
    """Return a function from films to one output of a model that has a single value per film, (N,)."""
    output = output_of(model, name)
    return lambda pixels: output(pixels)[:, 0]


def _score_corruptions(
    model: keras.Model, films: Film, targets: Scores, threshold: float, limit: float
) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Evaluate films under each corruption: classification, and share out of domain."""
    distances: list[Scores] = []

    def probability(pixels: Film) -> Scores:
        outputs = predict(model, pixels)
        distances.append(outputs["domain_distance"][:, 0])
        return outputs["probability"][:, 0]  # type: ignore[no-any-return]

    with progress_bar() as bar:
        names = bar.track(CORRUPTIONS, description="evaluating corruptions")
        corruptions = measure_corruptions(probability, films, targets, threshold, names)
    return corruptions, {
        name: share_flagged(values, limit) for name, values in zip(CORRUPTIONS, distances, strict=True)
    }


def _describe_rounding(unrounded: Scores, rounded: Scores, points: dict[str, dict[str, Any]]) -> dict[str, Any]:
    thresholds = [point["threshold"] for point in points.values()]
    return {
        "weights": "rounded to float16, kept as float32",
        "largest_difference": float(np.abs(unrounded - rounded).max()),
        "labels_flipped": sum(int(((unrounded >= t) != (rounded >= t)).sum()) for t in thresholds),
        "measured_on": "validation, all operating points",
    }


def _metrics(targets: Scores, probabilities: Scores, points: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "films": len(targets),
        "pneumonia": int(targets.sum()),
        **threshold_free_metrics(targets, probabilities),
        "calibration_error_by_chance": calibration_error_by_chance(probabilities),
        "operating_points": {
            name: metrics_at_threshold(targets, probabilities, p["threshold"]) for name, p in points.items()
        },
    }


def _describe_calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "method": "Platt scaling, inside the graph",
        "slope": calibration.slope,
        "offset": calibration.offset,
        "fitted_on": "validation",
    }


def _describe_heatmap(
    trunk: keras.Model, decoded: DecodedFilms, films: TrainingFilms, rows: np.ndarray[Any, np.dtype[np.intp]]
) -> dict[str, Any]:
    positives = rows[films.targets[rows] == 1]
    deletion = delete_evidence(films.pixels[positives], column_of(trunk, "logit"), output_of(trunk, "heatmap"))
    return deletion.figures([decoded.films[row].patient for row in positives])


def _write_predictions(
    path: Path,
    decoded: DecodedFilms,
    held_out: dict[str, np.ndarray[Any, np.dtype[np.intp]]],
    logits: dict[str, Scores],
    scores: dict[str, Scores],
) -> None:
    with atomic_write(path) as file:
        writer = CsvWriter(file)
        writer.write_row(["path", "patient", "kind", "split", "label", "logit", "probability"])
        for split, rows in held_out.items():
            for row, logit, probability in zip(rows, logits[split], scores[split], strict=True):
                film = decoded.films[row]
                writer.write_row([film.path, film.patient, film.kind, split, film.label, logit, probability])
