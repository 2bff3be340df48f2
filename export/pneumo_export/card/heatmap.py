"""The model card's section on heatmaps: whether they show what the network uses."""

from __future__ import annotations

from typing import Any


def heatmap_section(heatmap: dict[str, Any]) -> str:
    """Write the section from what `pneumo_train.evaluation.deletion` measured."""
    inside = heatmap["hottest_inside_lungs"]
    return "\n".join(
        [
            "## Whether the heatmap shows what the network uses",
            f"Deletion test on the {heatmap['films']} PNEUMONIA films among the {heatmap['measured_on']} films: the "
            f"fifth of each film with the highest values of its map is blurred (sigma {heatmap['blur_sigma']} pixels), "
            "and so is the fifth nearest to a random point. In brackets: 95 % intervals, by a bootstrap by patient, "
            "and Wilson's for the share. The lung field is found by fitted outlines, to about 8 pixels.",
            "",
            "| measured | value |",
            "|---|---|",
            _row("mean fall of the logit without the hottest fifth", heatmap["fall_without_hottest"]),
            _row("mean fall of the logit without a random region of that size", heatmap["fall_without_random"]),
            _row("ratio of the two", heatmap["ratio"]),
            f"| hottest of {heatmap['size']} x {heatmap['size']} cells inside the lung field "
            f"| {inside['value']:.1%} [{inside['interval'][0]:.1%}, {inside['interval'][1]:.1%}] |",
            f"| share of the film that the lung field covers | {heatmap['lungs_cover']:.1%} |",
            f"| blank maps, of which none counts as inside | {heatmap['blank_maps']} |",
        ]
    )


def _row(name: str, figure: dict[str, Any]) -> str:
    return f"| {name} | {_number(figure['value'])} [{', '.join(map(_number, figure['interval']))}] |"


def _number(value: float | None) -> str:
    """Two digits; there is no ratio where blurring at random does not lower the logit."""
    return "none" if value is None else f"{value:.2f}"
