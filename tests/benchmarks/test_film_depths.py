"""The comparison of formats, depths and borders finds no difference where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_films import draw_film
from PIL import Image
from small_models import METADATA, write_model

from benchmarks.film_depths import framed, main, squared


def test_bordered_films_keep_their_pixels() -> None:
    film = draw_film(0, height=140, width=210)
    assert (squared(film).shape, framed(film).shape) == ((210, 210), (180, 270))
    assert (squared(film)[35:175] == film).all()
    assert (framed(film)[20:160, 30:240] == film).all()


def test_films_are_answered_alike_in_all_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(2):
        Image.fromarray(draw_film(seed, height=400, width=300)).save(tmp_path / f"{seed}.png")
    main(tmp_path, write_model(tmp_path / "small.onnx", METADATA))
    first, difference, labels, *_rest, square, frame = capsys.readouterr().out.splitlines()
    assert first == "2 films in 3 formats and 5 depths, small.onnx"
    assert difference.startswith("range of probability: median 0.0000, largest 0.0000")
    assert labels == "same label in all: 2 of 2 (all)"
    assert all("same label 100.0%" in line for line in (square, frame))
