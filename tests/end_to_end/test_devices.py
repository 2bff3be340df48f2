"""Training on two devices, in mixed precision and with JAX gives equivalent models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_training import TinyTraining, read_csv

# As a machine with two GPUs would be, but of processors: TensorFlow has to be told before it does anything else.
TWO_DEVICES = """
import sys
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
from pneumo_train.cli import main
sys.argv = ["pneumo-train", *sys.argv[1:]]
main()
"""
FEW_AND_AVERAGED = ["--set", "fit.epochs=2", "--set", "fit.ema_momentum=0.5", "--set", "phases.1.schedule=cosine"]


def train(light: TinyTraining, run: Path, start: list[str], *options: str, **environment: str) -> str:
    command = [sys.executable, *start, *map(str, light.command(run)[3:]), *FEW_AND_AVERAGED, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def alone(light: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("devices") / "alone"
    train(light, run, ["-m", "pneumo_train"])
    return run


def test_two_devices_learn_what_one_does(light: TinyTraining, alone: Path, tmp_path: Path) -> None:
    train(light, tmp_path / "two", ["-c", TWO_DEVICES], "--distribute", "data")
    one, two = read_csv(alone / "history.csv"), read_csv(tmp_path / "two" / "history.csv")
    assert [row["epoch"] for row in two] == ["1", "2", "3", "4"]
    for ours, theirs in zip(two, one, strict=True):
        # Augmentation and dropout draw apart on each device, so that the figures agree but roughly.
        assert float(ours["val_loss"]) == pytest.approx(float(theirs["val_loss"]), rel=0.3)
    assert json.loads((tmp_path / "two" / "model.json").read_text())["epochs"] == 4


def test_mixed_precision_ends_in_a_float32_model(light: TinyTraining, tmp_path: Path) -> None:
    train(light, tmp_path / "mixed", ["-m", "pneumo_train"], "--mixed-precision")
    model = keras.models.load_model(tmp_path / "mixed" / "model.keras")
    assert {layer.dtype_policy.name for layer in model.get_layer("trunk").layers} == {"float32"}
    outputs = model(np.zeros((1, 224, 224, 1), np.uint8))
    assert np.asarray(outputs["logit"]).dtype == np.float32
    assert all(np.isfinite(float(row["loss"])) for row in read_csv(tmp_path / "mixed" / "history.csv"))


def test_jax_learns_what_tensorflow_does_in_steps_compiled_whole(
    light: TinyTraining, alone: Path, tmp_path: Path
) -> None:
    said = train(light, tmp_path / "jax", ["-m", "pneumo_train"], KERAS_BACKEND="jax", JAX_LOG_COMPILES="1")
    assert said.count("Finished XLA compilation of jit(train_step)") >= 2  # one a phase, and one for its last batch
    for ours, theirs in zip(read_csv(tmp_path / "jax" / "history.csv"), read_csv(alone / "history.csv"), strict=True):
        assert float(ours["val_loss"]) == pytest.approx(float(theirs["val_loss"]), rel=0.3)


def test_a_backend_that_cannot_distribute_says_so(light: TinyTraining, tmp_path: Path) -> None:
    stand_in = "import keras; keras.backend.backend = lambda: 'torch'; from pneumo_train.cli import main; main()"
    command = [sys.executable, "-c", stand_in, *map(str, light.command(tmp_path / "run")[3:]), "--distribute", "data"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "KERAS_BACKEND=torch: cannot distribute data; use tensorflow or jax" in done.stderr
