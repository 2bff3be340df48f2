"""pneumo-train split: a data set dealt out to folders, once and for all."""

from __future__ import annotations

from pathlib import Path

from pneumo_train.data.index import IndexedFilm, Layout, index_films
from pneumo_train.data.split import check_splits, parse_ratios, split_by_patient, write_split_folders
from pneumo_train.training.run import decode_with_progress, report_split


def split_into_folders(
    data: Path, layout: Layout, ratios: str, seed: int, target: Path, cache: Path | None
) -> list[IndexedFilm]:
    """Deal the films out by patient and class, and write train, val and test folders with their manifest.

    Parameters
    ----------
    ratios
        `80/10/10`: the shares of training, validation and test.
    seed
        The same films, ratios and seed give the same split.

    Raises
    ------
    DataError
        The films or the ratios cannot be used, or the target is not empty.
    """
    validation, test = parse_ratios(ratios)
    decoded = decode_with_progress(data, index_films(data, layout), cache)
    split = split_by_patient(decoded.films, seed, validation, test)
    check_splits(split, str(data))
    report_split(decoded, split)
    return write_split_folders(data, split, target)
