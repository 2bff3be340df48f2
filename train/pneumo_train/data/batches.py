"""Batches of decoded films, in an order that depends only on the seed and the epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pneumo_infer.films.raster import Film
from pneumo_train.data.chunks import FILMS_PER_BATCH, in_batches
from pneumo_train.data.decode import DecodedFilms
from pneumo_train.data.lung_fields import lung_fields

PackedFields = NDArray[np.uint8]  # (N, 224, 28), one bit per pixel


@dataclass(frozen=True, slots=True)
class TrainingFilms:
    """The films of a run.

    Attributes
    ----------
    pixels
        uint8 (N, 224, 224, 1).
    targets
        float32 (N,), 1 for PNEUMONIA.
    rows
        Split name to the indices of its films.
    """

    pixels: Film
    targets: NDArray[np.float32]
    rows: dict[str, NDArray[np.intp]]


def training_films(decoded: DecodedFilms) -> TrainingFilms:
    """Collect the pixels and targets of decoded films, and the indices of the films in each split."""
    splits = np.array([film.split for film in decoded.films])
    targets = np.array([film.is_pneumonia for film in decoded.films], dtype=np.float32)
    return TrainingFilms(decoded.pixels, targets, {str(name): np.flatnonzero(splits == name) for name in set(splits)})


class FilmBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Feeds Keras with (uint8 (B, 224, 224, C), float32 (B, 1)); lung fields, if given, are the second channel.

    Parameters
    ----------
    pixels
        uint8 (N, 224, 224, 1), all films.
    targets
        float32 (N,), 1 for PNEUMONIA.
    rows
        Indices of the films in this split.
    shuffle_seed
        Seed of the order, which differs in each epoch; None keeps the order of `rows`.
    balanced
        Use every film of the smaller class in each epoch, and an equal number of the other class, drawn at random.
        Requires a seed.
    sharing
        Number of devices that share each batch evenly. The batch size is rounded up to a multiple of it. If the number
        of films is not a multiple, the first films of an epoch are repeated at its end.
    fields
        Lung fields of all films, as returned by `packed_lung_fields`.
    """

    def __init__(
        self,
        pixels: Film,
        targets: NDArray[np.float32],
        rows: NDArray[np.intp],
        shuffle_seed: int | None = None,
        *,
        batch_size: int,
        balanced: bool = False,
        sharing: int = 1,
        fields: PackedFields | None = None,
    ) -> None:
        super().__init__()
        self.pixels = pixels
        self.targets = targets
        self.rows = rows
        self.batch_size = _next_multiple(batch_size, sharing)
        self.shuffle_seed = shuffle_seed
        self.balanced = balanced
        self.sharing = sharing
        self.fields = fields
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Set the order for an epoch, counted from 0 over the whole run."""
        order = self.rows
        if self.shuffle_seed is not None:
            rng = np.random.default_rng((self.shuffle_seed, epoch))
            order = rng.permutation(self._balance(rng) if self.balanced else order)
        self.order = np.resize(order, _next_multiple(len(order), self.sharing))

    def _balance(self, rng: np.random.Generator) -> NDArray[np.intp]:
        by_class = [self.rows[self.targets[self.rows] == label] for label in (0, 1)]
        fewest = min(map(len, by_class))
        return np.concatenate([rng.choice(rows, fewest, replace=False) for rows in by_class])

    def __len__(self) -> int:
        return _next_multiple(len(self.order), self.batch_size) // self.batch_size

    def __getitem__(self, index: int) -> tuple[Film, NDArray[np.float32]]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        films = np.asarray(self.pixels[chosen])
        if self.fields is not None:
            inside = np.unpackbits(self.fields[chosen], axis=2)[..., None] * np.uint8(255)
            films = np.concatenate([films, inside], axis=3)
        return films, self.targets[chosen, None]

    def feed(self) -> Any:
        """Return what to pass to Keras: a `tf.data.Dataset` of the batches with TensorFlow, otherwise this object.

        The dataset that Keras would create tunes itself. Its tuning thread often misses the end of an epoch, because it
        is woken before the flag that it checks is set. It then sleeps for up to a minute, and the next epoch waits for
        it. Films that are already decoded need no tuning.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf

        pixels, targets = (tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in self[0])
        options = tf.data.Options()
        options.autotune.enabled = False
        in_order = tf.data.Dataset.from_generator(
            lambda: (self[index] for index in range(len(self))), output_signature=(pixels, targets)
        )
        return in_order.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(2).with_options(options)


def packed_lung_fields(pixels: Film, on_films: Callable[[int], object] = lambda count: None) -> PackedFields:
    """Find the lung fields of films, uint8 (N, 224, 224, 1); call `on_films` with the size of each finished batch."""
    parts = []
    for batch in in_batches(pixels):
        parts.append(np.packbits(lung_fields(batch), axis=2))
        on_films(len(batch))
    return np.concatenate(parts)


def predict(model: keras.Model, pixels: Film) -> Any:
    """Run a model on decoded films, uint8 (N, 224, 224, 1), and return its outputs, with N rows each."""
    if keras.backend.backend() == "tensorflow":
        # XLA would compile each model twice, since the last batch is smaller, and run it no faster.
        model.jit_compile = False
    no_targets = np.zeros(len(pixels), np.float32)
    return model.predict(
        FilmBatches(pixels, no_targets, np.arange(len(pixels)), batch_size=FILMS_PER_BATCH).feed(), verbose=0
    )


def _next_multiple(count: int, of: int) -> int:
    return -(-count // of) * of


class SeedEachEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Makes all randomness in an epoch depend only on the seed and the epoch, so that a resumed run repeats it.

    Keras does not save the state of its random layers, so each layer gets a new state at the start of an epoch. The
    order of the films is set at the end of the previous epoch, because Keras may start to prefetch then.

    Parameters
    ----------
    batches
        The training batches.
    seed
        Seed of the run.
    epochs_before
        Number of epochs in earlier phases of the run.
    """

    def __init__(self, batches: FilmBatches, seed: int, epochs_before: int) -> None:
        super().__init__()
        self.batches = batches
        self.seed = seed
        self.epochs_before = epochs_before

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        generators = [variable for variable in self.model.variables if "seed_generator_state" in variable.path]
        for number, state in enumerate(generators):
            drawn = np.random.default_rng((self.seed, self.epochs_before + epoch, number))
            state.assign(drawn.integers(2**31, size=state.shape))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.batches.start_epoch(self.epochs_before + epoch + 1)
