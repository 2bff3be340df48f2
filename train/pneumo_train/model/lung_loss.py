"""Auxiliary loss that teaches the network where the lungs are."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

WEIGHT = 0.5  # relative to the classification loss


@keras.saving.register_keras_serializable("pneumo_train")
class LungFieldLoss(keras.layers.Layer):  # type: ignore[misc]
    """Pass logits through, and add the cross-entropy between lung logits and lung fields in training.

    The target of a cell is the share of its pixels that belong to the lungs.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Take `logit` (N, 1), `lungs` (N, S, S, 1) and lung fields (N, H, W, 1) in 0..255, and return `logit`."""
        logit, lungs, fields = inputs
        if training:
            target = ops.image.resize(ops.cast(fields, "float32") / 255.0, lungs.shape[1:3], antialias=True)
            self.add_loss(WEIGHT * ops.mean(ops.binary_crossentropy(target, lungs, from_logits=True)))
        return logit
