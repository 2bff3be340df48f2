"""Recipes: every setting that affects how a model is trained, in one validated TOML file."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pneumo_infer.films.preprocess import NETWORK_SIZE
from pneumo_train.model.backbones import BACKBONES

MAX_SEED = 2**32 - 1  # of NumPy's generators, which Keras seeds as well
MAX_FILMS = 65_536  # in a batch

Share = Annotated[float, Field(ge=0.0, lt=0.5)]
Strength = Annotated[float, Field(ge=0.0, lt=1.0)]
Penalty = Annotated[float, Field(ge=0.0, le=1.0)]
# The upper limits only stop mistakes; useful values are far below.
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Layers = Annotated[int, Field(ge=1, le=10_000)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Name = Annotated[str, Field(pattern=r"^\w[\w -]*$")]  # usable in a file name


class Section(BaseModel):
    """A section of a recipe. Unknown keys and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Split(Section):
    """Seed and shares of the validation and test films, which are split by patient and class."""

    seed: Seed
    validation: Annotated[float, Field(gt=0.0, lt=0.5)]
    test: Share


class Network(Section):
    """The backbone, and the head on its pooled features.

    `weights` are the initial weights of the backbone, unless the command line overrides them.

    `scaling` prepares the grey levels for the backbone: `imagenet` as its ImageNet weights expect; `unit` to 0..1;
    `film` to zero mean and unit variance in each film, so that exposure and contrast do not matter; `equalised` to
    their ranks in each film, so that no tone curve matters.

    The last feature maps have one cell for every `output_stride` pixels. The head consists of these layers, if set:
    batch normalisation, dropout, a hidden layer with ReLU and its own dropout, and the output with one logit
    (`sigmoid`) or one per class (`softmax`). The head is applied to each cell. The logit of the film is the mean over
    the whole film (`pooling = "film"`) or over the lungs (`"lungs"`), which the network then also learns to find.
    """

    backbone: str
    weights: Literal["imagenet", "none"] = "imagenet"
    scaling: Literal["equalised", "film", "imagenet", "unit"]
    output_stride: Literal[16, 32] = 32
    pooling: Literal["film", "lungs"] = "film"
    head_batch_normalisation: bool = False
    dropout: Strength = 0.0
    hidden_units: Annotated[int, Field(ge=0, le=65_536)] = 0
    hidden_dropout: Strength = 0.0
    l2: Penalty = 0.0
    classes: Literal["sigmoid", "softmax"] = "sigmoid"

    @field_validator("backbone")
    @classmethod
    def _backbone_is_known(cls, backbone: str) -> str:
        if backbone not in BACKBONES:
            raise ValueError(f"no such backbone; use one of {', '.join(BACKBONES)}")
        return backbone

    @model_validator(mode="after")
    def _backbone_keeps_resolution(self) -> Self:
        able = [name for name, backbone in BACKBONES.items() if backbone.last_strides]
        if self.output_stride == 16 and self.backbone not in able:
            raise ValueError(
                f"output_stride 16 does not work with {self.backbone}; use 32, or one of {', '.join(able)}"
            )
        return self


class Augment(Section):
    """Random changes to each training film, drawn again each time it is used. By default nothing is changed.

    - `shift`, `zoom_in` and `zoom_out` are fractions of the side length: `zoom_in = 0.4` shows at least 60 % of each
      side.
    - `fill` is used for areas that shifts, zooms and rotations leave empty: the film's `edge` pixels, or `black`. With
      `black`, almost every training film gets black corners, and a network can learn to treat their absence as a sign.
    - `frame` shrinks the film by up to this share onto black, or stretches it by as much, separately in width and
      height. It imitates padding, collimation and squashing.
    - `brightness` and `noise` (the largest standard deviation) are fractions of the grey range; `contrast` is a
      fraction of the film's own contrast.
    - `spectrum` is the share of films whose sharpness changes: towards that of another film, and by `blur` (the largest
      standard deviation of the Gaussian, in pixels at 224 px) or `sharpen` (the largest amount of unsharp masking).
    - `shading` is the standard deviation of smooth gradients over the film, as a fraction of the grey range.
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
    """Settings that all phases share.

    - `epochs`, if set, is the maximum for every phase.
    - `class_balance` gives both classes equal influence: `weights` weights the loss; `sampling` uses every film of the
      smaller class in each epoch, and an equal number of the other class, drawn at random.
    - `ema_momentum` is the momentum of an exponential moving average of the weights over the optimiser's steps (Polyak
      & Juditsky, SIAM J. Control Optim. 30, 1992). Validation, the next phase and the final model use the averaged
      weights. 0 turns averaging off.
    - `keep` selects the epoch that the next phase starts from: the `best` validation AUC, or the `last` epoch.
    """

    epochs: Epochs | None = None
    batch_size: Annotated[int, Field(ge=1, le=MAX_FILMS)]
    label_smoothing: Share = 0.0
    weight_decay: Penalty = 0.0
    class_balance: Literal["none", "sampling", "weights"]
    ema_momentum: Strength = 0.0
    keep: Literal["best", "last"] = "best"
    early_stopping_patience: Epochs = 3
    reduce_rate_patience: Epochs = 1
    reduce_rate_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3


class Phase(Section):
    """A phase of training: which layers learn, for how long, how fast, and on how much of each film.

    - `name` is part of the phase's checkpoint names.
    - `train` is `head`, `all`, or the number of layers at the top of the backbone that learn in addition to the head.
    - `batch_normalisation` in these layers is `trainable`, or `frozen` in inference mode.
    - `image_size` is the side length, in pixels, that films are shrunk to. Small films train faster, and because the
      network is fully convolutional, its weights also work at full size. The final model shrinks films to the size of
      the last phase, since its batch statistics come from films of that size.
    - `min_crop_area` is the smallest share of the film that a random crop shows.
    - `schedule` is `constant`, where plateaus lower the learning rate and early stopping can end the phase, or
      `cosine`, where the rate falls to zero over the whole phase after a short warm-up.
    """

    name: Name
    train: Literal["head", "all"] | Layers
    batch_normalisation: Literal["frozen", "trainable"]
    image_size: Annotated[int, Field(ge=64, le=NETWORK_SIZE)] = NETWORK_SIZE
    min_crop_area: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    epochs: Epochs
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    schedule: Literal["constant", "cosine"] = "constant"


class Recipe(Section):
    """A complete recipe, as read from TOML. `claimed` holds the figures that its authors published."""

    summary: str
    claimed: str = ""
    split: Split
    network: Network
    augment: Augment = Augment()
    fit: Fit
    phases: Annotated[tuple[Phase, ...], Field(max_length=100)]

    @model_validator(mode="after")
    def _phases_have_unique_names(self) -> Self:
        if not self.phases:
            raise ValueError("needs at least one phase")
        duplicates = [name for name, count in Counter(phase.name for phase in self.phases).items() if count > 1]
        if duplicates:
            raise ValueError(f"several phases are named {duplicates[0]!r}")
        return self

    def planned_phases(self) -> tuple[Phase, ...]:
        """Return the phases, each limited to `fit.epochs` epochs."""
        most = self.fit.epochs
        return tuple(p if most is None else p.model_copy(update={"epochs": min(p.epochs, most)}) for p in self.phases)

    def trains_like(self, other: Recipe) -> bool:
        """Return whether two recipes differ in nothing but their descriptions."""
        texts = {"summary", "claimed"}
        return self.model_dump(exclude=texts) == other.model_dump(exclude=texts)

    def to_toml(self) -> str:
        """Format the whole recipe as TOML, including every default."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))


def name_layers(train: str | int) -> str:
    """Describe what a phase trains: `head`, `all layers`, `top 40 layers`."""
    return {"head": "head", "all": "all layers"}.get(str(train), f"top {train} layers")
