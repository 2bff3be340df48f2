"""Batches from decoded films, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pneumo_infer.images import Film


class FilmBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Feeds films to Keras: (uint8 (B, 224, 224, 1), float32 (B, 1)).

    Parameters
    ----------
    pixels
        uint8 (N, 224, 224, 1), all films.
    targets
        float32 (N,), 1 for PNEUMONIA.
    rows
        The films of this split.
    shuffle_seed
        Shuffles anew each epoch; None keeps the order.
    """

    def __init__(
        self,
        pixels: Film,
        targets: NDArray[np.float32],
        rows: NDArray[np.intp],
        batch_size: int,
        shuffle_seed: int | None = None,
    ) -> None:
        super().__init__()
        self.pixels = pixels
        self.targets = targets
        self.rows = rows
        self.batch_size = batch_size
        self.shuffle_seed = shuffle_seed
        self.order = rows
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch, counted from 0 over the whole run."""
        if self.shuffle_seed is not None:
            self.order = np.random.default_rng((self.shuffle_seed, epoch)).permutation(self.rows)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Film, NDArray[np.float32]]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return np.asarray(self.pixels[chosen]), self.targets[chosen, None]


class NextEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Draws the next epoch's order as soon as an epoch ends, before Keras prefetches from it."""

    def __init__(self, batches: FilmBatches, epochs_before: int) -> None:
        super().__init__()
        self.batches = batches
        self.epochs_before = epochs_before

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.batches.start_epoch(self.epochs_before + epoch + 1)
