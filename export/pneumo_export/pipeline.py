"""Export a trained model: write and check all files in a temporary folder, then publish them in the output folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from pneumo_export.card.card import model_card
from pneumo_export.card.figures import draw_card
from pneumo_export.convert import check_graph, convert
from pneumo_export.errors import ExportError
from pneumo_export.metadata import add_metadata
from pneumo_export.parity.keras_reference import keras_reference
from pneumo_export.parity.proof import ParityFilms, Proof, prove
from pneumo_export.parity.run_onnx import run_output, run_outputs
from pneumo_export.precisions.fp16 import convert_to_fp16
from pneumo_export.precisions.int8 import choose_calibration_rows, quantise
from pneumo_export.released import record_digests
from pneumo_export.rewrites.half_storage import store_in_half
from pneumo_export.rewrites.names import normalise_names
from pneumo_infer.drift.reference import measure_reference
from pneumo_infer.files.atomic_write import atomic_write, write_json
from pneumo_infer.model.info import HEATMAP_SIDES
from pneumo_train.augmentation.degrade import LIMIT_SEED, degrade
from pneumo_train.data.batches import training_films
from pneumo_train.data.decode import DecodedFilms
from pneumo_train.model.trained import TrainedModel
from pneumo_train.ood.detector import choose_limit
from pneumo_train.release.publication import publish_files, staging

PRECISIONS = ("fp32", "fp16", "int8")
ENOUGH_FILMS = 256
FIGURES = "figures"
REPORT_FILES = ("metrics.json", "parity.json", "MODEL_CARD.md")


def export_onnx(
    source: TrainedModel,
    decoded: DecodedFilms,
    output: Path,
    precisions: tuple[str, ...],
    least_films: int = ENOUGH_FILMS,
) -> list[Proof]:
    """Write a model's ONNX files, `parity.json`, `metrics.json` and `MODEL_CARD.md`: all of them or none.

    Parameters
    ----------
    decoded
        The films of the split that the model was trained with.
    output
        The folder to write to; created if missing.
    precisions
        The precisions to write, a subset of `PRECISIONS`.
    least_films
        Minimum number of films for the parity check.

    Returns
    -------
    list of Proof
        One for each precision.

    Raises
    ------
    GraphError, ParityError
        A file breaks the contract or differs from Keras; nothing was written.
    ExportError
        The heatmaps are too coarse, there are too few films, or the folder cannot be written.
    """
    require_heatmaps(source)
    films = parity_films(decoded, least_films)
    try:
        with staging(output) as staged:
            files = make_files(source, decoded, staged, precisions)
            proofs = publish(files, source, films, staged, output)
        record_digests(output)
    except OSError as error:
        raise ExportError(str(output), f"cannot be written ({error.strerror})", "choose another --output") from error
    return proofs


def require_heatmaps(source: TrainedModel) -> None:
    """Check that a network's heatmaps are as fine as the contract requires.

    Raises
    ------
    ExportError
        They are too coarse.
    """
    size = source.keras_model.get_layer("trunk").output["heatmap"].shape[-1]
    least = HEATMAP_SIDES[0]
    if size < least:
        raise ExportError(
            source.path.name,
            f"has heatmaps of {size} x {size} cells, but the minimum is {least} x {least}",
            "train with network.output_stride=16, or with a larger image_size in the last phase",
        )


def make_files(
    source: TrainedModel, decoded: DecodedFilms, staged: Path, precisions: tuple[str, ...]
) -> dict[str, Path]:
    """Write the ONNX files of a model into a temporary folder.

    Returns
    -------
    dict
        Precision to file.
    """
    films = training_films(decoded)
    files = {precision: staged / f"pneumo-resnet50-{precision}.onnx" for precision in PRECISIONS}
    ir.save(convert(source.keras_model), files["fp32"])
    if "fp16" in precisions:
        convert_to_fp16(files["fp32"], files["fp16"])
    if "int8" in precisions:
        rows = choose_calibration_rows(films.rows["train"], source.description.recipe.split.seed)
        quantise(files["fp32"], files["int8"], films.pixels[rows])
    validation = films.rows["validation"]
    for precision in precisions:
        model = ir.load(files[precision])
        # Quantisation changes the distances, so each file gets its own limit and reference.
        outputs = ("probability", "domain_distance")
        probabilities, distances = run_outputs(files[precision], outputs, films.pixels[validation])
        degraded = run_output(files[precision], "domain_distance", degrade(films.pixels[validation], LIMIT_SEED))
        limit = choose_limit(np.concatenate([distances, degraded]))
        reference = measure_reference(probabilities, distances, films.targets[validation], limit)
        normalise_names(model)
        if precision != "fp32":
            store_in_half(model)
        add_metadata(model, source, precision, limit, reference)
        ir.save(model, files[precision])
    return {precision: files[precision] for precision in precisions}


def publish(
    files: dict[str, Path], source: TrainedModel, films: ParityFilms, staged: Path, output: Path
) -> list[Proof]:
    """Check all files against the contract and Keras, and move them to the output folder if all pass.

    Parameters
    ----------
    files
        Precision to file, as from `make_files`.
    staged
        The temporary folder with the files, as from `staging`.

    Returns
    -------
    list of Proof
        One for each file.

    Raises
    ------
    GraphError, ParityError
        A file failed; the output folder is unchanged.
    """
    for file in files.values():
        check_graph(onnx.load(file), file.name, "report this as a bug")
    reference = keras_reference(source, films.pixels)
    proofs = [prove(file, precision, reference, films) for precision, file in files.items()]
    for proof in proofs:
        proof.require("nothing was written")
    metrics = {split: figures.model_dump(mode="json") for split, figures in source.description.metrics.items()}
    write_json(staged / "metrics.json", metrics)
    write_json(staged / "parity.json", {proof.precision: proof.to_dict() for proof in proofs})
    pictures = draw_card(source, staged / FIGURES)
    with atomic_write(staged / "MODEL_CARD.md") as card:
        sizes = {precision: file.stat().st_size for precision, file in files.items()}
        card.write(model_card(source, proofs, sizes, {f"{FIGURES}/{name}": text for name, text in pictures.items()}))
    names = [*(file.name for file in files.values()), *(f"{FIGURES}/{name}" for name in pictures), *REPORT_FILES]
    publish_files(staged, output, names)
    return proofs


def parity_films(decoded: DecodedFilms, least_films: int) -> ParityFilms:
    """Return the validation films, together with the test films if the former are too few.

    Raises
    ------
    ExportError
        There are fewer than `least_films` in total.
    """
    films = training_films(decoded)
    source, rows = "validation", films.rows["validation"]
    if len(rows) < least_films and "test" in films.rows:
        source, rows = "validation and test", np.sort(np.concatenate([rows, films.rows["test"]]))
    if len(rows) < least_films:
        raise ExportError(
            f"{len(rows)} {source} films",
            f"too few for the parity check, which needs {least_films}",
            "train on more films, or lower --least-films for a weaker check",
        )
    paths = [decoded.root / decoded.films[row].path for row in rows]
    return ParityFilms(paths, decoded.pixels[rows], films.targets[rows], source)
