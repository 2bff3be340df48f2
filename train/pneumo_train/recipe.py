"""Recipes: everything that decides how a model is trained, in one validated TOML file."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pneumo_infer.preprocess import NETWORK_SIZE
from pneumo_train.errors import RecipeError

Share = Annotated[float, Field(ge=0.0, lt=0.5)]
Strength = Annotated[float, Field(ge=0.0, lt=1.0)]
Name = Annotated[str, Field(pattern=r"^\w[\w -]*$")]  # of something that has a file or a folder


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
    (`equalised`), so that no tone curve does. Last maps have a place for every `output_stride` pixels. The head is, in this order and where given: batch normalisation, dropout,
    a hidden layer with ReLU and its own dropout, and the classes: one logit (`sigmoid`), or one for each class
    (`softmax`). It is asked at each place of the last maps, and the film's logit is the mean of what it says: over the
    whole `film`, or over the `lungs`, which the network then learns to find as well.
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
    standard deviation) are fractions of the grey range, contrast a fraction of the film's own. `spectrum` is the share of
    films whose sharpness changes: to that of another film, and by `blur` (the largest Gaussian deviation, pixels of a
    film of 224) or `sharpen` (the largest amount of unsharp masking). `shading` is the deviation, as a fraction of the
    grey range, of smooth gradients over the film.
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

    `epochs`, where given, is the most that any phase may take. Validation, the checkpoints that are kept and the model
    that comes out have `averaged_weights` as the momentum of an exponential moving average over the optimiser's steps
    (Polyak & Juditsky, SIAM J. Control Optim. 30, 1992); 0 does without. `keep` says which epoch is handed on: the one
    with the best validation AUC, or the last.
    """

    epochs: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)]
    label_smoothing: Share = 0.0
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    class_weights: bool
    averaged_weights: Strength = 0.0
    keep: Literal["best", "last"] = "best"
    early_stopping_patience: Annotated[int, Field(ge=1)] = 3
    reduce_rate_patience: Annotated[int, Field(ge=1)] = 1
    reduce_rate_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3


class Teachers(Section):
    """What else says what a network is to learn: not a film's label alone, but what others make of it.

    The teachers are the network as a taught phase finds it, and those of `recipes`, if any: built-in ones by name, each
    with what is set in it, as on the command line. Words behind the name tell two of one recipe apart. Each is trained
    first, in this split and from the same weights unless its own are random. Of each film they are shown a view that
    `augment` changes, and mixes with another film's where `mixup` is above 0 (the alpha of Zhang et al., "mixup", ICLR
    2018). Of that same view the network learns to say what they say on average, beside what it learns of the phase's
    own crops; `mirrored` asks them of the view's mirror image too, which is less a matter of chance. Views should be
    such that the teachers know better than the network: those that learned on whole films know little of crops.
    """

    recipes: dict[Name, tuple[str, ...]] = {}
    mirrored: bool = False
    mixup: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    augment: Augment = Augment()


class Phase(Section):
    """A stretch of training: which layers learn, for how long, how fast, and on how much of each film.

    `train` is `head`, `all`, or the number of layers at the top of the backbone that learn beside the head. Batch
    normalisation among these layers learns with them, or stays `frozen` in inference mode. Films are shrunk to `side`
    pixels, which costs less and, as the network is convolutional throughout, keeps its weights usable at full size; the
    network that is handed on shrinks them to the side of the last phase, which its statistics are of. A random crop
    shows at least `least_area` of the film. The rate is `constant` until a plateau lowers it and early stopping ends
    the phase, or falls along a `cosine` to zero over the whole phase after a short warm-up. Where there is a
    `teaching_temperature`, the recipe's teachers teach beside the labels. Above 1 they also teach how sure they are of
    films of which they are sure, which at 1 hardly matters, and weigh more beside the labels.

    A phase hands on its own weights less `mixed_share` of them, plus that share of those that the earlier phase
    `mixed_with` handed on: what lies between a network before and after it learned more keeps much of both, on films
    unlike its own more than either (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).

    `augment`, `teachers` and `batch_size` replace those of the recipe in this phase. A network that has learned more
    bears more augmentation (Tan & Le, "EfficientNetV2", ICML 2021). Files and folders of a run bear the phase's `name`.
    """

    name: Name
    train: Literal["head", "all"] | Annotated[int, Field(ge=1)]
    batch_normalisation: Literal["frozen", "learns"]
    side: Annotated[int, Field(ge=64, le=NETWORK_SIZE)] = NETWORK_SIZE
    least_area: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0.0)]
    schedule: Literal["constant", "cosine"] = "constant"
    augment: Augment | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    teaching_temperature: Annotated[float, Field(ge=1.0, le=20.0)] | None = None
    teachers: Teachers | None = None
    mixed_with: str | None = None
    mixed_share: Strength = 0.0


class Recipe(Section):
    """A whole recipe, as read from TOML; `claimed` is what its authors published."""

    summary: str
    claimed: str = ""
    split: Split
    network: Network
    augment: Augment = Augment()
    fit: Fit
    teachers: Teachers | None = None
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_tell_phases_apart(self) -> Self:
        twice = [name for name, count in Counter(phase.name for phase in self.phases).items() if count > 1]
        if twice:
            raise ValueError(f"several phases are named {twice[0]!r}")
        return self

    @model_validator(mode="after")
    def _phases_are_taught_by_teachers(self) -> Self:
        taught = [phase for phase in self.phases if phase.teaching_temperature is not None]
        if any(phase.teachers is None for phase in taught) and self.teachers is None:
            raise ValueError("phases have a teaching_temperature, but there are no teachers")
        if self.teachers is not None and all(phase.teachers is not None for phase in taught):
            raise ValueError("there are teachers, but no phase has a teaching_temperature and none of its own")
        if any(phase.teachers is not None and phase not in taught for phase in self.phases):
            raise ValueError("a phase has teachers, but no teaching_temperature")
        first = self.teachers_in(self.phases[0])
        if first is not None and not first.recipes:
            raise ValueError("the first phase has no network yet that could teach, and teachers without recipes")
        return self

    @model_validator(mode="after")
    def _phases_are_mixed_with_earlier_ones(self) -> Self:
        mixed = {phase.name: phase.mixed_with for phase in self.phases if phase.mixed_with is not None}
        earlier: set[str] = set()
        for phase in self.phases:
            if (phase.mixed_with is None) != (phase.mixed_share == 0):
                raise ValueError(f"phase {phase.name!r} has one of mixed_with and mixed_share, and needs both")
            if phase.mixed_with is not None and phase.mixed_with not in earlier - mixed.keys():
                raise ValueError(f"phase {phase.name!r} is mixed with {phase.mixed_with!r}: no earlier, unmixed phase")
            earlier.add(phase.name)
        if mixed and self.fit.keep == "best":
            raise ValueError("phases are mixed, for which fit.keep has to be last")
        return self

    def planned_phases(self) -> tuple[Phase, ...]:
        """The phases with no more epochs than `fit.epochs` allows."""
        most = self.fit.epochs
        return tuple(p if most is None else p.model_copy(update={"epochs": min(p.epochs, most)}) for p in self.phases)

    def teachers_in(self, phase: Phase) -> Teachers | None:
        """Who teaches in a phase, if anyone does."""
        return None if phase.teaching_temperature is None else phase.teachers or self.teachers

    def recipes_of(self, teachers: Teachers) -> dict[str, Recipe]:
        """Read the recipes of teachers, by name; they take no more epochs than this one may."""
        recipes = {name: _read(_recipe_of(name), settings) for name, settings in teachers.recipes.items()}
        return {
            name: recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"epochs": self.fit.epochs})})
            for name, recipe in recipes.items()
        }

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
    recipe = _read(name, settings)
    for teachers in (recipe.teachers, *(phase.teachers for phase in recipe.phases)):
        if teachers is not None:
            _check_teachers(name, teachers)
    return recipe


def _check_teachers(name: str, teachers: Teachers) -> None:
    for teacher, settings in teachers.recipes.items():
        subject = f"{name}, teachers.recipes.{teacher}"
        if not _builtin(_recipe_of(teacher)).is_file():
            raise RecipeError(subject, "is no built-in recipe", f"choose from {', '.join(_builtin_names())}")
        try:
            recipe = _read(_recipe_of(teacher), settings)
        except RecipeError as error:
            raise RecipeError(subject, error.problem, error.remedy) from error
        if any(recipe.teachers_in(phase) for phase in recipe.phases):
            raise RecipeError(subject, "has teachers itself", "name recipes that have none")


def _recipe_of(teacher: str) -> str:
    return teacher.split(maxsplit=1)[0]


def _read(name: str, settings: Sequence[str] = ()) -> Recipe:
    try:
        values = tomllib.loads(_recipe_text(name))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(name, f"is no TOML ({error})", "correct that line") from error
    for setting in settings:
        _override(values, setting)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise RecipeError(name, problems, "correct these values") from error


def _recipe_text(name: str) -> str:
    builtin = _builtin(name)
    try:
        return builtin.read_text(encoding="utf-8") if builtin.is_file() else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(_builtin_names())
        raise RecipeError(name, f"is no recipe ({error.strerror})", f"choose one of {known}, or a TOML file") from error


def _builtin(name: str) -> Traversable:
    return resources.files("pneumo_train") / "recipes" / f"{name}.toml"


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
