"""Plots of the scores of individual films: by class, and against the style score."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pneumo_infer.model.info import LABELS
from pneumo_train.model.calibration import Scores
from pneumo_train.report.plots import BLUE, GREY, VERMILION, bare, new_figure
from pneumo_train.style.acquisition import StyleScores, is_atypical

PROBABILITY_BINS = 40
MIN_STYLE = 1e-3  # style scores are clipped to this distance from 0 and 1
STYLE_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)


def draw_probabilities(targets: Scores, probabilities: Scores, thresholds: dict[str, float]) -> Figure:
    """Draw histograms of the probability of each class, on a log scale, with the thresholds of the operating points."""
    figure = new_figure(10, 4.4)
    bins = np.linspace(0, 1, PROBABILITY_BINS + 1)
    for number, axes in enumerate(figure.subplots(2, 1, sharex=True, sharey=True)):
        of_class = probabilities[targets == number]
        axes.hist(of_class, bins, rwidth=0.9, color=(BLUE, VERMILION)[number])
        for (name, threshold), line in zip(thresholds.items(), cycle(("--", "-", ":", "-."))):
            axes.axvline(threshold, color="black", linestyle=line, label=name)
        axes.set_title(f"{LABELS[number]}, {len(of_class)} films", loc="left")
        axes.set(yscale="log", ylabel="films", xlim=(0, 1))
        axes.yaxis.set_major_formatter("{x:g}")
    figure.axes[0].set_ylim(bottom=0.5)  # both axes; makes a bar of one film visible
    figure.legend(handles=list(figure.axes[0].lines), frameon=False, loc="outside upper right", ncols=len(thresholds))
    figure.axes[1].set_xlabel("calibrated probability of PNEUMONIA")
    return bare(figure)


def draw_style(logits: Scores, targets: Scores, style: StyleScores, predicted: NDArray[np.bool_]) -> Figure:
    """Draw the logit of each film against its style score, for both classes, with atypical films marked.

    Parameters
    ----------
    logits, targets, style
        (N,) each; targets are 1 for PNEUMONIA.
    predicted
        (N,), whether the film is classified as PNEUMONIA. A line separates the two groups.
    """
    figure = new_figure(10, 4.4)
    atypical = is_atypical(style, targets)
    clipped = style.clip(MIN_STYLE, 1 - MIN_STYLE)
    for number, axes in enumerate(figure.subplots(1, 2, sharey=True)):
        for name, mask, colour, marker in (("typical", ~atypical, BLUE, "o"), ("atypical", atypical, VERMILION, "D")):
            rows = mask & (targets == number)
            label = f"{name}, {rows.sum()} films"
            axes.plot(clipped[rows], logits[rows], marker, color=colour, markersize=4, alpha=0.6, mew=0, label=label)
        if predicted.any() and not predicted.all():
            boundary = (logits[predicted].min() + logits[~predicted].max()) / 2
            axes.axhline(boundary, color="black", linestyle=":", label="operating point")
        axes.axvline(0.5, color=GREY, linewidth=0.8)
        axes.set_xscale("logit")
        axes.set_xticks(STYLE_TICKS, [f"{score:g}" for score in STYLE_TICKS])
        axes.minorticks_off()
        axes.set(title=LABELS[number], xlabel="style score: PNEUMONIA predicted from style alone")
        axes.legend(frameon=False, loc="lower right" if number else "upper left")
    figure.axes[0].set_ylabel("logit of PNEUMONIA")
    return bare(figure)
