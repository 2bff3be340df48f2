"""What a model was made of: films, weights to start from, and the licences that come with them."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from pneumo_train.data.decode import DecodedFilms
from pneumo_train.data.index import unnamed_patients
from pneumo_train.data.split import SPLITS
from pneumo_train.model.network import weights_name

APACHE = "Apache-2.0"
# Recognised by its file names, all of which name the patient.
PUBLIC_FILMS = (
    "Chest X-Ray Images (Pneumonia): Kermany, Zhang, Goldbaum, Mendeley Data, doi:10.17632/rscbjbr9sj, CC BY 4.0"
)
# Weights whose licence binds the models that start from them, by the SHA-256 of their file.
KNOWN_WEIGHTS = {
    "61c6a37fd3a49695d0ab835b559c054fbb1328ece35996a4c3559432ec011406": (
        'compressed ResNet-50 of "And the Bit Goes Down" (Stock et al., ICLR 2020), decoded to float32',
        "CC BY-NC 4.0",
    )
}


def describe_data(decoded: DecodedFilms) -> dict[str, Any]:
    """Say where films come from, and count films and patients of each split."""
    labels = {split: [f.label for f in decoded.films if f.split == split] for split in SPLITS}
    return {
        "source": PUBLIC_FILMS if unnamed_patients(decoded.films) == 0 else "Films of the user's own",
        "fingerprint": decoded.fingerprint(),
        "films": {split: dict(Counter(sorted(found))) for split, found in labels.items() if found},
        "patients": dict(sorted(Counter(s for s, _ in {(f.split, f.patient) for f in decoded.films}).items())),
        "unreadable": len(decoded.unreadable),
    }


def describe_weights(weights: str) -> dict[str, str]:
    """Say what weights a training started from, `imagenet`, `none` or a file, and under which licence."""
    if weights in ("imagenet", "none"):
        source = "Keras Applications, ImageNet" if weights == "imagenet" else "random"
        return {"name": weights, "source": source, "licence": APACHE}
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    source, licence = KNOWN_WEIGHTS.get(digest, ("a file of the user's", "that of the weights file"))
    return {"name": weights_name(weights), "sha256": digest, "source": source, "licence": licence}
