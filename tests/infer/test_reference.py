"""What a model file says of its validation films, written and read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_models import METADATA, write_model

from pneumo_infer import Classifier, ModelError
from pneumo_infer.drift.reference import Reference, measure_reference, read_reference
from pneumo_infer.model.info import ModelInfo


def model(folder: Path, **entries: str) -> ModelInfo:
    return Classifier(write_model(folder / "m.onnx", {**METADATA, **entries}), device="cpu").model


@pytest.fixture
def measured() -> Reference:
    rng = np.random.default_rng(0)
    ill = np.arange(200) % 4 > 0
    return measure_reference(np.where(ill, 1 - rng.random(200) / 9, rng.random(200) / 9), rng.random(200), ill, 0.9)


def test_it_is_read_as_it_was_written(tmp_path: Path, measured: Reference) -> None:
    assert read_reference(model(tmp_path, reference=json.dumps(measured.to_dict()))) == measured


def test_it_counts_films_by_class(measured: Reference) -> None:
    assert (measured.films, measured.normal, measured.pneumonia) == (200, 50, 150)
    assert measured.out_of_domain == (np.random.default_rng(0).random(600)[400:] > 0.9).sum()
    assert len(measured.domain_distance.edges) == 9
    together = np.add(measured.domain_distance.normal, measured.domain_distance.pneumonia)
    assert together.tolist() == [20] * 10
    assert measured.probability.normal[:4] == (10, 10, 10, 10)
    assert measured.probability.pneumonia[-4:] == (30, 30, 30, 30)


def test_equal_answers_share_a_bin() -> None:
    measured = measure_reference([0.5] * 4, [1.0] * 4, [0, 1, 0, 1], 2.0)
    assert measured.probability.edges == (0.5,)
    assert measured.probability.normal == (0, 2)


def test_a_model_without_one_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"m\.onnx: has no pneumo\.reference.*; export it again"):
        read_reference(model(tmp_path))


@pytest.mark.parametrize("change", [{"edges": [1]}, {"normal": None}, {"edges": [2, 1] * 4}, {"quantiles": [1, 2]}])
def test_a_malformed_one_is_refused(tmp_path: Path, measured: Reference, change: dict[str, object]) -> None:
    described = measured.to_dict()
    described["probability"] = {**described["probability"], **change}
    with pytest.raises(ModelError, match=r"malformed pneumo\.reference"):
        read_reference(model(tmp_path, reference=json.dumps(described)))
    with pytest.raises(ModelError, match=r"malformed pneumo\.reference"):
        read_reference(model(tmp_path, reference="{}"))
