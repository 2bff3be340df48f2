"""Values of a recipe that make no sense are refused by the recipe's own limits."""

from __future__ import annotations

import re

import pytest

from pneumo_train.errors import RecipeError
from pneumo_train.recipe_files import read_recipe


@pytest.mark.parametrize(
    "setting",
    [
        "split.seed=-1",
        f"split.seed={2**32}",
        "split.validation=nan",
        "fit.epochs=1000000000000000000000000000000",
        "fit.batch_size=1000000000000000000000000000000",
        "fit.weight_decay=inf",
        "fit.weight_decay=1e30",
        "fit.early_stopping_patience=1000000000000000000000000000000",
        "fit.ema_momentum=nan",
        "network.l2=inf",
        "network.hidden_units=1000000000000000000000000000000",
        "augment.noise=nan",
        "phases.0.learning_rate=inf",
        "phases.0.learning_rate=nan",
        "phases.0.learning_rate=1e3",
        "phases.0.epochs=1000000000000000000000000000000",
        "phases.0.train=1000000000000000000000000000000",
    ],
)
def test_a_value_without_sense(setting: str) -> None:
    key = setting.partition("=")[0]
    with pytest.raises(RecipeError, match=f"finetune: {re.escape(key)}.*; correct these values"):
        read_recipe("finetune", [setting])


@pytest.mark.parametrize(
    "setting",
    [
        "fit.epochs=" + "1" * 5_000,
        "fit.epochs=" + "[" * 20_000,
        "a." * 5_000 + "a=1",
        "phases=[1]",
        "phases.0.name=[1]",
        "phases=[1, 2]",
    ],
)
def test_a_setting_of_another_shape(setting: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe("finetune", [setting, "phases.0.epochs=2"])
    assert len(str(caught.value)) < 11_000
