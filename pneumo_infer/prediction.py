"""The result for one film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pneumo_infer.limits import LIMITS, Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from pneumo_infer.errors import ImageError
    from pneumo_infer.films.source import FilmSource

NEEDS_REVIEW = "NEEDS_REVIEW"
OUTCOMES = ("NORMAL", "PNEUMONIA", NEEDS_REVIEW)
UNCERTAIN, OUT_OF_DOMAIN, HEADER = "uncertain", "out_of_domain", "header"
RECORD_FIELDS = (
    "path",
    "outcome",
    "reason",
    "label",
    "probability",
    "threshold",
    "operating_point",
    "in_domain",
    "domain_distance",
    "model",
    "device",
    "error",
    "model_sha256",
    "model_provenance",
    "film_bytes",
    "film_modified",
)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The result for one film. If the film cannot be read, `error` is set and the fields of the answer are None.

    Attributes
    ----------
    path
        The film's path, or a description if it has none (`<array uint8 (512, 512)>`).
    outcome
        The label, `NORMAL` or `PNEUMONIA`, or `NEEDS_REVIEW` if a qualified reader must decide.
    reason
        Why the film needs review: `header` (its DICOM header says that it is not what the model knows, such as a
        lateral view or an adult), `out_of_domain` (it is unlike the training films) or `uncertain` (its probability is
        in the model's uncertain band). If several apply, it is the first of these, because the probability of such a
        film is meaningless. None if the film needs no review.
    label
        PNEUMONIA if `probability >= threshold`, otherwise NORMAL.
    probability
        Calibrated P(PNEUMONIA), 0 to 1, not rescaled to the threshold.
    threshold, operating_point
        The threshold that was applied and the name of its operating point, which is None for a custom threshold.
    in_domain, domain_distance
        Whether the film is like the training films, and its distance from them.
    heatmap
        float32 (S, S), S from 7 to 28 depending on the model: evidence for PNEUMONIA at each position, non-negative,
        not normalised.
    model, device
        The file name of the model and the device it ran on: `cpu` or `cuda`.
    error
        Why the film cannot be read.
    model_sha256
        The digest of the model file, hexadecimal.
    model_provenance
        What vouches for the model: `released` with this version, `listed` in SHA256SUMS next to it, or `unverified`.
    film_bytes, film_modified
        Size of the film's file in bytes, and the time when its content was last changed, in seconds since 1970 UTC,
        both from just before it was read. None if the film is not a file.
    """

    path: str
    outcome: str | None
    reason: str | None
    label: str | None
    probability: float | None
    threshold: float
    operating_point: str | None
    in_domain: bool | None
    domain_distance: float | None
    heatmap: NDArray[np.float32] | None
    model: str
    device: str
    error: ImageError | None = None
    model_sha256: str | None = None
    model_provenance: str | None = None
    film_bytes: int | None = None
    film_modified: float | None = None

    def overlay(self, film: FilmSource, limits: Limits = LIMITS) -> Image:
        """Draw the evidence for pneumonia over the film, and write label, probability and operating point below it.

        If the film needs review, another line gives the reason.

        Parameters
        ----------
        film
            The film that this prediction is for, in any form that `Classifier.predict` accepts. It is drawn at full
            size.
        limits
            Size limits.

        Returns
        -------
        PIL.Image.Image
            RGB, as wide as the film, and higher by the lines of text.

        Raises
        ------
        ImageError
            The film cannot be read, or this prediction has an error.
        """
        from pneumo_infer.films.raster import read_film
        from pneumo_infer.overlay import draw_overlay

        if self.error is not None:
            raise self.error
        assert self.heatmap is not None  # set in every prediction without an error
        assert self.probability is not None
        point = self.operating_point or "threshold"
        caption = f"{self.label} {self.probability:.3f} ({point} {self.threshold:.3f})"
        notice = f"{self.outcome}: {self.reason}" if self.reason else None
        return draw_overlay(read_film(film, limits), self.heatmap, self.probability, caption, notice)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-serialisable record that the command line prints: `RECORD_FIELDS`, without the heatmap."""
        record = {field: getattr(self, field) for field in RECORD_FIELDS}
        record["error"] = None if self.error is None else str(self.error)
        return record
