"""Style statistics describe how a film was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_films import SHARED_FILMS, draw_film
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from pneumo_train.data.decode import decode_films
from pneumo_train.data.manifest import read_manifest
from pneumo_train.errors import DataError
from pneumo_train.style.acquisition import BANDS, STATISTICS, fit_style, is_atypical, style_clusters, style_statistics

SPLIT = Path(__file__).parents[2] / "models" / "split.csv"


def films(count: int) -> NDArray[np.uint8]:
    return np.stack([np.asarray(Image.fromarray(draw_film(seed)).resize((224, 224))) for seed in range(count)])


def styles(count: int, shift: float) -> tuple[NDArray[np.float64], NDArray[np.float32], list[str]]:
    """Statistics of two films of each patient, whose classes lie `shift` standard deviations apart in each."""
    rng = np.random.default_rng(0)
    targets = np.repeat((np.arange(count) % 4 > 0).astype(np.float32), 2)
    of_patient = np.repeat(rng.normal(size=(count, len(STATISTICS))), 2, axis=0)
    return of_patient + shift * targets[:, None], targets, [str(number) for number in np.arange(count).repeat(2)]


def test_greys_are_those_of_the_centre_and_of_two_edges() -> None:
    film = np.full((1, 224, 224), 100, np.uint8)
    film[0, :, 0], film[0, 0] = 7, 30
    film[0, 39], film[0, 184] = 255, 255  # just outside the central 144 rows
    found = dict(zip(STATISTICS, style_statistics(film)[0], strict=True))
    assert [found[f"grey quantile {q}"] for q in (5, 25, 50, 75, 95)] == [100] * 5
    assert found["standard deviation"] == 0
    assert found["mean of top edge"] == 30
    assert found["mean of left edge"] == pytest.approx((30 + 255 * 2 + 221 * 7) / 224)


@pytest.mark.parametrize("band", range(BANDS))
def test_a_texture_that_fills_a_ring_of_frequencies_is_loudest_in_its_band(band: int) -> None:
    noise = np.random.default_rng(0).normal(size=(224, 224))
    cycles = np.fft.fftfreq(224, 1 / 144)  # in the central 144 pixels
    radius = np.hypot(cycles[:, None], cycles)
    in_ring = (radius >= 72 / BANDS * band) & (radius < 72 / BANDS * (band + 1))
    texture = np.fft.ifft2(np.fft.fft2(noise) * in_ring).real
    made = np.stack([128 + 2 * noise, 128 + 2 * noise + 20 * texture / texture.std()]).clip(0, 255).astype(np.uint8)
    plain, textured = style_statistics(made)[:, 6 : 6 + BANDS]
    rise = textured - plain
    assert int(np.argmax(rise)) == band
    # The window carries only a little power over the edges of a ring.
    assert (np.delete(rise, band) < rise[band] - 1).all()


def test_blur_takes_power_from_the_upper_bands_only() -> None:
    from scipy.ndimage import gaussian_filter

    sharp = films(4)
    blurred = np.stack([gaussian_filter(film, 2) for film in sharp])
    fall = (style_statistics(sharp) - style_statistics(blurred))[:, 6 : 6 + BANDS]
    assert (fall[:, 3:] > 1).all()
    assert (np.abs(fall[:, 0]) < fall[:, 3]).all()


def test_a_channel_axis_and_many_films_change_nothing() -> None:
    few = films(3)
    many = np.concatenate([few] * 100)  # more than are computed at once
    found = style_statistics(many[..., None])
    assert found.shape == (300, 14)
    assert found.dtype == np.float64
    assert np.array_equal(found, np.tile(style_statistics(few), (100, 1)))
    assert style_statistics(few[:0]).shape == (0, 14)


@pytest.mark.parametrize("wrong", [np.zeros((2, 224, 200), np.uint8), np.zeros((2, 224, 224), np.float32)])
def test_what_is_no_array_of_films_is_refused(wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match="give uint8"):
        style_statistics(wrong)


def test_style_that_tells_the_label_is_found_in_films_of_other_patients() -> None:
    statistics, targets, patients = styles(200, shift=1.0)
    fitted, new = np.arange(400) < 300, np.arange(400) >= 300
    model = fit_style(statistics[fitted], targets[fitted], patients[:300])
    assert roc_auc_score(targets[fitted], model.out_of_fold) > 0.9
    assert roc_auc_score(targets[new], model.score(statistics[new])) > 0.9


def test_a_patients_other_film_gives_nothing_away() -> None:
    # Both films of a patient are alike: folds that parted them would know the label, which style does not tell here.
    statistics, targets, patients = styles(300, shift=0.0)
    assert 0.4 < roc_auc_score(targets, fit_style(statistics, targets, patients).out_of_fold) < 0.6
    apart = [str(number) for number in range(len(targets))]
    assert roc_auc_score(targets, fit_style(statistics, targets, apart).out_of_fold) > 0.8


def test_too_few_patients_are_refused() -> None:
    statistics, targets, patients = styles(96, shift=1.0)  # 24 of them NORMAL
    with pytest.raises(DataError, match=r"25 patients of each class \(found 24\)"):
        fit_style(statistics, targets, patients)


def test_as_few_patients_as_are_needed_tell_style() -> None:
    statistics, targets, patients = styles(100, shift=1.0)  # 25 of them NORMAL
    assert roc_auc_score(targets, fit_style(statistics, targets, patients).out_of_fold) > 0.8


def test_atypical_is_what_points_to_the_other_class() -> None:
    scores, targets = np.array([0.49, 0.5, 0.49, 0.5]), np.array([0, 0, 1, 1], np.float32)
    assert is_atypical(scores, targets).tolist() == [False, True, True, False]


def test_clusters_are_the_styles_that_are_there_the_largest_first() -> None:
    rng = np.random.default_rng(0)
    made = rng.permutation(np.repeat(np.arange(3), [20, 60, 40]))
    statistics = rng.normal(size=(120, 14)) * 10.0 ** np.arange(14) + made[:, None] * 10 * 10.0 ** np.arange(14)
    assert style_clusters(statistics, 3).tolist() == np.array([2, 0, 1])[made].tolist()
    with pytest.raises(DataError, match="2 films"):
        style_clusters(statistics[:2], 3)


@pytest.mark.skipif(not (SHARED_FILMS / "chest_xray").is_dir(), reason="the real films are not at hand")
def test_style_predicts_the_label_of_the_real_films(tmp_path: Path) -> None:
    decoded = decode_films(SHARED_FILMS / "chest_xray", read_manifest(SPLIT, SHARED_FILMS / "chest_xray"), tmp_path)
    targets = np.array([film.is_pneumonia for film in decoded.films], np.float32)
    statistics = style_statistics(decoded.pixels)
    scores = fit_style(statistics, targets, [film.patient for film in decoded.films]).out_of_fold
    held_out = np.array([film.split != "train" for film in decoded.films])
    atypical = is_atypical(scores, targets) & held_out
    assert roc_auc_score(targets, scores) == pytest.approx(0.96, abs=0.01)
    assert [int((atypical & (targets == label)).sum()) for label in (0, 1)] == pytest.approx([26, 67], abs=10)
