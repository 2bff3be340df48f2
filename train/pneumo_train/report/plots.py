"""Plots of a run and of a model's figures, in colours that colour-blind people can distinguish."""

from __future__ import annotations

import io
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image
from sklearn.metrics import precision_recall_curve, roc_curve

from pneumo_infer.files.atomic_write import replacing
from pneumo_infer.films.raster import Film
from pneumo_infer.model.info import LABELS
from pneumo_train.model.calibration import Reliability, Scores

# Okabe & Ito, "Color Universal Design", 2008.
BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def to_png(figure: Figure) -> bytes:
    """Return a figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def draw_curves(history: list[dict[str, Any]]) -> Figure:
    """Draw loss and ROC AUC over all epochs, with lines between the phases.

    The loss is the cross-entropy. The training loss includes that of the lung fields, if the network learns them.
    """
    figure = new_figure(10, 4)
    loss, auc = figure.subplots(1, 2)
    _draw_curve(loss, history, "loss", "loss")
    _draw_curve(auc, history, "auc", "ROC AUC")
    return figure


def draw_balance(counts: dict[str, dict[str, int]]) -> Figure:
    """Draw the number of films of each class in each split. `counts` maps split to class to number."""
    figure = new_figure(6, 1 + 0.5 * len(counts))
    axes = figure.subplots()
    left = np.zeros(len(counts))
    for label, colour in ((LABELS[0], BLUE), (LABELS[1], VERMILION)):
        films = [by_class.get(label, 0) for by_class in counts.values()]
        bars = axes.barh(list(counts), films, left=left, color=colour, label=label)
        left += films
    axes.bar_label(bars, [" + ".join(f"{by_class.get(label, 0)}" for label in LABELS) for by_class in counts.values()])
    axes.set(xlabel="films", xlim=(0, 1.2 * left.max()))
    axes.invert_yaxis()
    axes.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return bare(figure)


def draw_confusion(counts: dict[str, int]) -> Figure:
    """Draw the confusion matrix of one operating point, with shares of each actual class."""
    table = np.array(
        [[counts["true_negative"], counts["false_positive"]], [counts["false_negative"], counts["true_positive"]]]
    )
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = new_figure(4.2, 3.6)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), films in np.ndenumerate(table):
        dark = shares[row, column] > 0.5
        text = f"{films}\n{shares[row, column]:.1%}"
        axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks([0, 1], [f"predicted {label}" for label in LABELS])
    axes.set_yticks([0, 1], [f"actual {label}" for label in LABELS])
    return figure


def draw_roc_and_precision(targets: Scores, probabilities: Scores, points: dict[str, dict[str, Any]]) -> Figure:
    """Draw ROC and precision-recall curves with the operating points."""
    figure = new_figure(10, 4.4)
    roc, recall = figure.subplots(1, 2)
    false_positive_rate, sensitivity, _ = roc_curve(targets, probabilities)
    roc.plot(false_positive_rate, sensitivity, color=BLUE)
    precision, sensitivity, _ = precision_recall_curve(targets, probabilities)
    recall.plot(sensitivity, precision, color=BLUE)
    for (name, point), marker in zip(points.items(), "os^Dv", strict=False):
        roc.plot(1 - point["specificity"], point["sensitivity"], marker, color=VERMILION, label=name)
        recall.plot(point["sensitivity"], point["precision"], marker, color=VERMILION, label=name)
    roc.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC", xlim=(-0.01, 1), ylim=(0, 1.01))
    prevalence = float(targets.mean())
    recall.axhline(prevalence, color=GREY, linestyle=":", label="PNEUMONIA for every film")
    recall.set(xlabel="sensitivity (recall)", ylabel="precision", title="Precision and recall")
    recall.set(xlim=(0, 1.01), ylim=(min(prevalence, 0.7) - 0.02, 1.01))
    roc.legend(frameon=False, loc="lower center")
    recall.legend(frameon=False, loc="center")
    return bare(figure)


def draw_reliability(before: Reliability, after: Reliability) -> Figure:
    """Draw observed against predicted probability of pneumonia, before and after calibration."""
    figure = new_figure(5, 4.4)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    for name, curve, marker, colour in (("before", before, "s--", VERMILION), ("after", after, "o-", BLUE)):
        label = f"{name} calibration, ECE {curve.expected_error:.3f}"
        axes.plot(curve.predicted, curve.observed, marker, color=colour, label=label)
    axes.set(xlabel="predicted probability of PNEUMONIA", ylabel="share of films with pneumonia", xlim=(-0.02, 1.02))
    axes.legend(frameon=False)
    return bare(figure)


def draw_corruptions(corruptions: dict[str, dict[str, float]], uncorrupted: dict[str, float]) -> Figure:
    """Draw AUC, sensitivity and specificity under each corruption, with lines at the values without corruption."""
    names = list(corruptions)
    figure = new_figure(10, 1.2 + 0.27 * len(names))
    positions = np.arange(len(names))
    for axes, figure_name, colour in zip(
        figure.subplots(1, 3, sharey=True), ("auc", "sensitivity", "specificity"), (BLUE, GREEN, VERMILION), strict=True
    ):
        values = [corruptions[name][figure_name] for name in names]
        axes.barh(positions, values, color=colour)
        axes.axvline(uncorrupted[figure_name], color="black", linestyle=":")
        axes.set(title="ROC AUC" if figure_name == "auc" else figure_name, xlim=(max(0.0, min(*values, 0.9) - 0.05), 1))
        axes.set_yticks(positions, names)
    axes.invert_yaxis()
    return bare(figure)


def draw_falls(figures: dict[str, Any]) -> Figure:
    """Draw the mean fall of the logit without the hottest fifth and without a random region, with intervals."""
    names = {"hottest fifth": "fall_without_hottest", "random region": "fall_without_random"}
    figure = new_figure(6, 1.8)
    axes = figure.subplots()
    for (label, name), colour in zip(names.items(), (VERMILION, GREY), strict=True):
        mean, (low, high) = figures[name]["value"], figures[name]["interval"]
        axes.barh([label], [mean], color=colour, xerr=[[max(mean - low, 0)], [max(high - mean, 0)]], capsize=3)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="mean fall of the logit after blurring")
    axes.invert_yaxis()
    return bare(figure)


def draw_films(films: Film, captions: list[str], heatmaps: Scores | None = None, columns: int = 6) -> Figure:
    """Draw films in rows with captions and, if given, heatmaps.

    Parameters
    ----------
    films
        uint8 (N, 224, 224, 1).
    captions
        Text above each film.
    heatmaps
        float32 (N, S, S). Each is scaled to its own maximum.
    columns
        Number of films in a row.
    """
    rows = math.ceil(len(films) / columns)
    figure = new_figure(1.9 * columns, 2.4 * rows)
    for number, axes in enumerate(np.ravel(figure.subplots(rows, columns, squeeze=False))):
        axes.set_axis_off()
        if number < len(films):
            axes.imshow(films[number, :, :, 0], cmap="gray", vmin=0, vmax=255, extent=(0, 1, 0, 1))
            axes.set_title(captions[number], fontsize=7, parse_math=False)  # a name may contain $
            if heatmaps is not None:
                warmth = heatmaps[number] / max(float(heatmaps[number].max()), 1e-9)
                smooth = np.asarray(Image.fromarray(warmth).resize((224, 224), Image.Resampling.BICUBIC)).clip(0, 1)
                axes.imshow(smooth, cmap="plasma", vmin=0, vmax=1, alpha=0.6 * smooth, extent=(0, 1, 0, 1))
    return figure


def new_figure(width: float, height: float) -> Figure:
    """Create a figure without pyplot and its global state. Sizes are in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def bare(figure: Figure) -> Figure:
    """Remove the top and right spines."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_curve(axes: Axes, history: list[dict[str, Any]], name: str, title: str) -> None:
    epochs = [row["epoch"] for row in history]
    axes.plot(epochs, [row[name] for row in history], "o-", color=BLUE, label="training, augmented")
    axes.plot(epochs, [row[f"val_{name}"] for row in history], "s-", color=VERMILION, label="validation")
    for before, after in pairwise(history):
        if before["phase"] != after["phase"]:
            axes.axvline(after["epoch"] - 0.5, color="grey", linestyle=":")
    for phase in dict.fromkeys(row["phase"] for row in history):
        middle = np.mean([row["epoch"] for row in history if row["phase"] == phase])
        # Rotated, because the names of short phases would overlap.
        axes.annotate(
            phase,
            (middle, 1.01),
            xycoords=("data", "axes fraction"),
            color="grey",
            rotation=60,
            rotation_mode="anchor",
            parse_math=False,
        )
    axes.set(xlabel="epoch", ylabel=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
