"""How a model's own validation films answered: what films seen later are compared with.

It stands in a model file's metadata as `pneumo.reference`. Counts are kept for each class apart, so that films with
another share of pneumonia can be compared too.
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
# So few digits that what processors differ by is seldom among them: the same model gives the same file.
PROBABILITY, DISTANCE = "{:.5f}", "{:.4g}"


@dataclass(frozen=True, slots=True)
class Histogram:
    """How one number was distributed over the validation films.

    Attributes
    ----------
    edges
        (B - 1,), rising; a value belongs to the bin after the last edge that is not above it.
    normal, pneumonia
        (B,), films of each class in each bin.
    quantiles
        At `QUANTILES`, of all the films.
    """

    edges: tuple[float, ...]
    normal: tuple[int, ...]
    pneumonia: tuple[int, ...]
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.normal) != len(self.edges) + 1 or len(self.pneumonia) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges do not part {len(self.normal)} and {len(self.pneumonia)} bins")
        if len(self.quantiles) != len(QUANTILES) or sorted(set(self.edges)) != list(self.edges):
            raise ValueError("edges or quantiles are not in order")
        if not np.isfinite([*self.edges, *self.quantiles]).all():
            raise ValueError("edges or quantiles are no numbers")
        if sum(self.normal) < 1 or sum(self.pneumonia) < 1 or min(*self.normal, *self.pneumonia) < 0:
            raise ValueError("a class has no films")


@dataclass(frozen=True, slots=True)
class Reference:
    """How a model's validation films answered.

    Attributes
    ----------
    out_of_domain
        How many of them lie beyond the model's domain limit.
    probability, domain_distance
        How these are distributed.
    """

    out_of_domain: int
    probability: Histogram
    domain_distance: Histogram

    @property
    def normal(self) -> int:
        """How many NORMAL films there were."""
        return sum(self.probability.normal)

    @property
    def pneumonia(self) -> int:
        """How many PNEUMONIA films there were."""
        return sum(self.probability.pneumonia)

    @property
    def films(self) -> int:
        """How many films there were."""
        return self.normal + self.pneumonia

    def to_dict(self) -> dict[str, Any]:
        """Give the entry of the metadata, ready for JSON."""
        return asdict(self)


def measure_reference(
    probabilities: ArrayLike, distances: ArrayLike, targets: ArrayLike, domain_limit: float
) -> Reference:
    """Sum up a model's answers on films that it did not learn from.

    Distances have ten bins with as many films in each. Probabilities gather at both ends, so that deciles of all films
    would see little of the rarer class: their bins part each class into fifths.

    Parameters
    ----------
    probabilities, distances
        (N,), what the file itself answers: rounding to int8 moves distances.
    targets
        (N,), 1 for PNEUMONIA; both classes have films.
    domain_limit
        Of the same file.
    """
    scores, lengths = np.asarray(probabilities, np.float64), np.asarray(distances, np.float64)
    ill = np.asarray(targets).astype(bool)
    fifths = np.concatenate([np.quantile(scores[of_class], np.arange(1, 5) / 5) for of_class in (ill, ~ill)])
    return Reference(
        out_of_domain=int((lengths > domain_limit).sum()),
        probability=_histogram(scores, ill, fifths, PROBABILITY),
        domain_distance=_histogram(lengths, ill, np.quantile(lengths, np.arange(1, 10) / 10), DISTANCE),
    )


def read_reference(model: ModelInfo) -> Reference:
    """Read what a model file says of its validation films.

    Raises
    ------
    ModelError
        It says nothing of them, or something malformed.
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
            "carries no pneumo.reference, how its validation films answered, to compare with",
            "export it again with this version's pneumo-export, or give another --model",
        ) from None
    except (ValueError, TypeError) as error:
        raise _malformed(model, error) from error


def name_quantiles(values: tuple[float, ...]) -> dict[str, float]:
    """Name values at `QUANTILES`, ready for JSON."""
    return dict(zip(map(str, QUANTILES), values, strict=True))


def count(values: NDArray[np.float64], edges: ArrayLike) -> NDArray[np.intp]:
    """Count values, (N,), in the bins that edges, (B - 1,), part: (B,)."""
    parts = np.asarray(edges, np.float64)
    return np.bincount(np.searchsorted(parts, values, side="right"), minlength=len(parts) + 1)


def _histogram(
    values: NDArray[np.float64], ill: NDArray[np.bool_], edges: NDArray[np.float64], digits: str
) -> Histogram:
    rounded = sorted({float(digits.format(edge)) for edge in edges})
    return Histogram(
        edges=tuple(rounded),
        normal=tuple(count(values[~ill], rounded).tolist()),
        pneumonia=tuple(count(values[ill], rounded).tolist()),
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
