"""pneumo-infer --explain: how each film was read and decided, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pneumo_infer.cli.output.overlays import overlay_path
from pneumo_infer.cli.output.records import Format, to_json
from pneumo_infer.errors import ImageError
from pneumo_infer.films.dicom.header import contradictions
from pneumo_infer.films.pictures import save_picture
from pneumo_infer.films.preprocess import read_network_input
from pneumo_infer.films.source import source_name
from pneumo_infer.films.trace import traced
from pneumo_infer.printable import printable

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier
    from pneumo_infer.films.preprocess import NetworkInput
    from pneumo_infer.films.source import FilmSource
    from pneumo_infer.prediction import Prediction


def explain_films(
    classifier: Classifier, films: Iterable[FilmSource], form: Format, inputs: Path | None, out: TextIO
) -> bool:
    """Explain films one after the other.

    Parameters
    ----------
    form
        `table` for text, `jsonl` for an object per line, `json` for an object, or a list of several.
    inputs
        Folder to write the network's input to, as PNG of 224 x 224 pixels; None to write none.

    Returns
    -------
    bool
        Whether a film was unreadable.
    """
    explanations = []
    for film in films:
        explanations.append(_explain(classifier, film, inputs))
        if form is not Format.JSON:
            out.write(_as_text(explanations[-1]) if form is Format.TABLE else to_json(explanations[-1]) + "\n")
            out.flush()
    if form is Format.JSON:
        out.write(to_json(explanations[0] if len(explanations) == 1 else explanations) + "\n")
    return any(explanation["error"] is not None for explanation in explanations)


def _explain(classifier: Classifier, film: FilmSource, inputs: Path | None) -> dict[str, Any]:
    name = source_name(film)
    with traced() as steps:
        try:
            read = read_network_input(film, classifier.limits)
        except ImageError as error:
            return {"path": name, "steps": steps, "outcome": None, "error": str(error)}
    if inputs is not None:
        steps.append(f"network input: {_save(read, overlay_path(inputs, name))}")
    prediction = classifier.predict_input(name, read)
    steps += _decisions(classifier, read, prediction)
    return {"path": name, "steps": steps, "outcome": prediction.outcome, "error": None}


def _save(read: NetworkInput, path: Path) -> Path:
    from PIL import Image

    save_picture(Image.fromarray(read.pixels), path, "--save-inputs")
    return path


def _decisions(classifier: Classifier, read: NetworkInput, prediction: Prediction) -> list[str]:
    model = classifier.model
    steps = []
    if read.header is not None:
        found = contradictions(read.header, model.population)
        steps.append(f"header: contradicts the model ({', '.join(found)})" if found else "header: fits the model")
    side = "in domain" if prediction.in_domain else "out of domain"
    steps.append(f"domain distance: {prediction.domain_distance:.2f}, limit {model.domain_limit:.2f}: {side}")
    steps.append(
        f"probability: {prediction.probability:.4f}, threshold {prediction.threshold:.4f} "
        f"({prediction.operating_point or 'custom'}): {prediction.label}"
    )
    if model.uncertain_band is not None:
        low, high = model.uncertain_band
        side = "inside" if low <= (prediction.probability or 0.0) <= high else "outside"
        steps.append(f"uncertain band: {low:.4f} to {high:.4f}: {side}")
    reason = f", because of: {prediction.reason}" if prediction.reason else ""
    steps.append(f"outcome: {prediction.outcome}{reason}")
    return steps


def _as_text(explanation: dict[str, Any]) -> str:
    steps = [*explanation["steps"], *([f"unreadable: {explanation['error']}"] if explanation["error"] else [])]
    return f"{printable(explanation['path'])}\n" + "".join(f"  {printable(step)}\n" for step in steps)
