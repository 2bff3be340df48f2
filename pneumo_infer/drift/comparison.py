"""Whether films look like those that a model was measured on: a drift check for deployments.

Three measures, each with a limit that both matters in practice and is beyond chance for so many films:

- the share of films out of domain, against a share that films of the known kind do not reach (exact binomial bound);
- the population stability index (PSI) of `domain_distance`, and that of `probability`, against the model's validation
  films. PSI is a sum over bins of (a - b) ln(a / b); below 0.1 it counts as no shift, from 0.25 on as a large one
  (Siddiqi, "Credit Risk Scorecards", Wiley 2006). With few films chance alone brings it above these; where nothing has
  shifted, PSI / (1/N + 1/M) of N films and M reference films follows chi-square with one degree of freedom less than
  there are bins (Yurdakul & Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
  Validation 14(3), 2020).

How many films show pneumonia differs from ward to ward and is no drift. So films are compared with that mixture of the
validation films' two classes that fits their probabilities best (maximum likelihood by expectation maximisation:
Saerens, Latinne & Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", Neural
Computation 14, 2002).
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

LEAST_FILMS = 50  # with fewer, even films of another kind can pass by chance
TOLERATED_SHARE = 0.05  # out of domain; a model accepts 98 to 99 % of its validation films
LARGE_SHIFT = 0.25
# Of each measure alone, where nothing has shifted: with three a night, a job is wrong about once a year.
FALSE_ALARMS = 0.001
SMOOTHING = 0.5  # film in each bin beside those counted, so that no bin is empty
STEPS = 500  # of expectation maximisation; on bins it has converged long before


class Verdict(StrEnum):
    """What the check comes to."""

    LIKE = "like"
    UNLIKE = "unlike"
    TOO_FEW = "too_few_films"


@dataclass(frozen=True, slots=True)
class Measure:
    """One number, and how large it may be: above its limit the films are unlike."""

    value: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether it is within its limit."""
        return self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Drift:
    """How films compare with a model's validation films.

    Attributes
    ----------
    films
        How many answers were compared.
    measures
        What the verdict rests on: `out_of_domain`, the share, and `domain_distance` and `probability`, the PSI of each.
    pneumonia_share
        The share of PNEUMONIA films that fits their probabilities best; it is no part of the verdict.
    quantiles
        `probability` and `domain_distance` at `QUANTILES`.

    Without a film there are no measures, no share and no quantiles.
    """

    films: int
    measures: dict[str, Measure]
    pneumonia_share: float | None
    quantiles: dict[str, tuple[float, ...]]

    @property
    def verdict(self) -> Verdict:
        """`unlike` if a measure is above its limit; no other verdict than `too_few_films` below `LEAST_FILMS`."""
        if self.films < LEAST_FILMS:
            return Verdict.TOO_FEW
        return Verdict.LIKE if all(measure.passed for measure in self.measures.values()) else Verdict.UNLIKE

    def to_dict(self) -> dict[str, Any]:
        """Give the verdict and all that it rests on, ready for JSON."""
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
        Of the model that gave these answers.
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
    """PSI against the classes mixed by `share`, for which `fitted` numbers were fitted to the same values."""
    seen = _shares(count(values, histogram.edges))
    expected = share * _shares(histogram.pneumonia) + (1 - share) * _shares(histogram.normal)
    index = float(((seen - expected) * np.log(seen / expected)).sum())
    # The variance of the mixture is that of each class's share, weighted by the square of how much of it is taken.
    spread = 1 / len(values) + share**2 / sum(histogram.pneumonia) + (1 - share) ** 2 / sum(histogram.normal)
    chance = _chi_square_quantile(max(len(seen) - 1 - fitted, 1)) * spread
    return Measure(index, max(LARGE_SHIFT, chance))


def _shares(counts: ArrayLike) -> NDArray[np.float64]:
    smoothed = np.asarray(counts, np.float64) + SMOOTHING
    return np.asarray(smoothed / smoothed.sum())


def _share_of_pneumonia(counts: NDArray[np.intp], histogram: Histogram) -> float:
    ill, well = _shares(histogram.pneumonia), _shares(histogram.normal)
    share = 0.5
    for _ in range(STEPS):
        share = float((counts * share * ill / (share * ill + (1 - share) * well)).sum() / counts.sum())
    return share


def _largest_share_by_chance(films: int) -> float:
    """The largest share out of domain that films of which 5 % truly are reach in all but `FALSE_ALARMS` of cases."""
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
    """The value that chi-square exceeds in `FALSE_ALARMS` of cases (Wilson & Hilferty, PNAS 17, 1931)."""
    spread = 2 / (9 * degrees)
    normal = NormalDist().inv_cdf(1 - FALSE_ALARMS)
    return float(degrees * (1 - spread + normal * math.sqrt(spread)) ** 3)
