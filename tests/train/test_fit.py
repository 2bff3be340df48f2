"""The metric that decides which epoch is kept."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pneumo_train.training.fit import auc_of_logits


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0])
def test_films_are_ranked_however_sure_a_network_is_of_them(scale: float) -> None:
    rng = np.random.default_rng(5)
    targets = (rng.random(500) < 0.7).astype(np.float32)
    logits = (scale * (rng.normal(0.0, 1.0, 500) + 3.0 * targets)).astype(np.float32)
    metric = auc_of_logits()
    metric.update_state(targets[:, None], logits[:, None])
    assert float(metric.result()) == pytest.approx(roc_auc_score(targets, logits), abs=1e-3)
