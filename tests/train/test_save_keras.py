"""Released Keras files are half the size, with weights rounded to float16."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras
import numpy as np

from pneumo_train.model.save_keras import round_to_float16, save_deflated


def dense() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((256,)), keras.layers.Dense(512)])


def test_weights_are_rounded_unless_they_exceed_float16() -> None:
    model = dense()
    kernel, bias = model.get_weights()
    bias[0] = 1e6
    model.set_weights([kernel, bias])
    round_to_float16(model)
    rounded, unchanged = model.get_weights()
    np.testing.assert_array_equal(rounded, kernel.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(unchanged, bias)
    assert rounded.dtype == np.float32


def test_the_file_is_smaller_and_loads_as_any_other(tmp_path: Path) -> None:
    model = dense()
    model.save(tmp_path / "stored.keras")
    round_to_float16(model)
    save_deflated(model, tmp_path / "model.keras")
    assert (tmp_path / "model.keras").stat().st_size < 0.65 * (tmp_path / "stored.keras").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.keras", "stored.keras"]
    for ours, theirs in zip(
        keras.models.load_model(tmp_path / "model.keras").get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert archive.testzip() is None
