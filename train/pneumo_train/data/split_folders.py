"""pneumo-train split: write a data set as train, val and test folders."""

from __future__ import annotations

from pathlib import Path

from pneumo_train.data.index import IndexedFilm, Layout, index_films
from pneumo_train.data.prepare import decode_with_progress, report_split
from pneumo_train.data.split import check_splits, parse_ratios, split_by_patient, write_split_folders


def split_into_folders(
    data: Path, layout: Layout, ratios: str, seed: int, target: Path, cache: Path | None
) -> list[IndexedFilm]:
    """Split films by patient and class, and write train, val and test folders with their manifest.

    Parameters
    ----------
    data
        Root of the data set.
    ratios
        Ratios of training, validation and test films, such as `80/10/10`.
    seed
        The same films, ratios and seed give the same split.
    target
        Folder to write; new or empty.
    cache
        Folder of decoded films; the user's cache folder if None.

    Returns
    -------
    list of IndexedFilm
        The films with their paths in the new folder.

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
