"""A phase that hands on part of what an earlier one did: weights between those of both."""

from __future__ import annotations

import subprocess
from pathlib import Path

import keras
import numpy as np
from tiny_training import TinyTraining


def test_the_model_lies_between_two_phases(light: TinyTraining, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ["fit.epochs=1", "fit.keep=last", "phases.top.mixed_with=head", "phases.top.mixed_share=0.25"]
    options = [word for setting in settings for word in ("--set", setting)]
    subprocess.run([*light.command(run), *options], check=True, capture_output=True)

    def weights(file: Path) -> list[np.ndarray]:
        return keras.models.load_model(file).get_layer("trunk").get_weights()

    earlier, later = (weights(run / "checkpoints" / f"{phase}-001.keras") for phase in ("head", "top"))
    assert any(not np.array_equal(one, other) for one, other in zip(earlier, later, strict=True))
    for before, after, mixed in zip(earlier, later, weights(run / "model.keras"), strict=True):
        # The model's are rounded to float16.
        np.testing.assert_allclose(mixed, 0.25 * before + 0.75 * after, rtol=2**-10, atol=1e-7)
