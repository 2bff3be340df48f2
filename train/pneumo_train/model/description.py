"""The description of a model next to its Keras file: that of its ONNX files, and how it was trained and measured."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pneumo_train.model.file_description import Decisions, FileDescription, OperatingPoint, Part, Ranking
from pneumo_train.recipe import Recipe


class CorruptionFigures(Part):
    """Figures under one corruption, at the default operating point."""

    auc: float
    sensitivity: float
    specificity: float


class Corruptions(Part):
    """Figures under each corruption."""

    measured_on: str
    figures: dict[str, CorruptionFigures]


class Degraded(Ranking, Decisions):
    """Figures on degraded copies of held-out films."""

    measured_on: str


class Figure(Part):
    """A figure with its 95 % interval. Undefined values are None."""

    value: float | None
    interval: tuple[float | None, float | None]


class Heatmap(Part):
    """Results of the deletion test of heatmaps with `size` x `size` cells."""

    measured_on: str
    films: int
    size: int
    blank_maps: int
    deleted_share: float
    blur_sigma: float
    fall_without_hottest: Figure
    fall_without_random: Figure
    ratio: Figure
    hottest_inside_lungs: Figure
    lungs_cover: float


class StyleGroup(Part):
    """Figures on typical or atypical films, or None if there are too few."""

    films: dict[str, int]
    auc: Figure | None
    sensitivity: Figure | None
    specificity: Figure | None


class Style(Part):
    """How much the model depends on acquisition style. `correlation` is that of logit and style score, by class."""

    measured_on: str
    style_auc: Figure | None
    threshold: float
    typical: StyleGroup
    atypical: StyleGroup
    correlation: dict[str, float | None]


class Rounding(Part):
    """The effect of rounding the weights."""

    weights: str
    largest_difference: float
    labels_flipped: int
    measured_on: str


class ModelDescription(FileDescription):
    """The description next to a Keras file, `model.json`."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    corruptions: Corruptions
    degraded: Degraded
    heatmap: Heatmap
    style: Style | None
    recipe: Recipe
    epochs: int
    rounding: Rounding

    @property
    def default_point(self) -> OperatingPoint:
        """Return the operating point that decides labels by default."""
        return self.operating_points[self.default_operating_point]

    def to_json(self) -> dict[str, Any]:
        """Return the description as JSON-ready values."""
        return self.model_dump(mode="json", by_alias=True)
