"""Train a network through its phases. A run can be interrupted at any time and resumed from its last epoch."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from pneumo_train.console import progress_bar
from pneumo_train.data.batches import FilmBatches, PackedFields, SeedEachEpoch, TrainingFilms, packed_lung_fields
from pneumo_train.model.network import build_training_model, build_trunk, rebuild_trunk, set_trainable
from pneumo_train.recipe import Fit, Phase, Recipe
from pneumo_train.training.checkpoints import MONITORED, RunState, SaveRunState, checkpoint_name
from pneumo_train.training.devices import compile_whole_steps, devices_that_share_evenly
from pneumo_train.training.interrupts import keeping_interrupts
from pneumo_train.training.progress import EpochProgress

LOGIT_THRESHOLDS = np.linspace(-16, 16, 1601)  # beyond these, float32 probabilities round to 1
WARM_UP = 0.1  # share of a cosine schedule's steps in which the learning rate rises


def train(recipe: Recipe, weights: str, films: TrainingFilms, state: RunState) -> keras.Model:
    """Train every phase that is not finished, and return the trunk of the epoch that the recipe keeps.

    Parameters
    ----------
    weights
        `imagenet`, `none` or the path of a weights file; only read if there is no checkpoint yet.
    films
        Films of the splits `train` and `validation`.
    state
        State of the run, which the training resumes from and updates.
    """
    keras.utils.set_random_seed(recipe.split.seed)
    state.checkpoints.mkdir(parents=True, exist_ok=True)
    remaining = [phase for phase in recipe.planned_phases() if phase.name not in state.finished_phases]
    fields = _lung_fields(films) if remaining and recipe.network.pooling == "lungs" else None
    for phase in remaining:
        _fit_phase(recipe, phase, weights, films, fields, state)
    return _kept_trunk(state)


def _lung_fields(films: TrainingFilms) -> PackedFields:
    with progress_bar() as bar:
        task = bar.add_task("finding lung fields", total=len(films.pixels))
        return packed_lung_fields(films.pixels, lambda count: bar.advance(task, count))


def class_weights(targets: NDArray[np.float32]) -> dict[int, float]:
    """Compute weights that balance the classes: N / (2 N_class) (King & Zeng, Political Analysis 9, 2001)."""
    pneumonia = float(targets.sum())
    normal = len(targets) - pneumonia
    return {0: len(targets) / (2 * normal), 1: len(targets) / (2 * pneumonia)}


def _start_or_resume(recipe: Recipe, phase: Phase, weights: str, batches_an_epoch: int, state: RunState) -> keras.Model:
    if state.rows(phase.name):
        return state.load(state.last)
    if state.kept is None:
        trunk = build_trunk(weights, recipe.network, phase.image_size)
    else:
        trunk = rebuild_trunk(_kept_trunk(state), recipe.network, phase.image_size)
    set_trainable(trunk, phase, pretrained=weights != "none")
    lung_fields = recipe.network.pooling == "lungs"
    model = build_training_model(trunk, recipe.augment, phase, recipe.split.seed, lung_fields)
    _compile(model, phase, recipe.fit, batches_an_epoch)
    return model


def _kept_trunk(state: RunState) -> keras.Model:
    """Load the trunk of the kept checkpoint, with averaged weights if the recipe averages them."""
    model = state.load(state.kept)
    if model.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    return model.get_layer("trunk")


def _compile(model: keras.Model, phase: Phase, fit: Fit, batches_an_epoch: int) -> None:
    rate = phase.learning_rate
    if phase.schedule == "cosine":
        steps = phase.epochs * batches_an_epoch
        warm_up = round(WARM_UP * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warm_up, warmup_target=phase.learning_rate, warmup_steps=warm_up
        )
    model.compile(
        optimizer=keras.optimizers.AdamW(
            rate,
            weight_decay=fit.weight_decay,
            clipnorm=1.0,
            use_ema=fit.ema_momentum > 0,
            ema_momentum=fit.ema_momentum,
        ),
        loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=fit.label_smoothing),
        metrics=[auc_of_logits(), keras.metrics.BinaryAccuracy(threshold=0.0)],
    )


def auc_of_logits() -> keras.metrics.AUC:
    """Create the ROC AUC metric, with thresholds spaced evenly in logits.

    Keras spaces its thresholds evenly in probability. The films of a confident network are then nearly all beyond the
    first or the last threshold: an AUC of 0.991 was computed as 0.974, and another epoch was kept.
    """
    return keras.metrics.AUC(thresholds=expit(LOGIT_THRESHOLDS).tolist(), from_logits=True, name="auc")


def _fit_phase(
    recipe: Recipe, phase: Phase, weights: str, films: TrainingFilms, fields: PackedFields | None, state: RunState
) -> None:
    fit = recipe.fit
    done = len(state.rows(phase.name))
    sharing = devices_that_share_evenly()
    in_batches = partial(
        FilmBatches, films.pixels, films.targets, batch_size=fit.batch_size, sharing=sharing, fields=fields
    )
    batches = in_batches(films.rows["train"], recipe.split.seed, balanced=fit.class_balance == "sampling")
    batches.start_epoch(len(state.history))
    model = _start_or_resume(recipe, phase, weights, len(batches), state)
    compile_whole_steps(model)
    checkpoint = state.checkpoints / checkpoint_name(phase.name, "{epoch:03d}")
    replayed = _plateau_callbacks(fit) if phase.schedule == "constant" else []
    with keeping_interrupts() as interrupts:
        model.fit(
            batches.feed(),
            validation_data=in_batches(films.rows["validation"]).feed(),
            epochs=phase.epochs,
            initial_epoch=done,
            shuffle=False,  # FilmBatches shuffles films instead of batches, in an order that a resumed run repeats
            class_weight=class_weights(films.targets[batches.rows]) if fit.class_balance == "weights" else None,
            verbose=0,
            callbacks=[
                SeedEachEpoch(batches, recipe.split.seed, len(state.history) - done),
                *([keras.callbacks.SwapEMAWeights()] if fit.ema_momentum else []),
                *replayed,
                EpochProgress(phase, recipe.planned_phases(), state, len(batches)),  # after callbacks that can stop it
                keras.callbacks.ModelCheckpoint(checkpoint),
                SaveRunState(state, phase, fit.keep == "last", replayed),
                interrupts,
            ],
        )


def _plateau_callbacks(fit: Fit) -> list[keras.callbacks.Callback]:
    return [
        keras.callbacks.EarlyStopping(MONITORED, mode="max", patience=fit.early_stopping_patience),
        keras.callbacks.ReduceLROnPlateau(
            MONITORED, mode="max", factor=fit.reduce_rate_factor, patience=fit.reduce_rate_patience, min_lr=1e-6
        ),
    ]
