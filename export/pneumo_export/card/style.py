"""The model card's section on acquisition style: whether the network relies on how a film was made."""

from __future__ import annotations

from typing import Any


def style_section(style: dict[str, Any], degraded: dict[str, Any]) -> str:
    """Write the section from what `pneumo_train.style.metrics` and `thresholds.measure_degraded` measured."""
    return "\n".join(
        [
            "## Acquisition style",
            "How a film was made, in 14 statistics that see no anatomy (greys, contrast, sharpness, edges), tells the "
            f"label of the training films with ROC AUC {_figure(style['style_auc'])} (gradient boosting, "
            "cross-validated by patient). A film is atypical if its style points to the other class; films of another "
            "hospital are likely to be so. A network that reads the lungs decides atypical films as well as typical "
            f"ones, and its logit does not follow the style score. Measured on the {style['measured_on']} films, at "
            "the default operating point. In brackets: 95 % intervals, Wilson's, and by a bootstrap by patient for "
            "areas.",
            "",
            "| films | NORMAL | PNEUMONIA | ROC AUC | sensitivity | specificity |",
            "|---|---|---|---|---|---|",
            *(_row(name, style[name]) for name in ("typical", "atypical")),
            "",
            f"Correlation (Pearson) of logit and style score within a class: {_correlations(style['correlation'])}.",
            "",
            f"On degraded copies of the {degraded['measured_on']} films (resized, blurred or sharpened, with another "
            f"tone curve, compressed; other copies than the thresholds are chosen on): ROC AUC {degraded['auc']:.3f}, "
            f"sensitivity {degraded['sensitivity']:.3f}, specificity {degraded['specificity']:.3f}, expected "
            f"calibration error {degraded['expected_calibration_error']:.3f}.",
        ]
    )


def _row(name: str, group: dict[str, Any]) -> str:
    figures = " | ".join(_figure(group[figure]) for figure in ("auc", "sensitivity", "specificity"))
    return f"| {name} | {group['films']['NORMAL']} | {group['films']['PNEUMONIA']} | {figures} |"


def _figure(figure: dict[str, Any] | None) -> str:
    """Three digits; too few films tell no figure."""
    return "none" if figure is None else "{:.3f} [{:.3f}, {:.3f}]".format(figure["value"], *figure["interval"])


def _correlations(correlation: dict[str, float | None]) -> str:
    return ", ".join(f"{label} {'none' if value is None else f'{value:.2f}'}" for label, value in correlation.items())
