"""Numeric precision and devices of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import keras

from pneumo_train.console import print_line
from pneumo_train.errors import RunError

# As in /proc/cpuinfo, on x86-64 and Arm.
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
Distribute = Literal["none", "data"]


@contextmanager
def computing(mixed_precision: bool, distribute: Distribute) -> Iterator[None]:
    """Set precision and devices for everything that is built and trained in the block.

    Parameters
    ----------
    mixed_precision
        Compute in bfloat16 and keep weights in float32. bfloat16 has the range of float32, so the loss needs no
        scaling. Prints a warning if the hardware does not support bfloat16, because emulation is slow.
    distribute
        `data` splits every batch across devices: with TensorFlow all GPUs of the machine, or of the machines in
        TF_CONFIG; with JAX all of its devices.

    Raises
    ------
    RunError
        The backend cannot distribute data.
    """
    if mixed_precision and not has_fast_bfloat16():
        print_line(
            "warning: --mixed-precision: found neither a GPU nor a processor with bfloat16 (AVX512-BF16, AMX-BF16); "
            "training is likely to be slower than without it",
            style="yellow",
        )
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed_precision else "float32")
    try:
        with _distributed(distribute):
            yield
    finally:
        keras.config.set_dtype_policy(previous)


def has_fast_bfloat16() -> bool:
    """Return whether the backend uses an accelerator, or the CPU has bfloat16 instructions."""
    return _on_accelerator() or bool(BFLOAT16_FLAGS & processor_flags())


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """Read the instruction sets of the first CPU on Linux; empty on other systems."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    flags = (line.partition(":")[2] for line in lines if line.partition(":")[0].strip() in ("flags", "Features"))
    return set(next(flags, "").split())


def _on_accelerator() -> bool:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return any(device.device_type != "CPU" for device in tf.config.list_physical_devices())
    if backend == "jax":
        import jax

        return bool(jax.default_backend() != "cpu")
    import torch

    return bool(torch.cuda.is_available())


def devices_that_share_evenly() -> int:
    """Count the devices that need equal shares of every batch. Only JAX requires this; TensorFlow handles any size."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


def compile_whole_steps(model: keras.Model) -> None:
    """Make JAX compile the whole training step of a model, including augmentation; other backends are not changed.

    Keras disables this on every backend for its layers that rotate, shift and zoom, because TensorFlow cannot compile
    them. With such a layer, JAX would run the whole model operation by operation: on an H100, more than ten times
    slower.
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
        remedy = "use tensorflow or jax, or remove --distribute"
        raise RunError(f"KERAS_BACKEND={backend}", "cannot distribute data", remedy)
