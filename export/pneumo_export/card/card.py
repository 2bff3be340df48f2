"""Render the model card from the figures (Mitchell et al., "Model Cards for Model Reporting", FAT* 2019)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pneumo_export.metadata import INTENDED_USE
from pneumo_export.parity.proof import Proof
from pneumo_infer import __version__
from pneumo_infer.printable import printable
from pneumo_train.evaluation.corruptions import worst_corruptions
from pneumo_train.model.description import Figure
from pneumo_train.model.trained import TrainedModel
from pneumo_train.recipe import name_layers


def model_card(source: TrainedModel, proofs: list[Proof], sizes: Mapping[str, int], pictures: Mapping[str, str]) -> str:
    """Return the card of an exported model as Markdown.

    Parameters
    ----------
    sizes
        Precision to size of its file, in bytes.
    pictures
        Path relative to the card, to caption.
    """
    environment = Environment(
        loader=PackageLoader("pneumo_export.card"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else escape_text(str(value)),
    )
    environment.filters |= {
        "figure": _figure,
        "percent": lambda share: f"{share:.1%}",
        "layers": name_layers,
    }
    return environment.get_template("card.md.j2").render(
        model=source.description,
        sha256=source.sha256,
        proofs=proofs,
        sizes=sizes,
        pictures=pictures,
        worst=worst_corruptions(source.description.corruptions.model_dump()["figures"]),
        intended_use=INTENDED_USE,
        version=__version__,
    )


def escape_text(text: str) -> Markup:
    """Escape what would control a terminal, or begin a column, code, a link or HTML in Markdown."""
    return Markup(re.sub(r"([\\`|<\[])", r"\\\1", printable(text)))


def _figure(figure: Figure | None, digits: int = 3) -> Markup:
    """Format a figure and its interval, with `none` for undefined values."""
    if figure is None:
        return Markup("none")
    shown = ["none" if value is None else f"{value:.{digits}f}" for value in (figure.value, *figure.interval)]
    return Markup(f"{shown[0]} [{shown[1]}, {shown[2]}]")
