"""Recipes: everything that decides how a model is trained, in one validated TOML file."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from pneumo_infer.films.preprocess import NETWORK_SIZE
from pneumo_train.errors import RecipeError

Share = Annotated[float, Field(ge=0.0, lt=0.5)]
Strength = Annotated[float, Field(ge=0.0, lt=1.0)]
Name = Annotated[str, Field(pattern=r"^\w[\w -]*$")]  # of something that has a file


class Section(BaseModel):
    """A part of a recipe: unknown keys and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Split(Section):
    """Shares of the films, dealt out by patient and class."""

    seed: int
    validation: Annotated[float, Field(gt=0.0, lt=0.5)]
    test: Share


class Network(Section):
    """The backbone, and the head on its pooled features.

    `weights` is where the backbone starts from unless the command line says otherwise. `scaling` is what the backbone's
    ImageNet weights expect (`imagenet`), plainly 0..1 (`unit`), or each film's own (`film`): its greys less their mean,
    in units of their standard deviation, so that exposure and contrast do not matter, or the ranks of its greys
    (`equalised`), so that no tone curve does. The last maps have a place for every `output_stride` pixels. The head is,
    in this order and where given: batch normalisation, dropout, a hidden layer with ReLU and its own dropout, and the
    classes: one logit (`sigmoid`), or one for each class (`softmax`). It is asked at each place of the last maps, and
    the film's logit is the mean of what it says: over the whole `film`, or over the `lungs`, which the network then
    learns to find as well.
    """

    backbone: Literal["resnet50", "mobilenetv2"]
    weights: Literal["imagenet", "none"] = "imagenet"
    scaling: Literal["equalised", "film", "imagenet", "unit"]
    output_stride: Literal[16, 32] = 32
    pooling: Literal["film", "lungs"] = "film"
    head_batch_normalisation: bool = False
    dropout: Strength = 0.0
    hidden_units: Annotated[int, Field(ge=0)] = 0
    hidden_dropout: Strength = 0.0
    l2: Annotated[float, Field(ge=0.0)] = 0.0
    classes: Literal["sigmoid", "softmax"] = "sigmoid"

    @model_validator(mode="after")
    def _backbone_keeps_resolution(self) -> Self:
        if self.output_stride == 16 and self.backbone != "resnet50":
            raise ValueError(f"output_stride 16 needs backbone resnet50, not {self.backbone}")
        return self


class Augment(Section):
    """Random changes to each training film, drawn anew each time it is seen; what is left out does not happen.

    Shifts and zooms are fractions of the side; `zoom_in = 0.4` shows as little as 60 % of each side. What they and a
    turn leave empty is filled with the film's `edge`, or is `black`: where every film of the training has black wedges
    in its corners, a network takes their absence for a sign. `frame` shrinks by up to this share onto black, or
    stretches by as much, width and height apart, as padding, collimation and squashing do. Brightness and noise (its
    standard deviation) are fractions of the grey range, contrast a fraction of the film's own. `spectrum` is the share
    of films whose sharpness changes: to that of another film, and by `blur` (the largest Gaussian deviation, pixels of
    a film of 224) or `sharpen` (the largest amount of unsharp masking). `shading` is the deviation, as a fraction of
    the grey range, of smooth gradients over the film.
    """

    flip: bool = False
    rotation_degrees: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    shear: Strength = 0.0
    shift: Strength = 0.0
    zoom_in: Strength = 0.0
    zoom_out: Strength = 0.0
    fill: Literal["black", "edge"] = "black"
    frame: Strength = 0.0
    brightness: Strength = 0.0
    contrast: Strength = 0.0
    noise: Strength = 0.0
    spectrum: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    blur: Annotated[float, Field(ge=0.0, le=16.0)] = 0.0
    sharpen: Annotated[float, Field(ge=0.0, le=16.0)] = 0.0
    shading: Strength = 0.0


class Fit(Section):
    """What all phases share.

    `epochs`, where given, is the most that any phase may take. `class_balance` has both classes count the same, by
    `weights` in the loss, or by `sampling`: an epoch has each film of the smaller class and as many others, drawn for
    it. Validation, the checkpoints that are kept and the model that comes out have `ema_momentum` as the momentum
    of an exponential moving average over the optimiser's steps (Polyak & Juditsky, SIAM J. Control Optim. 30, 1992); 0
    does without. `keep` says which epoch the next phase starts from: the one with the best validation AUC, or the last.
    """

    epochs: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)]
    label_smoothing: Share = 0.0
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    class_balance: Literal["none", "sampling", "weights"]
    ema_momentum: Strength = 0.0
    keep: Literal["best", "last"] = "best"
    early_stopping_patience: Annotated[int, Field(ge=1)] = 3
    reduce_rate_patience: Annotated[int, Field(ge=1)] = 1
    reduce_rate_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3


class Phase(Section):
    """A stretch of training: which layers learn, for how long, how fast, and on how much of each film.

    `train` is `head`, `all`, or the number of layers at the top of the backbone that learn beside the head. Batch
    normalisation among these layers learns with them, or stays `frozen` in inference mode. Films are shrunk to `image_size`
    pixels, which costs less and, as the network is convolutional throughout, keeps its weights usable at full size; the
    network that is handed on shrinks them to the side of the last phase, which its statistics are of. A random crop
    shows at least `min_crop_area` of the film. The rate is `constant` until a plateau lowers it and early stopping ends
    the phase, or falls along a `cosine` to zero over the whole phase after a short warm-up. Checkpoints bear the
    phase's `name`.
    """

    name: Name
    train: Literal["head", "all"] | Annotated[int, Field(ge=1)]
    batch_normalisation: Literal["frozen", "trainable"]
    image_size: Annotated[int, Field(ge=64, le=NETWORK_SIZE)] = NETWORK_SIZE
    min_crop_area: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0.0)]
    schedule: Literal["constant", "cosine"] = "constant"


class Recipe(Section):
    """A whole recipe, as read from TOML; `claimed` is what its authors published."""

    summary: str
    claimed: str = ""
    split: Split
    network: Network
    augment: Augment = Augment()
    fit: Fit
    phases: tuple[Phase, ...]

    @model_validator(mode="after")
    def _phases_are_there_and_told_apart(self) -> Self:
        if not self.phases:
            raise ValueError("there are no phases")
        twice = [name for name, count in Counter(phase.name for phase in self.phases).items() if count > 1]
        if twice:
            raise ValueError(f"several phases are named {twice[0]!r}")
        return self

    def planned_phases(self) -> tuple[Phase, ...]:
        """The phases with no more epochs than `fit.epochs` allows."""
        most = self.fit.epochs
        return tuple(p if most is None else p.model_copy(update={"epochs": min(p.epochs, most)}) for p in self.phases)

    def to_toml(self) -> str:
        """Write the recipe out in full, with every default."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))


def name_layers(train: str | int) -> str:
    """What a phase trains, in words: `head`, `all layers`, `top 40 layers`."""
    return {"head": "head", "all": "all layers"}.get(str(train), f"top {train} layers")


def builtin_recipes() -> dict[str, Recipe]:
    """All recipes that ship, by name."""
    return {name: read_recipe(name) for name in _builtin_names()}


def _builtin_names() -> list[str]:
    folder = resources.files("pneumo_train") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """Read a built-in recipe by name, or one's own by path, and override some of its values.

    Parameters
    ----------
    settings
        `KEY=VALUE` each: the key with dots between its parts, a phase by its number from 0 or its name; the value as
        in TOML, or a bare word.

    Raises
    ------
    RecipeError
        There is no such recipe, the text is no TOML, or it has an unknown key, lacks one, or has a value out of range;
        the message names the key.
    """
    try:
        values = tomllib.loads(_recipe_text(name))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(name, f"is no TOML ({error})", "correct that line") from error
    for setting in settings:
        _override(values, setting)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(map(_say, error.errors()))
        raise RecipeError(name, problems, "correct these values") from error


def _say(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"]))
    problem = "unknown key" if error["type"] == "extra_forbidden" else error["msg"].removeprefix("Value error, ")
    return f"{key}: {problem}" if key else problem


def _recipe_text(name: str) -> str:
    builtin = resources.files("pneumo_train") / "recipes" / f"{name}.toml"
    try:
        return builtin.read_text(encoding="utf-8") if builtin.is_file() else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(_builtin_names())
        raise RecipeError(name, f"is no recipe ({error.strerror})", f"choose one of {known}, or a TOML file") from error


def _override(values: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    *path, last = key.split(".")
    if not equals or not last:
        raise RecipeError(setting, "is no setting", "write it as KEY=VALUE, for example fit.epochs=3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    place: Any = values
    for part in path:
        place = _step_into(place, part, setting)
    if not isinstance(place, dict):
        raise RecipeError(setting, "names a list, not a value", "give the number of a phase, as in phases.0.epochs=3")
    place[last] = value


def _step_into(place: Any, part: str, setting: str) -> Any:
    if isinstance(place, list):
        named = {entry.get("name"): entry for entry in place} | {str(i): entry for i, entry in enumerate(place)}
        if part in named:
            return named[part]
        raise RecipeError(setting, f"names no phase {part!r}", f"choose from {', '.join(map(str, named))}")
    if isinstance(place, dict):
        return place.setdefault(part, {})
    raise RecipeError(setting, f"has no key {part!r} within", "look the key up in the recipe's file")
