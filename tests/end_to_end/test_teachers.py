"""A run whose network is taught by others: it trains them first, and goes on from wherever it was stopped."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import pytest
from stopped_runs import stop_run
from tiny_training import LIGHT_RECIPE, TinyTraining, read_csv

from pneumo_train.teaching import Agreement

TAUGHT = """
[[phases]]
name = "taught"
train = "all"
side = 64
batch_normalisation = "learns"
least_area = 0.5
epochs = 2
batch_size = 4
learning_rate = 1e-4
schedule = "cosine"
teaching_temperature = 4

[phases.teachers]
mirrored = true
mixup = 0.3
augment.flip = true
recipes."mobilenet small" = ["phases.0.side=64", "phases.1.side=64"]
"""


@pytest.fixture(scope="module")
def taught(light: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> TinyTraining:
    recipe = tmp_path_factory.mktemp("taught") / "taught.toml"
    recipe.write_text(LIGHT_RECIPE + TAUGHT)
    return replace(light, recipe=recipe)


def test_teachers_are_trained_first_and_once(taught: TinyTraining, tmp_path: Path) -> None:
    run = tmp_path / "run"
    teacher = run / "teachers" / "taught" / "mobilenet small"
    command = [*taught.command(run), "--set", "fit.epochs=2"]
    stop_run(command, teacher, signal.SIGKILL)
    assert [row["phase"] for row in read_csv(run / "history.csv")] == ["head"] * 2 + ["top"] * 2
    stop_run([sys.executable, "-m", "pneumo_train", "--resume", run], run, signal.SIGKILL, after_epochs=5)
    its_epochs = (teacher / "history.csv").read_bytes()

    subprocess.run([sys.executable, "-m", "pneumo_train", "--resume", run], check=True, capture_output=True)
    assert [row["phase"] for row in read_csv(run / "history.csv")] == ["head"] * 2 + ["top"] * 2 + ["taught"] * 2
    assert (teacher / "history.csv").read_bytes() == its_epochs
    assert (run / "model.json").exists()

    films = sum(row["split"] == "train" for row in read_csv(run / "split.csv"))
    trained = keras.models.load_model(run / "checkpoints" / "taught-002.keras", {"Agreement": Agreement})
    assert int(trained.optimizer.iterations) == 2 * math.ceil(films / 4)  # in batches of the phase's own size
