"""Create the two synthetic sample films that ship with pneumo-infer, since films of patients must not be included.

The samples are drawn at random from a principal-component model of the training films of each class (Turk & Pentland,
J. Cognitive Neuroscience 3, 1991).

    python -m pneumo_train.release.sample_films RUN --model FILE.onnx --to pneumo_infer/samples
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from sklearn.decomposition import PCA

from pneumo_infer import Classifier
from pneumo_infer.files.atomic_write import replacing
from pneumo_infer.films.preprocess import NETWORK_SIZE
from pneumo_infer.films.raster import Film
from pneumo_infer.model.info import LABELS
from pneumo_train.data.batches import training_films
from pneumo_train.errors import DataError
from pneumo_train.training.films import read_split

COMPONENTS = 150
SEED = 2018
DRAWS = 200
MARGIN = 0.1  # largest difference of the probability from 0 or 1


def main(
    run: Annotated[Path, typer.Argument(help="Folder of the run whose training films are modelled.")],
    model: Annotated[Path, typer.Option(help="ONNX file that has to classify the samples correctly.")],
    to: Annotated[Path, typer.Option(help="Output folder of the two PNG files.")],
    data: Annotated[Path | None, typer.Option(help="Data set of the run, if it has moved.")] = None,
) -> None:
    """Draw one NORMAL and one PNEUMONIA film that the model classifies correctly with a margin."""
    films = training_films(read_split(run, data))
    classifier = Classifier(model, device="cpu")
    rows = films.rows["train"]
    for target, label in enumerate(LABELS):
        of_class = rows[films.targets[rows] == target]
        sample = draw_sample(films.pixels[of_class], classifier, target)
        with replacing(to / f"{label.lower()}.png") as temporary:
            Image.fromarray(sample).save(temporary, optimize=True)
        typer.echo(f"{label}: {classifier.predict(sample).probability:.4f}")


def draw_sample(films: Film, classifier: Classifier, target: int) -> Film:
    """Draw films from a principal-component model until one is in the domain and classified correctly with a margin.

    Parameters
    ----------
    films
        uint8 (N, 224, 224, 1), training films of one class.
    classifier
        The model that has to classify the sample correctly.
    target
        1 for PNEUMONIA, 0 for NORMAL.

    Raises
    ------
    DataError
        None of the draws was accepted.
    """
    model = PCA(min(COMPONENTS, len(films) - 1), svd_solver="randomized", random_state=SEED)
    model.fit(films.reshape(len(films), -1).astype(np.float32))
    rng = np.random.default_rng(SEED)
    for _ in range(DRAWS):
        scores = rng.normal(0.0, np.sqrt(model.explained_variance_))
        grey = model.inverse_transform(scores[None])[0].reshape(NETWORK_SIZE, NETWORK_SIZE)
        sample: Film = grey.clip(0, 255).round().astype(np.uint8)
        prediction = classifier.predict(sample)
        probability = prediction.probability
        if prediction.in_domain and probability is not None and abs(probability - target) <= MARGIN:
            return sample
    problem = f"none of {DRAWS} samples is classified correctly with a margin"
    raise DataError(LABELS[target], problem, "train a better model")


if __name__ == "__main__":
    typer.run(main)
