"""Makes the two sample films that ship with pneumo-infer, since no patient's film may.

A principal-component model of each class's training films (Turk & Pentland, J. Cognitive Neuroscience 3, 1991) is drawn
from at random: what comes out looks like a film and is nobody's.

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
from pneumo_infer.atomic_write import replacing
from pneumo_infer.films.preprocess import NETWORK_SIZE
from pneumo_infer.films.raster import Film
from pneumo_infer.model.info import LABELS
from pneumo_train.errors import DataError
from pneumo_train.training.run import read_split, training_films

COMPONENTS = 150
SEED = 2018
DRAWS = 200
MARGIN = 0.1  # a sample's probability is at most this far from 0 or 1


def main(
    run: Annotated[Path, typer.Argument(help="A run folder; its training films are the ones modelled.")],
    model: Annotated[Path, typer.Option(help="The ONNX file that must read the samples correctly.")],
    to: Annotated[Path, typer.Option(help="Folder to write the two PNG files to.")],
    data: Annotated[Path | None, typer.Option(help="Where the run's films lie now.")] = None,
) -> None:
    """Draw one NORMAL and one PNEUMONIA film that the model reads correctly with a margin."""
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
    """Draw films from a principal-component model until one is in the domain and read as it should be, with a margin.

    Parameters
    ----------
    films
        uint8 (N, 224, 224, 1), training films of one class.
    target
        1 for PNEUMONIA, 0 for NORMAL.

    Raises
    ------
    DataError
        None of the draws was.
    """
    model = PCA(min(COMPONENTS, len(films) - 1), svd_solver="randomized", random_state=SEED)
    model.fit(films.reshape(len(films), -1).astype(np.float32))
    rng = np.random.default_rng(SEED)
    for _ in range(DRAWS):
        scores = rng.normal(0.0, np.sqrt(model.explained_variance_))
        grey = model.inverse_transform(scores[None])[0].reshape(NETWORK_SIZE, NETWORK_SIZE)
        sample: Film = grey.clip(0, 255).round().astype(np.uint8)
        answer = classifier.predict(sample)
        if answer.in_domain and answer.probability is not None and abs(answer.probability - target) <= MARGIN:
            return sample
    raise DataError(
        LABELS[target], f"has no sample that is read with a margin in {DRAWS} draws", "train a better model"
    )


if __name__ == "__main__":
    typer.run(main)
