"""What a run computes on: precision, and several devices at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import keras

from pneumo_train.errors import RunError

Distribute = Literal["none", "data"]


@contextmanager
def computing(mixed_precision: bool, distribute: Distribute) -> Iterator[None]:
    """Set precision and devices for all that is built and trained in the block.

    Parameters
    ----------
    mixed_precision
        Compute in bfloat16 and keep weights in float32; bfloat16 has float32's range, so that no loss has to be scaled.
    distribute
        `data` gives each device its share of every batch, by the distribution of the Keras backend in use: on
        TensorFlow all GPUs of the machine, or of the machines that TF_CONFIG names; on JAX all of its devices.

    Raises
    ------
    RunError
        The backend cannot distribute.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed_precision else "float32")
    try:
        with _distributed(distribute):
            yield
    finally:
        keras.config.set_dtype_policy(before)


def devices_that_share_evenly() -> int:
    """Count the devices that need equal shares of every batch: JAX's; TensorFlow's take what there is."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


def compile_whole_steps(model: keras.Model) -> None:
    """Have JAX compile a compiled model's training step as one, augmentation too; other backends stay as they are.

    Keras' layers that turn, shift and zoom forbid it under every backend, since TensorFlow cannot; with one of them in
    the model, JAX would run all of it operation by operation: on an H100, more than ten times slower.
    """
    if keras.backend.backend() == "jax":
        for layer in model.layers:
            layer.supports_jit = True
        model.jit_compile = True


@contextmanager
def _distributed(distribute: Distribute) -> Iterator[None]:
    backend = keras.backend.backend()
    if distribute == "none":
        yield
    elif backend == "tensorflow":
        import tensorflow as tf

        several_machines = "TF_CONFIG" in os.environ
        strategy = tf.distribute.MultiWorkerMirroredStrategy() if several_machines else tf.distribute.MirroredStrategy()
        with strategy.scope():
            yield
    elif backend == "jax":
        keras.distribution.set_distribution(keras.distribution.DataParallel())
        try:
            yield
        finally:
            keras.distribution.set_distribution(None)
    else:
        raise RunError(
            f"KERAS_BACKEND={backend}", "cannot distribute data", "use tensorflow or jax, or leave --distribute out"
        )
