"""Plots of scores show every film."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pneumo_train.report.plots import to_png
from pneumo_train.report.score_plots import draw_probabilities, draw_style


def points(figure: Figure) -> list[list[int]]:
    """Number of films marked as typical and as atypical, in each subplot."""
    return [[len(line.get_xdata()) for line in axes.lines[:2]] for axes in figure.axes]


def test_each_film_is_marked_as_typical_or_atypical_of_its_class() -> None:
    targets = np.array([0, 0, 0, 1, 1, 1, 1], np.float32)
    style = np.array([0, 0.2, 0.6, 0.4, 0.7, 0.9, 1])
    logits = np.array([-3, -2, 1, -1, 1, 2, 3], np.float32)
    figure = draw_style(logits, targets, style, logits > 0)
    assert points(figure) == [[2, 1], [3, 1]]
    between = figure.axes[0].lines[2].get_ydata()
    assert np.asarray(between).tolist() == [0, 0]
    shown = np.concatenate([np.asarray(line.get_xdata()) for axes in figure.axes for line in axes.lines[:2]])
    assert 0 < shown.min() < shown.max() < 1  # the scale has no place for 0 and 1
    with Image.open(io.BytesIO(to_png(figure))) as picture:
        assert picture.width > 1000


@pytest.mark.parametrize("called", [True, False])
def test_no_line_is_drawn_if_all_predictions_are_equal(called: bool) -> None:
    targets, scores = np.array([0, 1], np.float32), np.array([0.5, 0.5])
    figure = draw_style(targets, targets, scores, np.full(2, called))
    assert points(figure) == [[0, 1], [1, 0]]
    assert [len(axes.lines) for axes in figure.axes] == [3, 3]  # the films, and the middle of the style scores


def test_each_film_is_in_the_bar_of_its_probability() -> None:
    targets = np.array([0, 0, 0, 1, 1, 1], np.float32)
    probabilities = np.array([0.01, 0.02, 0.76, 0.3, 0.99, 1.0], np.float32)
    figure = draw_probabilities(targets, probabilities, {"screening": 0.2, "balanced": 0.7})
    heights = [[bar.get_height() for bar in axes.patches] for axes in figure.axes]
    assert [np.flatnonzero(bars).tolist() for bars in heights] == [[0, 30], [12, 39]]
    assert [heights[0][0], heights[0][30], heights[1][12], heights[1][39]] == [2, 1, 1, 2]
    assert all(axes.get_ylim()[0] < 1 and axes.get_ylim()[1] > 2 for axes in figure.axes)
    assert [line.get_xdata()[0] for line in figure.axes[1].lines] == [0.2, 0.7]
    with Image.open(io.BytesIO(to_png(figure))) as picture:
        assert picture.height > 400
