"""Recipes: everything that decides how a model is trained, in one validated TOML file."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pneumo_infer.preprocess import NETWORK_SIZE
from pneumo_train.errors import RecipeError

Share = Annotated[float, Field(ge=0.0, lt=0.5)]
Strength = Annotated[float, Field(ge=0.0, lt=1.0)]


class Section(BaseModel):
    """A part of a recipe: unknown keys and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Split(Section):
    """Shares of the films, dealt out by patient and class."""

    seed: int
    validation: Annotated[float, Field(gt=0.0, lt=0.5)]
    test: Share


class Augment(Section):
    """Random changes to each training film, drawn anew each time it is seen.

    Shifts and zooms are fractions of the side; `zoom_in = 0.4` shows as little as 60 % of each side.
    Brightness is a fraction of the grey range, contrast a fraction of the film's own.
    """

    flip: bool
    rotation_degrees: Annotated[float, Field(ge=0.0, le=180.0)]
    shift: Strength
    zoom_in: Strength
    zoom_out: Strength
    brightness: Strength
    contrast: Strength


class Fit(Section):
    """What all phases share."""

    batch_size: Annotated[int, Field(ge=1)]
    dropout: Strength
    label_smoothing: Share
    weight_decay: Annotated[float, Field(ge=0.0)]
    class_weights: bool
    early_stopping_patience: Annotated[int, Field(ge=1)]
    reduce_rate_patience: Annotated[int, Field(ge=1)]
    reduce_rate_factor: Annotated[float, Field(gt=0.0, lt=1.0)]


class Phase(Section):
    """A stretch of training: which layers learn, for how long, how fast.

    `train` is `head`, `all`, or the number of layers at the top of the backbone that learn beside the head. Batch
    normalisation among these layers learns with them, or stays `frozen` in inference mode. Films are shrunk to `side`
    pixels, which costs less and, as the network is convolutional throughout, keeps its weights usable at full size.
    """

    name: str
    train: Literal["head", "all"] | Annotated[int, Field(ge=1)]
    batch_normalisation: Literal["frozen", "learns"]
    side: Annotated[int, Field(ge=64, le=NETWORK_SIZE)]
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0.0)]


class Recipe(Section):
    """A whole recipe, as read from TOML."""

    summary: str
    split: Split
    augment: Augment
    fit: Fit
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]


def recipe_text(name: str) -> str:
    """Read the TOML of a built-in recipe by name, or of one's own by path.

    Raises
    ------
    RecipeError
        There is no such recipe.
    """
    builtin = resources.files("pneumo_train") / "recipes" / f"{name}.toml"
    try:
        return builtin.read_text(encoding="utf-8") if builtin.is_file() else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        folder = resources.files("pneumo_train") / "recipes"
        known = ", ".join(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir()))
        raise RecipeError(name, f"is no recipe ({error.strerror})", f"choose one of {known}, or a TOML file") from error


def parse_recipe(text: str, name: str) -> Recipe:
    """Validate a recipe.

    Parameters
    ----------
    text
        TOML.
    name
        Names the recipe in error messages.

    Raises
    ------
    RecipeError
        The text is no TOML, has an unknown key, lacks one, or has a value out of range; the message names the key.
    """
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(name, f"is no TOML ({error})", "correct that line") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise RecipeError(name, problems, "correct these values") from error
