"""How the objects that this program makes identify themselves: as its own, and each by UIDs that do not change."""

from __future__ import annotations

import uuid

MANUFACTURER = "pneumo-infer"
MODEL_NAME = "pneumo-serve dicom"  # PS3.3 C.7.5.1
NOTICE = "Decision support for research, not a cleared medical device."
NAMESPACE = uuid.UUID("6f1a4a1e-6f0e-4d0c-9c0b-0d3b3f6a7f51")


def derived_uid(purpose: str, *origins: str) -> str:
    """Derive a UID that depends only on what it is for and where it comes from.

    If a film is answered again after a crash, the answers are the same objects for a PACS.

    Parameters
    ----------
    purpose
        What it identifies, such as `report`.
    origins
        Such as the SOP Instance UID of the film and the digest of the model.

    Returns
    -------
    str
        A UID made from a UUID (PS3.5 B.2).
    """
    return f"2.25.{uuid.uuid5(NAMESPACE, ' '.join((purpose, *origins))).int}"
