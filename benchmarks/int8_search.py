"""Measure how each setting of the quantisation affects accuracy and speed, on the validation films.

    python -m benchmarks.int8_search models/pneumo-resnet50.keras --data chest_xray --to benchmarks/INT8.md

Needs the `export` extra. Each variant changes one setting of the packaged model. The variants and the fp32 file are
timed interleaved, film by film, so that changes in the speed of the machine affect all of them.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.films import noise_films
from benchmarks.interleaved import time_interleaved
from benchmarks.record import machine
from pneumo_infer.files.atomic_write import atomic_write
from pneumo_train.import_quietly import import_quietly

with import_quietly():
    import onnx_ir as ir

    from pneumo_export.convert import convert
    from pneumo_export.parity.run_onnx import run_output
    from pneumo_export.precisions.int8 import CHOSEN, Quantisation, choose_calibration_rows, prepare, quantise_prepared
    from pneumo_infer.model.session import open_session
    from pneumo_train.data.batches import training_films
    from pneumo_train.evaluation.metrics import figures_at
    from pneumo_train.model.trained import load_trained
from pneumo_train.training.films import read_split

VARIANTS: dict[str, Quantisation] = {
    "as shipped": CHOSEN,
    "256 films": replace(CHOSEN, films=256),
    "1024 films": replace(CHOSEN, films=1024),
    "percentile 99.9": replace(CHOSEN, percentile=99.9),
    "percentile 99.995": replace(CHOSEN, percentile=99.995),
    "percentile 99.999": replace(CHOSEN, percentile=99.999),
    "min and max": replace(CHOSEN, method="minmax"),
    "entropy": replace(CHOSEN, method="entropy"),
    "one scale per tensor": replace(CHOSEN, per_channel=False),
    "8-bit weights": replace(CHOSEN, weight_bits=8),
    "conv1 in float": replace(CHOSEN, float_convolutions=1),
    "conv1 and conv2 in float": replace(CHOSEN, float_convolutions=10),
    "conv1 to conv3 in float": replace(CHOSEN, float_convolutions=22),
    "bias not corrected": replace(CHOSEN, correct_bias=False),
    "graph not rearranged": replace(CHOSEN, rearranged=False),
}
OUTPUTS = ("logit", "probability")
HEADER = "| variant | AUC | sensitivity | specificity | labels flipped | logit noise | MB | ms per film | speedup |"


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one file on the validation films, at the default operating point, and its size.

    Attributes
    ----------
    flipped
        Number of labels that differ from fp32.
    noise
        Standard deviation of the difference of the logit from fp32.
    """

    auc: float
    sensitivity: float
    specificity: float
    flipped: int
    noise: float
    megabytes: float


def main(
    model: Annotated[Path, typer.Argument(help="A .keras file from pneumo-train.")],
    data: Annotated[Path | None, typer.Option(help="Folder with its films, if they were moved after training.")] = None,
    to: Annotated[Path, typer.Option(help="Markdown file for the table.")] = Path("benchmarks/INT8.md"),
    rounds: Annotated[int, typer.Option(min=5, help="Timed films per file.")] = 100,
) -> None:
    """Quantise with each variant, measure accuracy and speed, and write the table."""
    source = load_trained(model)
    seed = source.description.recipe.split.seed
    point = source.description.default_point
    films = training_films(read_split(model.parent, data))
    held_out, targets = films.pixels[films.rows["validation"]], films.targets[films.rows["validation"]]
    with tempfile.TemporaryDirectory() as folder:
        files = {"fp32": Path(folder) / "fp32.onnx"}
        ir.save(convert(source.keras_model), files["fp32"])
        for number, (name, choice) in enumerate(VARIANTS.items()):
            calibration = films.pixels[choose_calibration_rows(films.rows["train"], seed, choice.films)]
            prepared, ranges = _prepared(files["fp32"], calibration, choice)
            files[name] = Path(folder) / f"{number}.onnx"
            quantise_prepared(prepared, ranges, files["fp32"], files[name], calibration, choice)
            print(f"quantised: {name}", flush=True)
        fp32 = {output: run_output(files["fp32"], output, held_out) for output in OUTPUTS}
        measured = {name: _measure(file, held_out, targets, fp32, point.threshold) for name, file in files.items()}
        milliseconds = time_interleaved({name: _engine(file) for name, file in files.items()}, noise_films(rounds))
    with atomic_write(to) as file:
        file.write(_table(measured, milliseconds, len(held_out), rounds))


def _prepared(fp32: Path, films: Any, choice: Quantisation) -> tuple[Path, Path]:
    """Prepare the graph, or reuse a graph that was prepared with the same settings."""
    name = f"{choice.films}-{choice.method}-{choice.percentile}-{choice.rearranged}"
    prepared, ranges = fp32.with_name(f"{name}.onnx"), fp32.with_name(f"{name}.json")
    if not ranges.exists():
        prepare(fp32, prepared, ranges, films, choice)
    return prepared, ranges


def _measure(file: Path, films: Any, targets: Any, fp32: dict[str, Any], threshold: float) -> Measured:
    logits, probabilities = (run_output(file, output, films) for output in OUTPUTS)
    return Measured(
        **figures_at(threshold, targets, probabilities),
        flipped=int(((probabilities >= threshold) != (fp32["probability"] >= threshold)).sum()),
        noise=float((logits - fp32["logit"]).std()),
        megabytes=file.stat().st_size / 1e6,
    )


def _engine(file: Path) -> Any:
    session = open_session(file, "cpu").session
    return lambda film: session.run(["probability"], {"image": film})


def _table(measured: dict[str, Measured], milliseconds: dict[str, float], films: int, rounds: int) -> str:
    facts = machine()
    lines = [
        "# int8: effect of each setting on accuracy and speed",
        "",
        "Generated by `python -m benchmarks.int8_search`. Each row after the first two changes one setting of "
        f"`as shipped`. Figures are for the {films} validation films at the default operating point. Flipped labels, "
        "logit noise (the standard deviation of the difference of the logit) and speedup are relative to fp32.",
        "",
        f"{facts['processor']} ({facts['instructions']}), {facts['processors']} processors, "
        f"median of {rounds} films, batch size 1, interleaved.",
        "",
        HEADER,
        "|---" * (HEADER.count("|") - 1) + "|",
    ]
    for name, m in measured.items():
        cells = [
            name,
            f"{m.auc:.4f}",
            f"{m.sensitivity:.4f}",
            f"{m.specificity:.4f}",
            str(m.flipped),
            f"{m.noise:.3f}",
            f"{m.megabytes:.1f}",
            f"{milliseconds[name]:.1f}",
            f"{milliseconds['fp32'] / milliseconds[name]:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)
