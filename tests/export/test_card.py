"""The model card says what was measured, and the one that ships is what the exporter writes now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest

from pneumo_export.card.card import model_card
from pneumo_infer import __version__
from pneumo_infer.model.checksum import file_digest
from pneumo_train.model.description import ModelDescription
from pneumo_train.model.trained import TrainedModel, description_of, read_description

SHIPPED = Path(__file__).parents[2] / "models" / "pneumo-resnet50.keras"
FIGURES = ("auc", "sensitivity", "specificity")
FIGURE = {"value": 0.9, "interval": [0.85, 0.95]}


@pytest.fixture(scope="session")
def described(tiny_run: Path) -> ModelDescription:
    return read_description(tiny_run / "model.keras")


def card_of(described: ModelDescription, **changes: Any) -> list[str]:
    """The lines of a card with other figures, without what the parity checks add."""
    changed = ModelDescription.checked("model.json", described.to_json() | changes)
    return model_card(TrainedModel(SHIPPED, keras.Sequential(), changed, "abc"), [], {}, {}).splitlines()


@pytest.mark.parametrize(("ratio", "shown"), [(1.234, "1.23 [1.00, 1.50]"), (None, "none [1.00, none]")])
def test_the_deletion_test_is_in_the_card(described: ModelDescription, ratio: float | None, shown: str) -> None:
    heatmap = described.to_json()["heatmap"] | {
        "films": 390,
        "size": 14,
        "ratio": {"value": ratio, "interval": [1.0, 1.5 if ratio else None]},
        "hottest_inside_lungs": {"value": 0.91, "interval": [0.88, 0.94]},
    }
    lines = card_of(described, heatmap=heatmap)
    assert any("390 PNEUMONIA films among the test films" in line for line in lines)
    assert f"| ratio of the two | {shown} |" in lines
    assert "| hottest of 14 x 14 cells inside the lung field | 91.0% [88.0%, 94.0%] |" in lines


def test_acquisition_style_is_in_the_card(described: ModelDescription) -> None:
    assert not any("Acquisition style" in line for line in card_of(described, style=None))
    style = {
        "measured_on": "test",
        "style_auc": {"value": 0.961, "interval": [0.955, 0.967]},
        "threshold": 0.5,
        "typical": {"films": {"NORMAL": 121, "PNEUMONIA": 358}, **dict.fromkeys(FIGURES, FIGURE)},
        "atypical": {"films": {"NORMAL": 14, "PNEUMONIA": 0}, **dict.fromkeys(FIGURES), "specificity": FIGURE},
        "correlation": {"NORMAL": 0.4567, "PNEUMONIA": None},
    }
    lines = card_of(described, style=style)
    assert any("ROC AUC 0.961 [0.955, 0.967] (gradient" in line for line in lines)
    cells = "0.900 [0.850, 0.950]"
    assert f"| typical | 121 | 358 | {cells} | {cells} | {cells} |" in lines
    assert f"| atypical | 14 | 0 | none | none | {cells} |" in lines
    assert any("within a class: NORMAL 0.46, PNEUMONIA none." in line for line in lines)


def test_flagged_films_are_in_the_card_with_intervals(described: ModelDescription) -> None:
    row = {"films": 54, "share": 0.5, "interval": [0.4, 0.6]}
    ood = described.to_json()["ood"] | {"also_fitted_on": ["other films in adults"]}
    ood |= {"flagged": {"films as they are": row}, "corrupted": {"JPEG quality 15": row}}
    lines = card_of(described, ood=ood)
    assert "| films as they are | 54 | 50.0% [40.0%, 60.0%] |" in lines
    assert "| JPEG quality 15 | 54 | 50.0% [40.0%, 60.0%] |" in lines
    assert any("every second film of these: other films in adults" in line for line in lines)
    assert any("accepts 98.5% of the validation films" in line for line in lines)


def test_every_table_has_as_many_cells_in_each_row_as_in_its_head(described: ModelDescription) -> None:
    columns = None
    for line in card_of(described):
        cells = line.count("|") if line.startswith("|") else None
        assert cells == columns or columns is None or cells is None, line
        columns = cells


MARKUP = "[/b]<script>|`a`\\\u202e\x1b[31m\n# NORMAL"
ESCAPED = r"\[/b]\<script>\|\`a\`\\\\u202e\\x1b\[31m\\n# NORMAL"


def test_markup_in_names_is_escaped_wherever_it_comes_from(described: ModelDescription) -> None:
    plain = described.to_json()
    row = {"films": 54, "share": 0.5, "interval": [0.4, 0.6]}
    figures = dict.fromkeys(FIGURES, 0.5)
    lines = card_of(
        described,
        recipe=plain["recipe"] | {"summary": MARKUP},
        weights=plain["weights"] | {"source": MARKUP, "licence": MARKUP},
        data=plain["data"] | {"source": MARKUP},
        calibration=plain["calibration"] | {"method": MARKUP, "fitted_on": MARKUP},
        ood=plain["ood"] | {"method": MARKUP, "also_fitted_on": [MARKUP], "flagged": {MARKUP: row}},
        corruptions=plain["corruptions"] | {"figures": {MARKUP: figures}},
        population={"age_years": [1, 5], "views": [MARKUP]},
    )
    text = "\n".join(lines)
    assert text.count(ESCAPED) >= 14
    assert text.replace(ESCAPED, "").isascii()
    assert "script" not in text.replace(ESCAPED, "")
    assert [line for line in lines if not line.isprintable()] == []
    assert f"| {ESCAPED} | 54 | 50.0% [40.0%, 60.0%] |" in lines


def test_the_card_that_ships_is_what_the_exporter_writes_now() -> None:
    if json.loads(description_of(SHIPPED).read_text())["version"] != __version__:
        pytest.skip("the model that ships was made by another version")
    shipped = SHIPPED.with_name("MODEL_CARD.md").read_text().splitlines()
    source = TrainedModel(SHIPPED, keras.Sequential(), read_description(SHIPPED), file_digest(SHIPPED))
    written = model_card(source, [], {}, {}).splitlines()
    assert [line for line in written if line not in shipped] == []
