"""The model card, made from the figures themselves (Mitchell et al., "Model Cards for Model Reporting", FAT* 2019)."""

from __future__ import annotations

from typing import Any

from pneumo_export.card.heatmap import heatmap_section
from pneumo_export.card.style import style_section
from pneumo_export.metadata import INTENDED_USE
from pneumo_export.parity.proof import Proof
from pneumo_infer import __version__
from pneumo_train.evaluation.corruptions import worst_corruptions
from pneumo_train.model.trained import TrainedModel
from pneumo_train.recipe import name_layers


def model_card(source: TrainedModel, proofs: list[Proof], sizes: dict[str, int], pictures: dict[str, str]) -> str:
    """Write the card of an exported model as Markdown.

    Parameters
    ----------
    sizes
        Precision to bytes of its file.
    pictures
        Path, as seen from the card, to what the picture shows.
    """
    described = source.description
    sections = [
        f"# Model card: pneumo-resnet50 {__version__}",
        "Reads a frontal chest film and gives the probability of pneumonia. Made by `pneumo-export` from the figures "
        "of the training run and of the proof; not written by hand.",
        _use(),
        _data(described),
        _training(described, source.sha256),
        _performance(described),
        *(f"![{caption}]({path})\n\n{caption}." for path, caption in pictures.items()),
        _uncertain(described["uncertain_band"]),
        *([_ood(described["ood"])] if "accepted" in described["ood"] else []),  # 0.1 measured other kinds
        _corruptions(described["corruptions"]),
        *([style_section(described["style"], described["degraded"])] if "style" in described else []),
        *([heatmap_section(described["heatmap"])] if "heatmap" in described else []),
        _parity(proofs, sizes),
        _limits(),
        _licence(described),
    ]
    return "\n\n".join(sections) + "\n"


def _use() -> str:
    return f"## Intended use\n{INTENDED_USE}"


def _data(described: dict[str, Any]) -> str:
    data = described["data"]
    rows = [f"| {name} | {count} |" for name, count in data["films"].items()]
    patients = ", ".join(f"{name} {count}" for name, count in data["patients"].items())
    return "\n".join(
        [
            "## Data",
            f"{data['source']}. The split is by patient: no patient is in two of its parts.",
            "",
            "| split and class | films |",
            "|---|---|",
            *rows,
            "",
            f"Patients: {patients}. Films left out because they did not decode: {data['unreadable']}. "
            f"Fingerprint of paths, labels and pixels (SHA-256): `{data['fingerprint']}`.",
        ]
    )


def _training(described: dict[str, Any], sha256: str) -> str:
    recipe = described["recipe"]
    calibration, rounding = described["calibration"], described["rounding"]
    kept = "the last one" if recipe["fit"]["keep"] == "last" else "the one with the highest validation AUC"
    return "\n".join(
        [
            "## Training",
            f"Recipe: {recipe['summary']}. {described['epochs']} epochs were trained in all, {kept} was kept.",
            "",
            *_phases(recipe),
            f"Weights that it starts from: {described['weights']['source']}.",
            "",
            f"Calibration: {calibration['method']}, slope {calibration['slope']:.4f} and offset "
            f"{calibration['offset']:.4f}, fitted on the {calibration['fitted_on']} films.",
            "",
            f"Weights are {rounding['weights']}: on the validation films this moves no probability by more than "
            f"{rounding['largest_difference']:.1g} and flips {rounding['labels_flipped']} labels.",
            "",
            f"Keras file (SHA-256): `{sha256}`.",
        ]
    )


def _phases(recipe: dict[str, Any]) -> list[str]:
    return [
        "| phase | trains | film, px | least area of a crop | epochs at most | learning rate |",
        "|---|---|---|---|---|---|",
        *(
            f"| {phase['name']} | {name_layers(phase['train'])} | {phase['image_size']} | {phase['min_crop_area']:g} "
            f"| {phase['epochs']} | {phase['learning_rate']:g} |"
            for phase in recipe["phases"]
        ),
        "",
    ]


def _performance(described: dict[str, Any]) -> str:
    default = described["default_operating_point"]
    chosen_on = described["operating_points"][default]["chosen_on"]
    lines = [
        "## Performance",
        f"Thresholds are fixed on the {chosen_on}; the default one is `{default}`. "
        "In brackets: 95 % Wilson intervals. Figures of the Keras model.",
        "",
        "`balanced` is the default because models of this kind keep their sensitivity on films from elsewhere and lose "
        "specificity: a threshold as low as that of `screening` has little of it to lose. Take `screening` where a "
        "missed pneumonia costs more than a false alarm.",
    ]
    for split, metrics in described["metrics"].items():
        lines += [
            "",
            f"### {split.capitalize()} films",
            f"{metrics['films']} films, {metrics['pneumonia']} of them PNEUMONIA. ROC AUC {metrics['auc']:.4f}, "
            f"average precision {metrics['average_precision']:.4f}, Brier score {metrics['brier']:.4f}, expected "
            f"calibration error {metrics['expected_calibration_error']:.4f}; were each probability right, so many "
            "films would show {:.4f} [{:.4f}, {:.4f}].".format(*metrics["calibration_error_by_chance"]),
            "",
            "| operating point | threshold | sensitivity | specificity | precision | accuracy | F1 |",
            "|---|---|---|---|---|---|---|",
            *[_operating_point(name, point) for name, point in metrics["operating_points"].items()],
        ]
    return "\n".join(lines)


def _operating_point(name: str, point: dict[str, Any]) -> str:
    cells = [
        "{:.3f} [{:.3f}, {:.3f}]".format(point[figure], *point["intervals"][figure])
        for figure in ("sensitivity", "specificity", "precision", "accuracy")
    ]
    return f"| {name} | {point['threshold']:.4f} | {' | '.join(cells)} | {point['f1']:.3f} |"


def _uncertain(band: dict[str, Any]) -> str:
    return (
        f"## Needs a reader\nProbabilities from {band['low']:.4f} to {band['high']:.4f} are uncertain "
        f"({band['method']}, fitted on the {band['chosen_on']} films): outside that band at most "
        f"{band['error_rate']:.0%} of each class are called the other one, as far as films are of the same kind."
    )


def _ood(ood: dict[str, Any]) -> str:
    rows = {**ood["flagged"], **ood["corrupted"]}
    too = ood["fitted_on_too"]
    beside = f" and on every second one of the {', '.join(too)}; the others are measured below" if too else ""
    return "\n".join(
        [
            "## Out of domain",
            f"`domain_distance` is the {ood['method']}. It is fitted on the {ood['fitted_on']} films{beside}. "
            f"Its limit lets {ood['accepted']:.1%} of the {ood['limit_fitted_on']} films and of degraded "
            "copies pass (resized, blurred or sharpened, toned, compressed as JPEG, all at random); "
            f"{ood['limit']:.2f} in the Keras model, and in each file as measured with that file. Flagged of the "
            f"{ood['measured_on']} films, of what was made of them, and of drawings (blank, noise, ramps, patterns, "
            "pages). In brackets: 95 % Wilson intervals. Corrupted films may be flagged; their shares are stated.",
            "",
            "| shown | films | flagged |",
            "|---|---|---|",
            *(f"| {name} | {_flagged(row)} |" for name, row in rows.items()),
        ]
    )


def _flagged(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    return f"{row['films']} | {row['share']:.1%} [{low:.1%}, {high:.1%}]"


def _corruptions(corruptions: dict[str, Any]) -> str:
    worst = worst_corruptions(corruptions["figures"])
    auc, specificity = worst["auc"], worst["specificity"]
    rows = [
        f"| {name} | {row['auc']:.4f} | {row['sensitivity']:.3f} | {row['specificity']:.3f} |"
        for name, row in corruptions["figures"].items()
    ]
    return "\n".join(
        [
            "## Under corruptions",
            f"The {corruptions['measured_on']} films as other machines, exports and hands would have left them, at the "
            f"default operating point. Worst ROC AUC {auc['value']:.4f} ({auc['corruption']}), worst specificity "
            f"{specificity['value']:.3f} ({specificity['corruption']}).",
            "",
            "| corruption | ROC AUC | sensitivity | specificity |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def _parity(proofs: list[Proof], sizes: dict[str, int]) -> str:
    lines = [
        "## Parity with Keras",
        "Each file read the same films as the Keras model, from their bytes to their labels. A file that fails a gate "
        "is not written.",
        "",
        "| file | MB | films | gate | measured | limit |",
        "|---|---|---|---|---|---|",
    ]
    for proof in proofs:
        size = f"{sizes[proof.precision] / 1e6:.1f}"
        lines += [
            f"| {proof.precision} | {size} | {proof.films} {proof.source} | {g.name} | {g.value:.2g} | {g.limit:g} |"
            for g in proof.gates
        ]
    return "\n".join(lines)


def _limits() -> str:
    return "\n".join(
        [
            "## Limits",
            "- Children of one to five years from one hospital, anterior-posterior films. Models trained on these "
            "films are known to fall to chance on adult films of other hospitals.",
            "- The figures above come from films of the same hospital as the training films; published models of this "
            "kind keep their sensitivity on the public test films and lose specificity.",
            "- Films are squashed to a square without keeping their aspect ratio, as the public ones were.",
            "- It knows two answers. Other findings (effusion, tuberculosis, a fracture) are not looked for.",
        ]
    )


def _licence(described: dict[str, Any]) -> str:
    weights = described["weights"]
    return (
        f"## Licence\nModel: {weights['licence']}, as the weights that it starts from ({weights['source']}). "
        f"Films: {described['data']['source']}. Software: Apache-2.0."
    )
