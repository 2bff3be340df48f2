"""Sample films are synthetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_films import draw_film
from small_models import METADATA, write_model

from pneumo_infer import Classifier
from pneumo_train.errors import DataError
from pneumo_train.release.sample_films import draw_sample


@pytest.fixture
def brightness(tmp_path: Path) -> Classifier:
    """A model that classifies bright films as PNEUMONIA."""
    return Classifier(write_model(tmp_path / "brightness.onnx", METADATA), device="cpu")


def test_a_sample_is_like_the_films_and_none_of_them(brightness: Classifier) -> None:
    films = np.stack([draw_film(seed, height=224, width=224) for seed in range(12)])[..., None]
    target = int(films.mean() > 128)
    sample = draw_sample(films, brightness, target)
    assert (sample.shape, sample.dtype) == ((224, 224), np.uint8)
    assert abs(float(sample.mean()) - films.mean()) < 15
    assert min(np.abs(film[:, :, 0].astype(int) - sample).mean() for film in films) > 2
    np.testing.assert_array_equal(sample, draw_sample(films, brightness, target))


def test_films_that_are_never_classified_correctly(brightness: Classifier) -> None:
    films = np.stack([draw_film(seed, height=224, width=224) for seed in range(4)])[..., None]
    with pytest.raises(DataError, match="none of 200 samples is classified correctly with a margin"):
        draw_sample(films, brightness, target=int(films.mean() <= 128))
