"""The options of a run, and the files of its folder that say what to train."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict

from pneumo_infer import __version__
from pneumo_train.data.index import Layout, parse_class_folders, read_patients
from pneumo_train.errors import RecipeError, RunError
from pneumo_train.recipe import Recipe
from pneumo_train.recipe_files import read_recipe
from pneumo_train.side_files import SideFile
from pneumo_train.training.devices import Distribute

OPTIONS_FILE, RECIPE_FILE = "run.json", "recipe.toml"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of a run, stored in run.json so that it can be resumed.

    Attributes
    ----------
    data
        Absolute path of the data set's root.
    recipe, settings
        As on the command line: name or path of the recipe, and `KEY=VALUE` strings that override its values.
    weights
        `imagenet`, `none` or the absolute path of a weights file.
    class_folders
        `LABEL=FOLDER` strings.
    patients, split
        CSV files with the patients and the split of the films; None to use the file names and the recipe.
    mixed_precision, distribute
        See `devices.computing`.
    cache
        Folder of decoded films; None for the user's cache folder.
    known_films, ood_films
        Folders of extra films to fit and measure out-of-distribution detection: of the known kind, and of other kinds.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    data: str
    recipe: str
    weights: str
    settings: tuple[str, ...] = ()
    class_folders: tuple[str, ...] = ()
    patients: str | None = None
    split: str | None = None
    mixed_precision: bool = False
    distribute: Distribute = "none"
    cache: str | None = None
    known_films: str | None = None
    ood_films: str | None = None
    version: str = __version__

    @property
    def class_layout(self) -> Layout:
        """The class folders of the data set."""
        return Layout(parse_class_folders(self.class_folders))

    @property
    def layout(self) -> Layout:
        """How the data set is laid out."""
        patients = None if self.patients is None else read_patients(Path(self.patients))
        return replace(self.class_layout, patients=patients)

    @property
    def cache_folder(self) -> Path | None:
        """Folder of decoded films; None for the user's cache folder."""
        return None if self.cache is None else Path(self.cache)


def read_options(folder: Path) -> RunOptions:
    """Read the options of a run.

    Raises
    ------
    RunError
        The folder does not contain a run, or its options are damaged.
    """
    file = folder / OPTIONS_FILE
    if not file.is_file():
        raise RunError(str(folder), f"not a run folder (it has no {OPTIONS_FILE})", "name a folder of pneumo-train")
    return SideFile(file, "restore it, or train again into another folder").json(RunOptions)


def read_own_recipe(folder: Path) -> Recipe:
    """Read the recipe of a run.

    Raises
    ------
    RunError
        This version cannot read the recipe. The message names the key.
    """
    try:
        return read_recipe(str(folder / RECIPE_FILE))
    except RecipeError as error:
        remedy = "use the version of pneumo-train that created the run, or train again into another folder"
        raise RunError(error.subject, error.problem, remedy) from error
