"""Compare films with a model's validation films: a drift check for deployments.

There are three measures. Each has a limit that matters in practice and that chance rarely exceeds for the given number
of films:

- the share of films out of domain, with an exact binomial bound;
- the population stability index (PSI) of `domain_distance` and the PSI of `probability`, relative to the validation
  films. PSI is the sum over bins of (a - b) ln(a / b). By convention, a PSI below 0.1 is no shift and a PSI of 0.25 or
  more a large one (Siddiqi, "Credit Risk Scorecards", Wiley 2006). With few films, chance alone exceeds these values:
  without any shift, PSI / (1/N + 1/M) for N films and M reference films follows a chi-square distribution with (number
  of bins - 1) degrees of freedom (Yurdakul & Naranjo, "Statistical properties of the population stability index",
  Journal of Risk Model Validation 14(3), 2020).

A different share of pneumonia is not drift, because it varies from ward to ward. Films are therefore compared with the
mixture of the two classes of validation films that fits their probabilities best (maximum likelihood by expectation
maximisation: Saerens, Latinne & Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities",
Neural Computation 14, 2002).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pneumo_infer.drift.reference import QUANTILES, Histogram, Reference, count, name_quantiles

LEAST_FILMS = 50  # with fewer, even very different films can pass by chance
TOLERATED_SHARE = 0.05  # share out of domain; for validation films it is 1 to 2 %
LARGE_SHIFT = 0.25
# Per measure. A nightly job with three measures has about one false alarm a year.
FALSE_ALARMS = 0.001
SMOOTHING = 0.5  # added to the count of each bin, so that no bin is empty
STEPS = 500  # of expectation maximisation; binned data converge much earlier


class Verdict(StrEnum):
    """The result of the drift check."""

    LIKE = "like"
    UNLIKE = "unlike"
    TOO_FEW = "too_few_films"


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure and its limit. Above the limit, the films are unlike the validation films."""

    value: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the value is within the limit."""
        return self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Drift:
    """Comparison of films with a model's validation films.

    Attributes
    ----------
    films
        Number of films compared. If it is 0, the other attributes are empty or None.
    measures
        The basis of the verdict: the share `out_of_domain`, and the PSI of `domain_distance` and `probability`.
    pneumonia_share
        The share of PNEUMONIA films that fits the probabilities best. It does not affect the verdict.
    quantiles
        `probability` and `domain_distance` at `QUANTILES`.
    """

    films: int
    measures: dict[str, Measure]
    pneumonia_share: float | None
    quantiles: dict[str, tuple[float, ...]]

    @property
    def verdict(self) -> Verdict:
        """`too_few_films` below `LEAST_FILMS` films, `unlike` if a measure is above its limit, otherwise `like`."""
        if self.films < LEAST_FILMS:
            return Verdict.TOO_FEW
        return Verdict.LIKE if all(measure.passed for measure in self.measures.values()) else Verdict.UNLIKE

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict and its basis as a JSON-serialisable object."""
        return {
            "verdict": self.verdict.value,
            "films": self.films,
            "least_films": LEAST_FILMS,
            "measures": {
                name: {"value": measure.value, "limit": measure.limit, "passed": measure.passed}
                for name, measure in self.measures.items()
            },
            "pneumonia_share": self.pneumonia_share,
            "quantiles": {name: name_quantiles(values) for name, values in self.quantiles.items()},
        }


def compare(probabilities: ArrayLike, distances: ArrayLike, reference: Reference, domain_limit: float) -> Drift:
    """Compare a model's answers with those on its validation films.

    Parameters
    ----------
    probabilities, distances
        (N,), `probability` and `domain_distance` of the films.
    reference, domain_limit
        The reference and the domain limit of the model that gave these answers.

    Returns
    -------
    Drift
        The measures and the verdict.
    """
    scores, lengths = np.asarray(probabilities, np.float64), np.asarray(distances, np.float64)
    if len(scores) == 0:
        return Drift(films=0, measures={}, pneumonia_share=None, quantiles={})
    share = _share_of_pneumonia(count(scores, reference.probability.edges), reference.probability)
    return Drift(
        films=len(scores),
        measures={
            "out_of_domain": Measure(float((lengths > domain_limit).mean()), _largest_share_by_chance(len(lengths))),
            "domain_distance": _stability(lengths, reference.domain_distance, share, fitted=0),
            "probability": _stability(scores, reference.probability, share, fitted=1),
        },
        pneumonia_share=share,
        quantiles={
            "probability": tuple(np.quantile(scores, QUANTILES).tolist()),
            "domain_distance": tuple(np.quantile(lengths, QUANTILES).tolist()),
        },
    )


def _stability(values: NDArray[np.float64], histogram: Histogram, share: float, fitted: int) -> Measure:
    """Compute the PSI relative to the mixture with `share` PNEUMONIA. `fitted` parameters were fitted to `values`."""
    seen = _shares(count(values, histogram.edges))
    expected = share * _shares(histogram.pneumonia) + (1 - share) * _shares(histogram.normal)
    index = float(((seen - expected) * np.log(seen / expected)).sum())
    # The variance of the mixture is the sum of the variances of the classes, each weighted by its squared share.
    spread = 1 / len(values) + share**2 / sum(histogram.pneumonia) + (1 - share) ** 2 / sum(histogram.normal)
    chance = _chi_square_quantile(max(len(seen) - 1 - fitted, 1)) * spread
    return Measure(index, max(LARGE_SHIFT, chance))


def _shares(counts: ArrayLike) -> NDArray[np.float64]:
    smoothed = np.asarray(counts, np.float64) + SMOOTHING
    return np.asarray(smoothed / smoothed.sum())


def _share_of_pneumonia(counts: NDArray[np.intp], histogram: Histogram) -> float:
    pneumonia, normal = _shares(histogram.pneumonia), _shares(histogram.normal)
    share = 0.5
    for _ in range(STEPS):
        share = float((counts * share * pneumonia / (share * pneumonia + (1 - share) * normal)).sum() / counts.sum())
    return share


def _largest_share_by_chance(films: int) -> float:
    """Return the share out of domain that chance exceeds in at most `FALSE_ALARMS` of cases.

    The bound is that of a binomial distribution with probability `TOLERATED_SHARE`.
    """
    numbers = np.arange(films + 1)
    log_factorials = np.concatenate([[0.0], np.cumsum(np.log(numbers[1:]))])
    log_chances = (
        log_factorials[-1]
        - log_factorials
        - log_factorials[::-1]
        + numbers * math.log(TOLERATED_SHARE)
        + numbers[::-1] * math.log1p(-TOLERATED_SHARE)
    )
    at_least = np.cumsum(np.exp(log_chances)[::-1])[::-1]  # P(count >= number)
    return float((at_least > FALSE_ALARMS).sum() - 1) / films


def _chi_square_quantile(degrees: int) -> float:
    """Return the value that chi-square exceeds with probability `FALSE_ALARMS` (Wilson & Hilferty, PNAS 17, 1931)."""
    spread = 2 / (9 * degrees)
    normal = NormalDist().inv_cdf(1 - FALSE_ALARMS)
    return float(degrees * (1 - spread + normal * math.sqrt(spread)) ** 3)
