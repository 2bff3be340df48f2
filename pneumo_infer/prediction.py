"""What is said of one film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pneumo_infer.limits import LIMITS, Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from pneumo_infer.errors import ImageError
    from pneumo_infer.films.raster import FilmSource

NEEDS_REVIEW = "NEEDS_REVIEW"
OUTCOMES = ("NORMAL", "PNEUMONIA", NEEDS_REVIEW)
UNCERTAIN, OUT_OF_DOMAIN = "uncertain", "out_of_domain"
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
)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The answer for one film. If the film could not be read, `error` is set and the answer's fields are None.

    Attributes
    ----------
    path
        The film's path, or what stands for it (`<array uint8 (512, 512)>`).
    outcome
        What to do with the film: `NORMAL` or `PNEUMONIA`, the label, or `NEEDS_REVIEW`: a qualified reader decides.
    reason
        Why the film needs review: `out_of_domain`, it is not of the kind that the model was trained on, or `uncertain`,
        its probability lies in the model's uncertain band. `out_of_domain` comes first where both are true, since the
        probability of such a film means nothing. None where the outcome is the label.
    label
        PNEUMONIA where `probability >= threshold`, else NORMAL.
    probability
        Calibrated P(PNEUMONIA), 0 to 1; not rescaled to the threshold.
    threshold, operating_point
        The threshold that was applied, and its name in the model; None for a number of the caller's own.
    in_domain, domain_distance
        Whether the film is of the kind the model was trained on, and how far from it.
    heatmap
        float32 (S, S), S from 7 to 28 as the model has it: evidence for PNEUMONIA at each place, not negative, not
        normalised.
    model, device
        The model's file name, and what it ran on: `cpu` or `cuda`.
    error
        Why the film could not be read.
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

    def overlay(self, film: FilmSource, limits: Limits = LIMITS) -> Image:
        """Draw the evidence for pneumonia over the film, with label, probability and operating point below it.

        Where the film needs review, a line above these says so, and why.

        Parameters
        ----------
        film
            The film that this is the prediction of, as `Classifier.predict` takes it; it is drawn at its own size.
        limits
            How large it may be.

        Raises
        ------
        ImageError
            The film cannot be read, or could not be when this prediction was made.
        """
        from pneumo_infer.films.raster import read_film
        from pneumo_infer.overlay import draw_overlay

        if self.error is not None:
            raise self.error
        assert self.heatmap is not None  # as in every prediction without an error
        assert self.probability is not None
        point = self.operating_point or "threshold"
        caption = f"{self.label} {self.probability:.3f} ({point} {self.threshold:.3f})"
        notice = f"{self.outcome}: {self.reason}" if self.reason else None
        return draw_overlay(read_film(film, limits), self.heatmap, self.probability, caption, notice)

    def to_dict(self) -> dict[str, Any]:
        """Give the record that the command line prints: `RECORD_FIELDS`, ready for JSON; the heatmap is left out."""
        record = {field: getattr(self, field) for field in RECORD_FIELDS}
        record["error"] = None if self.error is None else str(self.error)
        return record
