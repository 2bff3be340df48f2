"""A model that relies on style is worse on atypical films, and its logit correlates with the style score."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from pneumo_train.data.batches import TrainingFilms
from pneumo_train.evaluation.metrics import wilson_interval
from pneumo_train.style.metrics import describe_style, measure_own_style, measure_style

Floats = NDArray[np.float32]
FILMS = 400


def made(of_style: float, of_label: float) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Logits, targets and style scores: a logit is a sum of style, label and chance; a tenth of films are atypical."""
    rng = np.random.default_rng(0)
    targets = (np.arange(FILMS) % 4 > 0).astype(np.float32)
    points_to = np.where(rng.random(FILMS) < 0.1, 1 - targets, targets)
    style = np.clip(rng.normal(0.1 + 0.8 * points_to, 0.2), 0.01, 0.99)
    style = np.where(points_to == 1, style.clip(0.5), style.clip(max=0.49))
    logits = of_style * (style - 0.5) + of_label * (targets - 0.5) + rng.normal(0, 0.5, FILMS)
    return logits.astype(np.float32), targets, style


def films_of_two_styles(patients: int) -> tuple[TrainingFilms, list[str]]:
    """Noise, two films of each patient, in two of three patients of PNEUMONIA with less contrast; a fifth held out."""
    rng = np.random.default_rng(0)
    targets = np.repeat((np.arange(patients) % 2).astype(np.float32), 2)
    low = (targets == 1) & (np.arange(len(targets)) // 4 % 3 > 0)
    pixels = rng.normal(128, np.where(low, 10, 30)[:, None, None, None], (len(targets), 224, 224, 1))
    held_out = np.arange(len(targets)) // 4 % 5 == 0
    rows = {"train": np.flatnonzero(~held_out), "validation": np.flatnonzero(held_out)}
    films = TrainingFilms(pixels.clip(0, 255).astype(np.uint8), targets, rows)
    return films, [str(film // 2) for film in range(len(targets))]


def measured(logits: Floats, targets: Floats, style: NDArray[np.float64], patients: int = FILMS // 2) -> dict[str, Any]:
    names = [str(film % patients) for film in range(len(targets))]
    return measure_style(logits, expit(logits), targets, names, style, 0.5)


def test_what_reads_style_fails_on_atypical_films() -> None:
    found = measured(*made(of_style=6, of_label=0.5))
    assert found["atypical"]["auc"]["value"] < 0.5
    assert found["typical"]["auc"]["value"] > 0.95
    assert found["atypical"]["sensitivity"]["value"] < 0.5 < found["typical"]["sensitivity"]["value"]
    assert found["atypical"]["specificity"]["value"] < 0.5 < found["typical"]["specificity"]["value"]
    assert min(found["correlation"].values()) > 0.8


def test_what_reads_the_label_does_not() -> None:
    found = measured(*made(of_style=0, of_label=4))
    assert found["atypical"]["auc"]["value"] == pytest.approx(found["typical"]["auc"]["value"], abs=0.02)
    assert max(abs(value) for value in found["correlation"].values()) < 0.15


def test_every_film_is_counted_once_and_figures_have_intervals() -> None:
    logits, targets, style = made(of_style=3, of_label=1)
    found = measured(logits, targets, style)
    counts = [found[group]["films"] for group in ("typical", "atypical")]
    assert {label: sum(count[label] for count in counts) for label in counts[0]} == {"NORMAL": 100, "PNEUMONIA": 300}
    atypical_normal = (targets == 0) & (style >= 0.5)
    assert counts[1]["NORMAL"] == atypical_normal.sum()
    right = int((logits[atypical_normal] < 0).sum())
    specificity = found["atypical"]["specificity"]
    assert specificity == {
        "value": right / counts[1]["NORMAL"],
        "interval": wilson_interval(right, counts[1]["NORMAL"]),
    }
    for group in ("typical", "atypical"):
        low, high = found[group]["auc"]["interval"]
        assert 0 <= low < found[group]["auc"]["value"] < high <= 1
    json.dumps(found, allow_nan=False)


def test_what_a_missing_class_would_tell_is_none() -> None:
    targets = np.array([0] * 6 + [1] * 6, np.float32)
    style = np.where(targets == 1, 0.9, 0.1) + np.linspace(-0.05, 0.05, 12)
    style[0] = 0.7  # the only atypical film is NORMAL
    found = measured(np.linspace(-2, 2, 12, dtype=np.float32), targets, style, patients=12)
    assert found["atypical"]["films"] == {"NORMAL": 1, "PNEUMONIA": 0}
    assert found["atypical"]["auc"] is found["atypical"]["sensitivity"] is None
    assert found["atypical"]["specificity"]["value"] == 1
    assert found["typical"]["auc"]["value"] == 1
    json.dumps(found, allow_nan=False)


def test_few_patients_and_scores_that_are_all_alike_tell_no_correlation() -> None:
    logits, targets, style = made(of_style=3, of_label=1)
    of_three = measured(logits, targets, style, patients=3)
    assert of_three["typical"]["auc"] is of_three["atypical"]["auc"] is None
    assert of_three["correlation"] == {"NORMAL": None, "PNEUMONIA": None}
    alike = measured(logits, targets, np.full(FILMS, 0.5))
    assert alike["correlation"] == {"NORMAL": None, "PNEUMONIA": None}


def test_a_release_is_measured_by_the_style_of_its_training_films() -> None:
    films, patients = films_of_two_styles(80)
    held_out = films.rows["validation"]
    contrast = films.pixels[held_out].std(axis=(1, 2, 3), dtype=np.float32)
    logits = (20 - contrast) / 10  # what knows nothing but style
    found = describe_style(films, patients, "validation", logits, expit(logits), 0.5)
    assert found is not None
    assert found["measured_on"] == "validation"
    assert found["style_auc"]["value"] == pytest.approx(5 / 6, abs=0.05)
    low, high = found["style_auc"]["interval"]
    assert low < found["style_auc"]["value"] < high
    positive = films.targets[held_out] == 1
    assert found["typical"]["films"]["NORMAL"] == pytest.approx((~positive).sum(), abs=2)
    assert found["atypical"]["films"]["PNEUMONIA"] == pytest.approx((positive & (contrast > 20)).sum(), abs=2)
    assert found["typical"]["sensitivity"]["value"] > 0.8
    assert found["atypical"]["sensitivity"]["value"] < 0.2
    assert found["correlation"]["PNEUMONIA"] > 0.8
    json.dumps(found, allow_nan=False)


def test_any_films_are_measured_by_their_own_style_out_of_fold() -> None:
    films, patients = films_of_two_styles(60)
    logits = (20 - films.pixels.std(axis=(1, 2, 3), dtype=np.float32)) / 10
    found = measure_own_style(films.pixels, logits, expit(logits), films.targets, patients, 0.5)
    assert found is not None
    figures, style = found
    assert figures["style_auc"]["value"] == pytest.approx(5 / 6, abs=0.05)
    assert style.shape == films.targets.shape
    positive = films.targets == 1
    assert figures["atypical"]["films"]["PNEUMONIA"] == (style[positive] < 0.5).sum()
    assert ((style[positive] < 0.5) == (logits[positive] < 0)).mean() > 0.9


def test_films_of_too_few_patients_have_no_style() -> None:
    films, patients = films_of_two_styles(48)
    logits = np.zeros(len(films.targets), np.float32)
    assert measure_own_style(films.pixels, logits, logits, films.targets, patients, 0.5) is None
    held_out = logits[films.rows["validation"]]
    assert describe_style(films, patients, "validation", held_out, held_out, 0.5) is None
