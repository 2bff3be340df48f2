"""Films are decoded once, through the same code as inference."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_films import write_chest_xray

from pneumo_infer.films.preprocess import read_pixels
from pneumo_train.data.decode import decode_films, select_films
from pneumo_train.data.index import IndexedFilm, index_films
from pneumo_train.data.label import Label
from pneumo_train.errors import DataError


def index_files(paths: list[Path], root: Path) -> list[IndexedFilm]:
    names = [os.path.relpath(path, root) for path in paths]
    return [IndexedFilm(name, Label.NORMAL, name, "", "train") for name in names]


def test_training_sees_bit_for_bit_what_inference_sees(film_files: list[Path], tmp_path: Path) -> None:
    decoded = decode_films(film_files[0].parent, index_files(film_files, film_files[0].parent), cache=tmp_path)
    assert decoded.pixels.shape == (len(film_files), 224, 224, 1)
    assert decoded.pixels.dtype == np.uint8
    for pixels, path in zip(decoded.pixels, film_files, strict=True):
        np.testing.assert_array_equal(pixels[:, :, 0], read_pixels(path.read_bytes()))


def test_the_second_time_nothing_is_decoded(tmp_path: Path) -> None:
    root = write_chest_xray(tmp_path / "data", patients=4)
    films = index_films(root)
    decoded: list[int] = []
    first = decode_films(root, films, tmp_path / "cache", lambda: decoded.append(1))
    again = decode_films(root, films, tmp_path / "cache", lambda: decoded.append(1))
    assert len(decoded) == len(films)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert first.fingerprint() == again.fingerprint()


def test_a_changed_film_is_decoded_again(tmp_path: Path) -> None:
    root = write_chest_xray(tmp_path / "data", patients=4)
    films = index_films(root)
    before = decode_films(root, films, tmp_path / "cache").fingerprint()
    (root / films[0].path).write_bytes((root / films[1].path).read_bytes())
    assert decode_films(root, films, tmp_path / "cache").fingerprint() != before


def test_films_that_do_not_decode_are_listed_and_left_out(tmp_path: Path) -> None:
    root = write_chest_xray(tmp_path / "data", patients=4)
    films = index_films(root)
    (root / films[2].path).write_text("not a film")
    decoded = decode_films(root, films, tmp_path / "cache")
    assert list(decoded.unreadable) == [films[2].path]
    assert decoded.films == films[:2] + films[3:]
    assert len(decoded.pixels) == len(films) - 1
    np.testing.assert_array_equal(decoded.pixels[2, :, :, 0], read_pixels(root / films[3].path))


def test_nothing_but_damaged_films(tmp_path: Path) -> None:
    root = write_chest_xray(tmp_path / "data", patients=1)
    films = index_films(root)
    for film in films:
        (root / film.path).write_text("not a film")
    with pytest.raises(DataError, match="contains no readable films"):
        decode_films(root, films, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_selection_is_stored_without_decoding_again(tmp_path: Path) -> None:
    root = write_chest_xray(tmp_path / "data", patients=4)
    (root / "train/NORMAL/IM-0009-0001.jpeg").write_bytes(b"not a film")
    decoded = decode_films(root, index_films(root), tmp_path / "cache")
    wanted = [replace(film, split="test") for film in decoded.films[::-2]]
    selected = select_films(decoded, wanted, tmp_path / "cache")
    assert selected.films == wanted
    np.testing.assert_array_equal(selected.pixels, decoded.pixels[::-2])
    decoded_again: list[None] = []
    cached = decode_films(root, wanted, tmp_path / "cache", lambda: decoded_again.append(None))
    assert decoded_again == []
    np.testing.assert_array_equal(cached.pixels, selected.pixels)
    assert cached.fingerprint() == selected.fingerprint()


def test_a_damaged_cache_is_filled_again(tmp_path: Path) -> None:
    root = write_chest_xray(tmp_path / "data", patients=2)
    (root / "train/NORMAL/IM-0009-0001.jpeg").write_bytes(b"not a film")
    films, cache = index_films(root), tmp_path / "cache"
    whole = decode_films(root, films, cache)
    pixels = np.array(whole.pixels)  # the file is overwritten
    for suffix in (".npy", ".json"):
        (file,) = cache.glob(f"*{suffix}")
        for content in (b"", file.read_bytes()[:100], b"\x93NUMPY", b"{" * 5_000, b"[]"):
            file.write_bytes(content)
            again = decode_films(root, films, cache)
            np.testing.assert_array_equal(again.pixels, pixels)
            assert again.unreadable == whole.unreadable


def test_a_cache_that_cannot_be_created(tmp_path: Path) -> None:
    root = write_chest_xray(tmp_path / "data", patients=1)
    (tmp_path / "file").touch()
    with pytest.raises(
        DataError, match=r"file/cache: decoded films cannot be stored here \(.*\); name a writable folder"
    ):
        decode_films(root, index_films(root), tmp_path / "file" / "cache")
