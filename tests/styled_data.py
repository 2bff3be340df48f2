"""A data set of several acquisition styles, one of which most NORMAL films are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from made_films import draw_film
from PIL import Image

COMMON = (1.0, 0)
# How grey a film comes out of a machine: scale and offset.
RARE = ((0.15, 0), (0.15, 70), (0.15, 140), (0.15, 210), (0.5, 0), (0.5, 60), (0.5, 125))


def write_styled_films(root: Path) -> Path:
    """Write 100 NORMAL and 20 PNEUMONIA films of one style, and 5 of each class of seven others, a patient each."""
    looks = [COMMON] * 20 + [look for look in RARE for _ in range(5)]
    for label, styles in (("NORMAL", [COMMON] * 80 + looks), ("PNEUMONIA", looks)):
        folder = root / "train" / label
        folder.mkdir(parents=True)
        for seed, (scale, offset) in enumerate(styles):
            film = draw_film(seed, pneumonia=label == "PNEUMONIA", height=100, width=120) * scale + offset
            name = f"IM-{seed:04}-0001" if label == "NORMAL" else f"person{seed}_virus_{seed}"
            Image.fromarray(film.clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return root
