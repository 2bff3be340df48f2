"""Store the distribution of a model's answers on its validation films, the reference for the drift check.

It is the entry `pneumo.reference` of the model's metadata. Counts are stored per class, so that films with a different
share of pneumonia can be compared too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pneumo_infer.errors import ModelError

if TYPE_CHECKING:
    from pneumo_infer.model.info import ModelInfo

QUANTILES = (0.1, 0.5, 0.9)
# Few enough digits to hide differences between CPUs, so that the same model almost always gives the same file.
PROBABILITY, DISTANCE = "{:.5f}", "{:.4g}"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Distribution of one quantity over the validation films.

    Attributes
    ----------
    edges
        (B - 1,), strictly increasing. A bin includes its lower edge.
    normal, pneumonia
        (B,), number of films of each class in each bin.
    quantiles
        The values at `QUANTILES` over all films.
    """

    edges: tuple[float, ...]
    normal: tuple[int, ...]
    pneumonia: tuple[int, ...]
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.normal) != len(self.edges) + 1 or len(self.pneumonia) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges do not fit {len(self.normal)} and {len(self.pneumonia)} bins")
        if len(self.quantiles) != len(QUANTILES) or sorted(set(self.edges)) != list(self.edges):
            raise ValueError("edges are not increasing, or the number of quantiles is wrong")
        if not np.isfinite([*self.edges, *self.quantiles]).all():
            raise ValueError("edges or quantiles are not finite")
        if sum(self.normal) < 1 or sum(self.pneumonia) < 1 or min(*self.normal, *self.pneumonia) < 0:
            raise ValueError("a class has no films, or a count is negative")


@dataclass(frozen=True, slots=True)
class Reference:
    """A model's answers on its validation films.

    Attributes
    ----------
    out_of_domain
        Number of films above the model's domain limit.
    probability, domain_distance
        Their distributions.
    """

    out_of_domain: int
    probability: Histogram
    domain_distance: Histogram

    @property
    def normal(self) -> int:
        """Number of NORMAL films."""
        return sum(self.probability.normal)

    @property
    def pneumonia(self) -> int:
        """Number of PNEUMONIA films."""
        return sum(self.probability.pneumonia)

    @property
    def films(self) -> int:
        """Number of films."""
        return self.normal + self.pneumonia

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-serialisable metadata entry."""
        return asdict(self)


def measure_reference(
    probabilities: ArrayLike, distances: ArrayLike, targets: ArrayLike, domain_limit: float
) -> Reference:
    """Summarise a model's answers on its validation films.

    Distances are split into deciles. Probabilities cluster near 0 and 1, where deciles over all films would hardly
    resolve the rarer class, so their bin edges are the quintiles of each class.

    Parameters
    ----------
    probabilities, distances
        (N,), the answers of the exported file itself, because int8 rounding changes distances.
    targets
        (N,), 1 for PNEUMONIA. Both classes must have films.
    domain_limit
        The domain limit of the same file.
    """
    scores, lengths = np.asarray(probabilities, np.float64), np.asarray(distances, np.float64)
    is_pneumonia = np.asarray(targets).astype(bool)
    by_class = scores[is_pneumonia], scores[~is_pneumonia]
    quintiles = np.concatenate([np.quantile(of_class, np.arange(1, 5) / 5) for of_class in by_class])
    return Reference(
        out_of_domain=int((lengths > domain_limit).sum()),
        probability=_histogram(scores, is_pneumonia, quintiles, PROBABILITY),
        domain_distance=_histogram(lengths, is_pneumonia, np.quantile(lengths, np.arange(1, 10) / 10), DISTANCE),
    )


def read_reference(model: ModelInfo) -> Reference:
    """Read the reference from a model's metadata.

    Raises
    ------
    ModelError
        The reference is missing or malformed.
    """
    try:
        entry = json.loads(model.metadata["reference"])
        return Reference(
            out_of_domain=int(entry["out_of_domain"]),
            probability=_parse(entry["probability"]),
            domain_distance=_parse(entry["domain_distance"]),
        )
    except KeyError as error:
        if "reference" in model.metadata:
            raise _malformed(model, error) from error
        raise ModelError(
            model.path.name,
            "has no pneumo.reference, which --drift compares films with",
            "export it again with this version of pneumo-export, or choose another --model",
        ) from None
    except (ValueError, TypeError) as error:
        raise _malformed(model, error) from error


def name_quantiles(values: tuple[float, ...]) -> dict[str, float]:
    """Map each of `QUANTILES`, as a string, to its value."""
    return dict(zip(map(str, QUANTILES), values, strict=True))


def count(values: NDArray[np.float64], edges: ArrayLike) -> NDArray[np.intp]:
    """Count values (N,) in the bins between edges (B - 1,). Return (B,)."""
    bounds = np.asarray(edges, np.float64)
    return np.bincount(np.searchsorted(bounds, values, side="right"), minlength=len(bounds) + 1)


def _histogram(
    values: NDArray[np.float64], is_pneumonia: NDArray[np.bool_], edges: NDArray[np.float64], digits: str
) -> Histogram:
    rounded = sorted({float(digits.format(edge)) for edge in edges})
    return Histogram(
        edges=tuple(rounded),
        normal=tuple(count(values[~is_pneumonia], rounded).tolist()),
        pneumonia=tuple(count(values[is_pneumonia], rounded).tolist()),
        quantiles=tuple(float(digits.format(value)) for value in np.quantile(values, QUANTILES)),
    )


def _parse(entry: Mapping[str, Any]) -> Histogram:
    return Histogram(
        edges=tuple(map(float, entry["edges"])),
        normal=tuple(map(int, entry["normal"])),
        pneumonia=tuple(map(int, entry["pneumonia"])),
        quantiles=tuple(map(float, entry["quantiles"])),
    )


def _malformed(model: ModelInfo, error: Exception) -> ModelError:
    return ModelError(model.path.name, f"has a malformed pneumo.reference ({error!r})", "export it again")
