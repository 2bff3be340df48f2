"""Pictures of a run."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pneumo_infer.files import replacing

# Okabe & Ito's palette, readable by the colour-blind.
TRAINING, VALIDATION = "#0072B2", "#D55E00"


def draw_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Draw loss and AUC over all epochs as PNG, the phases told apart by a line between them."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    loss, auc = figure.subplots(1, 2)
    _draw_curve(loss, history, "loss", "cross-entropy loss")
    _draw_curve(auc, history, "auc", "ROC AUC")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw_curve(axes: Axes, history: list[dict[str, Any]], name: str, title: str) -> None:
    epochs = [row["epoch"] for row in history]
    axes.plot(epochs, [row[name] for row in history], "o-", color=TRAINING, label="training, augmented")
    axes.plot(epochs, [row[f"val_{name}"] for row in history], "s-", color=VALIDATION, label="validation")
    for before, after in pairwise(history):
        if before["phase"] != after["phase"]:
            axes.axvline(after["epoch"] - 0.5, color="grey", linestyle=":")
    for phase in dict.fromkeys(row["phase"] for row in history):
        first = next(row["epoch"] for row in history if row["phase"] == phase)
        axes.annotate(phase, (first, 1.01), xycoords=("data", "axes fraction"), color="grey", ha="center")
    axes.set(xlabel="epoch", ylabel=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
