"""The model card: what it says of measurements, and that the one that ships is what the exporter writes now."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import pytest

from pneumo_export.card.card import model_card
from pneumo_train.model.trained import TrainedModel, description_of

KERAS_FILE = Path(__file__).parents[2] / "models" / "pneumo-resnet50.keras"
FIGURES = ("auc", "sensitivity", "specificity")


def card_of(described: dict[str, Any]) -> str:
    """The card but for what the proof of the exported files adds."""
    sha256 = hashlib.sha256(KERAS_FILE.read_bytes()).hexdigest()
    return model_card(TrainedModel(KERAS_FILE, keras.Sequential(), described, sha256), [], {}, {})


@pytest.mark.parametrize(("ratio", "said"), [(1.234, "1.23 [1.00, 1.50]"), (None, "none [1.00, none]")])
def test_the_card_says_what_the_deletion_test_found(ratio: float | None, said: str) -> None:
    described = json.loads(description_of(KERAS_FILE).read_text())
    described.pop("heatmap", None)
    assert "deletion test" not in card_of(described).lower()
    described["heatmap"] = {
        "measured_on": "test",
        "films": 390,
        "size": 14,
        "blank_maps": 0,
        "deleted_share": 0.2,
        "blur_sigma": 16,
        "fall_without_hottest": {"value": 2.0, "interval": [1.9, 2.1]},
        "fall_without_random": {"value": 0.5, "interval": [0.4, 0.6]},
        "ratio": {"value": ratio, "interval": [1.0, 1.5 if ratio else None]},
        "hottest_inside_lungs": {"value": 0.91, "interval": [0.88, 0.94]},
        "lungs_cover": 0.3,
    }
    card = card_of(described)
    assert "390 PNEUMONIA films among the test films" in card
    assert f"| ratio of the two | {said} |" in card.splitlines()
    assert "| hottest of 14 x 14 cells inside the lung field | 91.0% [88.0%, 94.0%] |" in card.splitlines()


def test_the_card_says_what_style_does_to_the_figures() -> None:
    described = json.loads(description_of(KERAS_FILE).read_text())
    described.pop("style", None)
    assert "atypical" not in card_of(described)
    figure = {"value": 0.9, "interval": [0.85, 0.95]}
    described["style"] = {
        "measured_on": "test",
        "style_auc": {"value": 0.961, "interval": [0.955, 0.967]},
        "threshold": 0.5,
        "typical": {"films": {"NORMAL": 121, "PNEUMONIA": 358}, **dict.fromkeys(FIGURES, figure)},
        "atypical": {"films": {"NORMAL": 14, "PNEUMONIA": 0}, **dict.fromkeys(FIGURES), "specificity": figure},
        "correlation": {"NORMAL": 0.4567, "PNEUMONIA": None},
    }
    described["degraded"] = {"measured_on": "test", "expected_calibration_error": 0.0321, **dict.fromkeys(FIGURES, 0.9)}
    card = card_of(described)
    assert "ROC AUC 0.961 [0.955, 0.967] (gradient boosting" in card
    assert "Measured on the test films" in card
    cells = "0.900 [0.850, 0.950]"
    assert f"| typical | 121 | 358 | {cells} | {cells} | {cells} |" in card.splitlines()
    assert f"| atypical | 14 | 0 | none | none | {cells} |" in card.splitlines()
    assert "within a class: NORMAL 0.46, PNEUMONIA none." in card
    assert "copies of the test films" in card
    assert "calibration error 0.032." in card


def test_the_card_that_ships_says_what_the_exporter_says_now() -> None:
    ships = KERAS_FILE.with_name("MODEL_CARD.md").read_text().splitlines()
    written = card_of(json.loads(description_of(KERAS_FILE).read_text())).splitlines()
    # That of 0.1 has a column more in the table of phases.
    assert [line for line in written if not any(shipped.startswith(line) for shipped in ships)] == []


def test_the_card_says_what_is_flagged_with_intervals() -> None:
    described = json.loads(description_of(KERAS_FILE).read_text())
    row = {"films": 54, "share": 0.5, "interval": [0.4, 0.6]}
    described["ood"] |= {"accepted": 0.985, "fitted_on_too": ["other films in adults"]}
    described["ood"] |= {"flagged": {"films as they are": row}, "corrupted": {"JPEG quality 15": row}}
    lines = card_of(described).splitlines()
    assert "| films as they are | 54 | 50.0% [40.0%, 60.0%] |" in lines
    assert "| JPEG quality 15 | 54 | 50.0% [40.0%, 60.0%] |" in lines
    assert any("lets 98.5% of the validation films" in line and "other films in adults" in line for line in lines)
