"""Plots of the scores of single films: by class, and against the style score."""

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
SHOWN_STYLE = 1e-3  # lowest style score that is told apart from 0, and highest from 1
STYLES_NAMED = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)


def draw_probabilities(targets: Scores, probabilities: Scores, thresholds: dict[str, float]) -> Figure:
    """How many films of each class have which probability, on a log scale, with the thresholds of operating points."""
    figure = new_figure(10, 4.4)
    bins = np.linspace(0, 1, PROBABILITY_BINS + 1)
    for number, axes in enumerate(figure.subplots(2, 1, sharex=True, sharey=True)):
        shown = probabilities[targets == number]
        axes.hist(shown, bins, rwidth=0.9, color=(BLUE, VERMILION)[number])
        for (name, threshold), line in zip(thresholds.items(), cycle(("--", "-", ":", "-."))):
            axes.axvline(threshold, color="black", linestyle=line, label=name)
        axes.set_title(f"{LABELS[number]}, {len(shown)} films", loc="left")
        axes.set(yscale="log", ylabel="films", xlim=(0, 1))
        axes.yaxis.set_major_formatter("{x:g}")
    figure.axes[0].set_ylim(bottom=0.5)  # of both; a bar of one film shows
    figure.legend(handles=list(figure.axes[0].lines), frameon=False, loc="outside upper right", ncols=len(thresholds))
    figure.axes[1].set_xlabel("calibrated probability of PNEUMONIA")
    return bare(figure)


def draw_style(logits: Scores, targets: Scores, style: StyleScores, called: NDArray[np.bool_]) -> Figure:
    """The logit of each film against its style score, the classes side by side, atypical films marked.

    Parameters
    ----------
    called
        (N,), whether a film is called PNEUMONIA; a line is drawn between those that are and those that are not.
    """
    figure = new_figure(10, 4.4)
    atypical = is_atypical(style, targets)
    shown = style.clip(SHOWN_STYLE, 1 - SHOWN_STYLE)
    for number, axes in enumerate(figure.subplots(1, 2, sharey=True)):
        for name, which, colour, marker in (("typical", ~atypical, BLUE, "o"), ("atypical", atypical, VERMILION, "D")):
            rows = which & (targets == number)
            label = f"{name}, {rows.sum()} films"
            axes.plot(shown[rows], logits[rows], marker, color=colour, markersize=4, alpha=0.6, mew=0, label=label)
        if called.any() and not called.all():
            between = (logits[called].min() + logits[~called].max()) / 2
            axes.axhline(between, color="black", linestyle=":", label="operating point")
        axes.axvline(0.5, color=GREY, linewidth=0.8)
        axes.set_xscale("logit")
        axes.set_xticks(STYLES_NAMED, [f"{score:g}" for score in STYLES_NAMED])
        axes.minorticks_off()
        axes.set(title=LABELS[number], xlabel="style score: PNEUMONIA as far as style tells")
        axes.legend(frameon=False, loc="lower right" if number else "upper left")
    figure.axes[0].set_ylabel("logit of PNEUMONIA")
    return bare(figure)
