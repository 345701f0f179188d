"""Trains a net by a recipe in a folder; the same call after a kill goes on from the last finished epoch."""

import contextlib
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from kerastrash.backends import (
    check_device,
    device_description,
    free_accelerator_memory,
    is_out_of_memory,
    release,
    set_tf32,
    training_model,
)
from kerastrash.console import progress_bar, say
from kerastrash.data.dataset import Dataset
from kerastrash.errors import ConfigError
from kerastrash.files import remove_temporaries
from kerastrash.models.builder import CLASSIFIER
from kerastrash.training.batches import CropBatches, FollowEpochs
from kerastrash.training.callbacks import EpochTimer, ProgressBar, WeightAverage
from kerastrash.training.checkpoint import BEST, LAST, EpochRecorder, f1_of, restore_state, state_of
from kerastrash.training.feeding import evaluation_batches, training_batches
from kerastrash.training.losses import MacroF1, Supervision, recipe_loss
from kerastrash.training.optimizer import recipe_optimizer
from kerastrash.training.recipe import Recipe

ROW = re.compile(r"row(\d+)_")


@dataclass(frozen=True)
class Training:
    """What a training gave: F1 on the validation split at the epoch that is kept, and where the model lies."""

    f1: float
    best_epoch: int
    epochs: int
    model: Path
    images_per_second: float


def train(
    build: Callable[[], keras.Model],
    dataset: Dataset,
    recipe: Recipe,
    folder: Path,
    until: int | None = None,
    description: str = "training",
    supervision: Supervision | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Training:
    """Trains the net that `build` returns on the training split; keeps the best epoch by validation F1, or the last.

    Args:
        build: makes the net; called once, after the seed and the dtype policy are set.
        dataset: crops at the net's input size.
        recipe: the schedule covers `recipe.epochs` whatever `until` says.
        folder: receives metrics.csv, best.keras and last.weights.h5, of this training alone; an earlier state in it is
            continued.
        until: stop after this many epochs in total; None trains all of the recipe's.
        description: stands before the progress bar.
        supervision: further targets for each crop; the net alone is kept in best.keras.
        callbacks: told of each epoch while it is being saved, such as an experiment's logger, and of the training's end
            when all is saved. An epoch's logs hold `loss`, `macro_f1`, `val_loss`, `val_macro_f1`, `learning_rate`,
            `images_per_second`, `seconds`, and `averaged_f1` where weights are averaged; those of a step may hold no
            figures. A training that goes on begins with the number of its first unfinished epoch, which they may have
            been told of before the kill; a finished one calls none. Setting `model.stop_training` ends this call.

    Raises:
        TrainingDiverged: the loss is not finite.
        FileError: an epoch cannot be written; raised when the next one ends, or the training.
        ModelError: the earlier state in the folder cannot be read.
        ConfigError: the device cannot train in the dtype policy, or its memory does not suffice; the recipe does not
            fit the net (`freeze`, `backbone_rate`), or mixes images, which have no targets.
    """
    if supervision and recipe.mixing():
        mixing = f"mixup={recipe.mixup}, cutmix={recipe.cutmix}"
        raise ConfigError(f"{mixing}: a mixed image has no targets to be supervised by; set both to 0")
    check_device(recipe.dtype_policy)
    until = min(until or recipe.epochs, recipe.epochs)
    keras.config.set_dtype_policy(recipe.dtype_policy)
    keras.utils.set_random_seed(recipe.seed)
    set_tf32(recipe.tf32)
    net = build()
    set_trainable(net, recipe)
    model = training_model(supervision.extend(net) if supervision else net, recipe.graphs, recipe.compile)
    with _device_memory(model, folder, dataset, recipe):
        batches = training_batches(dataset, recipe, supervision)
        validation = evaluation_batches(dataset, "val", recipe)
        steps = len(batches) * recipe.epochs
        compile_by_recipe(model, dataset, recipe, steps, backbone_rates(net, recipe), supervision)
        average = WeightAverage(net, recipe.average, validation) if recipe.average else None
        finished = restore_state(state_of(model, average), folder / LAST)
        folder.mkdir(parents=True, exist_ok=True)
        remove_temporaries(folder)
        recorder = EpochRecorder(folder, finished, dataset.classes, net, average, recipe.keep)
        if finished < until:
            tf32 = ", TF32 allowed" if recipe.tf32 and free_accelerator_memory() else ""
            say(f"training on {device_description()}: {recipe.dtype_policy}{tf32}")
            with progress_bar() as bar:
                timer = EpochTimer(len(batches) * batches.batch_size)
                progress = ProgressBar(bar, description, batches, finished, until)
                told = [FollowEpochs(batches), average, timer, recorder, progress, *callbacks]
                _fit(model, batches, validation, range(finished, until), recorder, [each for each in told if each])
    return _training(recorder)


def _fit(
    model: keras.Model,
    batches: CropBatches,
    validation: CropBatches,
    epochs: range,
    recorder: EpochRecorder,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Fits for these epochs; what the recorder writes is written when this ends."""
    try:
        model.fit(
            batches,
            validation_data=validation,
            initial_epoch=epochs.start,
            epochs=epochs.stop,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
    finally:
        recorder.wait()


def _training(recorder: EpochRecorder) -> Training:
    return Training(
        f1=f1_of(recorder.kept),
        best_epoch=int(recorder.kept["epoch"]),
        epochs=len(recorder.rows),
        model=recorder.folder / BEST,
        images_per_second=statistics.median_high(float(row["images_per_second"]) for row in recorder.rows),
    )


@contextlib.contextmanager
def _device_memory(model: keras.Model, folder: Path, dataset: Dataset, recipe: Recipe) -> Iterator[None]:
    """Gives memory back in the end; makes of the backend's error where none is left one that says what to lower."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ConfigError(
            f"{folder}: {device_description()} has no memory left for batch_size={recipe.batch_size} at "
            f"{dataset.input_size} px in {recipe.dtype_policy}; lower the batch size or the input size, or set "
            "feeding=disk"
        ) from error
    finally:
        release(model)


def compile_by_recipe(
    model: keras.Model,
    dataset: Dataset,
    recipe: Recipe,
    steps: int,
    rates: dict[str, float] | None = None,
    supervision: Supervision | None = None,
) -> None:
    """Compiles with the recipe's loss, its optimizer over `steps` steps, and macro F1.

    `rates` are shares of the learning rate by the path of the variable; `supervision` makes its loss of the recipe's.
    Whether the loss is scaled follows from the model's own layers: Keras would ask the global dtype policy, which says
    float32 when a saved 16-bit model is opened again.
    """
    optimizer = recipe_optimizer(recipe, steps, rates)
    if any(layer.compute_dtype == "float16" for layer in model.layers):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    loss = recipe_loss(recipe, dataset.split("train").labels, len(dataset.classes))
    loss = supervision.loss(loss) if supervision else loss
    model.compile(optimizer, loss, metrics=[MacroF1(len(dataset.classes))], auto_scale_loss=False)


def set_trainable(net: keras.Model, recipe: Recipe) -> None:
    """Makes trainable what the recipe trains, and nothing else, whatever the net was before.

    A frozen batch norm keeps its statistics and normalises by them in training too.

    Raises:
        ConfigError: the net has fewer rows than are to be frozen, or layers that are not named after rows.
    """
    rows = {int(found[1]) for layer in net.layers if (found := ROW.match(layer.name))}
    if not rows.issuperset(range(1, recipe.freeze + 1)):
        raise ConfigError(
            f"freeze={recipe.freeze}: {net.name} has {f'{len(rows)} rows' if rows else 'no layers named rowNN_...'}; "
            f"freeze at most {len(rows)}"
        )
    for layer in net._flatten_layers():  # one by one: on tensorflow a net that is trainable does not pass it on
        layer.trainable = True
    for layer in net._flatten_layers(include_self=False):
        row, norm = ROW.match(layer.name), isinstance(layer, keras.layers.BatchNormalization)
        if (row and int(row[1]) <= recipe.freeze) or (norm and recipe.norms == "frozen"):
            layer.trainable = False


def backbone_rates(net: keras.Model, recipe: Recipe) -> dict[str, float] | None:
    """The share of the learning rate of each variable (by its path) outside the classifier; None where all have 1.

    Raises:
        ConfigError: the net's classifier cannot be told from the rest.
    """
    if recipe.backbone_rate == 1:
        return None
    own = {variable.path for layer in net.layers if layer.name == CLASSIFIER for variable in layer.variables}
    if not own:
        raise ConfigError(
            f"backbone_rate={recipe.backbone_rate}: {net.name} has no layer named {CLASSIFIER}, so the classifier "
            "cannot be told from the rest; leave it at 1"
        )
    return {variable.path: recipe.backbone_rate for variable in net.variables if variable.path not in own}
