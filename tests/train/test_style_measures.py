"""What relies on style is worse on atypical films, and its logit follows the style score."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from pneumo_train.measures import wilson_interval
from pneumo_train.style_measures import measure_style

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
    assert found["style_auc"] == measured(*made(of_style=6, of_label=0.5))["style_auc"]


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
    assert of_three["typical"]["auc"] is of_three["style_auc"] is None
    assert of_three["correlation"] == {"NORMAL": None, "PNEUMONIA": None}
    alike = measured(logits, targets, np.full(FILMS, 0.5))
    assert alike["correlation"] == {"NORMAL": None, "PNEUMONIA": None}
