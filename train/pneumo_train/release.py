"""A trained trunk to the model that is handed on: calibrated, measured, and described beside it."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pneumo_infer import __version__
from pneumo_infer.files import write_json, write_whole
from pneumo_infer.images import Film
from pneumo_infer.model import LABELS
from pneumo_train.batches import TrainingFilms, predict
from pneumo_train.calibrate import Calibration, Scores, error_by_chance, fit_calibration
from pneumo_train.compact import round_to_float16, save_deflated
from pneumo_train.conformal import fit_uncertain_band
from pneumo_train.dataset import unnamed_patients
from pneumo_train.deletion import delete_evidence
from pneumo_train.domain_measures import share_flagged
from pneumo_train.domain_release import describe_domain, fit_model_domain
from pneumo_train.gradcam import heatmaps_of
from pneumo_train.measures import choose_operating_points, measure, ranking
from pneumo_train.network import build_serving_model, rebuild_trunk, weights_name
from pneumo_train.other_films import NONE, OtherFilms
from pneumo_train.pixels import DecodedFilms
from pneumo_train.plots import draw_curves, save
from pneumo_train.progress import progress_bar
from pneumo_train.recipe import Recipe
from pneumo_train.stress import SHIFTS, measure_stress
from pneumo_train.style_measures import describe_style
from pneumo_train.trained import MODEL_FILE, description_of

DEFAULT_OPERATING_POINT = "balanced"
PREDICTED_AT_ONCE = 32
APACHE = "Apache-2.0"
# Recognised by its file names, all of which name the patient.
PUBLIC_FILMS = (
    "Chest X-Ray Images (Pneumonia): Kermany, Zhang, Goldbaum, Mendeley Data, doi:10.17632/rscbjbr9sj, CC BY 4.0"
)
# Weights whose licence binds the models that start from them, by the SHA-256 of their file.
KNOWN_WEIGHTS = {
    "61c6a37fd3a49695d0ab835b559c054fbb1328ece35996a4c3559432ec011406": (
        'compressed ResNet-50 of "And the Bit Goes Down" (Stock et al., ICLR 2020), decoded to float32',
        "CC BY-NC 4.0",
    )
}


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
    """Calibrate on validation films, fix the operating points there, measure on the test films, and write it all.

    Parameters
    ----------
    known, outliers
        Given films of the known kind, and of others, for the domain.
    """
    # Without what training alone needs, mixed precision and several devices; on films as large as it last learned on.
    trunk = rebuild_trunk(trunk, recipe.network, recipe.phases[-1].side)
    held_out = {split: rows for split, rows in sorted(films.rows.items()) if split != "train"}
    logit = output_of(trunk, "logit")
    exact = logit(films.pixels[held_out["validation"]])[:, 0]
    round_to_float16(trunk)
    logits = {split: logit(films.pixels[rows])[:, 0] for split, rows in held_out.items()}
    targets = {split: films.targets[rows] for split, rows in held_out.items()}
    calibration, points = choose_thresholds(
        logit, logits["validation"], films.pixels[held_out["validation"]], targets["validation"]
    )
    domain = fit_model_domain(output_of(trunk, "domain_features"), films, known, outliers)
    model = build_serving_model(trunk, calibration, domain)
    scores = {split: calibration(values) for split, values in logits.items()}
    measured_on = "test" if "test" in held_out else "validation"
    distance = output_of(model, "domain_distance")
    domain_described = describe_domain(lambda pixels: distance(pixels)[:, 0], films, measured_on, known, outliers)
    threshold = points[DEFAULT_OPERATING_POINT]["threshold"]
    shifted: list[Scores] = []

    def probability(pixels: Film) -> Scores:
        said = predict(model, pixels, PREDICTED_AT_ONCE)
        shifted.append(said["domain_distance"][:, 0])
        return said["probability"][:, 0]  # type: ignore[no-any-return]

    with progress_bar() as bar:
        shifts = bar.track(SHIFTS, description=f"the {measured_on} films under corruptions")
        stress = measure_stress(
            probability,
            films.pixels[held_out[measured_on]],
            targets[measured_on],
            threshold,
            shifts,
        )
    domain_described["corrupted"] = {
        shift: share_flagged(distances, domain_described["limit"])
        for shift, distances in zip(SHIFTS, shifted, strict=True)
    }
    metrics = {split: _metrics(targets[split], scores[split], points) for split in held_out}
    heatmap = _describe_heatmap(trunk, decoded, films, held_out[measured_on])
    patients = [film.patient for film in decoded.films]
    style = describe_style(films, patients, measured_on, logits[measured_on], scores[measured_on], threshold)

    save(draw_curves(history), folder / "curves.png")
    _write_predictions(folder / "predictions.csv", decoded, held_out, logits, scores)
    write_json(folder / "metrics.json", metrics)
    save_deflated(model, folder / MODEL_FILE)
    # Last, since a model counts as released once its description is there.
    write_json(
        description_of(folder / MODEL_FILE),
        {
            "version": __version__,
            "labels": LABELS,
            "operating_points": points,
            "default_operating_point": DEFAULT_OPERATING_POINT,
            "uncertain_band": fit_uncertain_band(targets["validation"], scores["validation"]).to_dict(),
            "calibration": _describe_calibration(calibration),
            "domain": domain_described,
            "metrics": metrics,
            "stress": {"measured_on": measured_on, "shifts": stress},
            **({"heatmap": {"measured_on": measured_on, **heatmap}} if heatmap else {}),
            **({"style": style} if style else {}),
            "data": _describe_data(decoded),
            "recipe": recipe.model_dump(),
            "epochs": len(history),
            "weights": _describe_weights(weights),
            "rounding": _describe_rounding(calibration(exact), scores["validation"], points),
        },
    )


def choose_thresholds(
    logit: Callable[[Film], Scores], logits: Scores, films: Film, targets: Scores
) -> tuple[Calibration, dict[str, dict[str, Any]]]:
    """Calibrate a trunk on validation films, and fix the operating points on these and their mirror images.

    Parameters
    ----------
    logit
        uint8 (B, 224, 224, 1) to logits, (B, 1).
    logits
        Those of the films, (N,).
    films
        uint8 (N, 224, 224, 1).
    """
    calibration = fit_calibration(logits, targets)
    views = calibration(np.stack([logits, logit(films[:, :, ::-1])[:, 0]]))
    return calibration, choose_operating_points(targets, views, "validation films and their mirror images")


def output_of(model: keras.Model, name: str) -> Callable[[Film], Scores]:
    """One output of a model alone, (N, C), so that what only the others need is not computed."""
    alone = keras.Model(model.input, model.output[name])
    return lambda pixels: predict(alone, pixels, PREDICTED_AT_ONCE)


def _describe_rounding(exact: Scores, rounded: Scores, points: dict[str, dict[str, Any]]) -> dict[str, Any]:
    thresholds = [point["threshold"] for point in points.values()]
    return {
        "weights": "rounded to float16, kept as float32",
        "largest_difference": float(np.abs(exact - rounded).max()),
        "labels_flipped": sum(int(((exact >= t) != (rounded >= t)).sum()) for t in thresholds),
        "measured_on": "validation, all operating points",
    }


def _metrics(targets: Scores, probabilities: Scores, points: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "films": len(targets),
        "pneumonia": int(targets.sum()),
        **ranking(targets, probabilities),
        "calibration_error_by_chance": error_by_chance(probabilities),
        "operating_points": {name: measure(targets, probabilities, p["threshold"]) for name, p in points.items()},
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
) -> dict[str, Any] | None:
    heatmaps = heatmaps_of(trunk)
    if heatmaps is None:
        return None
    logit = output_of(trunk, "logit")
    ill = rows[films.targets[rows] == 1]
    deletion = delete_evidence(films.pixels[ill], lambda pixels: logit(pixels)[:, 0], heatmaps)
    return deletion.figures([decoded.films[row].patient for row in ill])


def _describe_data(decoded: DecodedFilms) -> dict[str, Any]:
    counts = Counter((film.split, film.label) for film in decoded.films)
    return {
        "source": PUBLIC_FILMS if unnamed_patients(decoded.films) == 0 else "Films of the user's own",
        "fingerprint": decoded.fingerprint(),
        "films": {f"{split} {label}": count for (split, label), count in sorted(counts.items())},
        "patients": dict(sorted(Counter(s for s, _ in {(f.split, f.patient) for f in decoded.films}).items())),
        "unreadable": len(decoded.unreadable),
    }


def _describe_weights(weights: str) -> dict[str, str]:
    if weights in ("imagenet", "none"):
        source = "Keras Applications, ImageNet" if weights == "imagenet" else "random"
        return {"name": weights, "source": source, "licence": APACHE}
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    source, licence = KNOWN_WEIGHTS.get(digest, ("a file of the user's", "that of the weights file"))
    return {"name": weights_name(weights), "sha256": digest, "source": source, "licence": licence}


def _write_predictions(
    path: Path,
    decoded: DecodedFilms,
    held_out: dict[str, np.ndarray[Any, np.dtype[np.intp]]],
    logits: dict[str, Scores],
    scores: dict[str, Scores],
) -> None:
    with write_whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "patient", "kind", "split", "label", "logit", "probability"])
        for split, rows in held_out.items():
            for row, logit, probability in zip(rows, logits[split], scores[split], strict=True):
                film = decoded.films[row]
                writer.writerow([film.path, film.patient, film.kind, split, film.label, logit, probability])
