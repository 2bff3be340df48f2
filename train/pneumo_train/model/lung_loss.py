"""Auxiliary loss: the network learns where the lungs are."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

WEIGHT = 0.5  # relative to the classification loss


@keras.saving.register_keras_serializable("pneumo_train")
class LungFieldLoss(keras.layers.Layer):  # type: ignore[misc]
    """Passes logits on, and adds the cross-entropy between lung logits and lung fields in training.

    A place of the network's last maps sees the share of its pixels that are lung.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Take `logit` (N, 1), `lungs` (N, S, S, 1) and lung fields (N, H, W, 1) in 0..255; give `logit`."""
        logit, lungs, fields = inputs
        if training:
            seen = ops.image.resize(ops.cast(fields, "float32") / 255.0, lungs.shape[1:3], antialias=True)
            self.add_loss(WEIGHT * ops.mean(ops.binary_crossentropy(seen, lungs, from_logits=True)))
        return logit
