"""The two classes."""

from __future__ import annotations

from enum import StrEnum


class Label(StrEnum):
    """The class of a film, with the names that models use (`pneumo_infer.model.info.LABELS`).

    `Label(text)` ignores case and surrounding space. Any other text is a ValueError.
    """

    NORMAL = "NORMAL"
    PNEUMONIA = "PNEUMONIA"

    @classmethod
    def _missing_(cls, value: object) -> Label | None:
        return cls.__members__.get(str(value).strip().upper())
