"""The state of a training in its folder: metrics, best model, and what is needed to go on after a kill.

    metrics.csv          a row an epoch
    best.keras           the net of the best epoch by validation macro F1, or of the last one, without optimizer
    last.weights.h5      weights, optimizer and moving averages after the last finished epoch

The state is copied when an epoch ends, and all is written by a thread while the next one trains. An epoch is finished
when `last.weights.h5` has been renamed into place with its number inside; whatever a killed process wrote for a later
epoch is written again.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import keras
from keras import ops

from kerastrash.errors import KerastrashError, ModelError
from kerastrash.files import atomic_path, read_csv, write_csv
from kerastrash.models.saved import save_model
from kerastrash.training.callbacks import WeightAverage
from kerastrash.training.recipe import Keep

METRICS = "metrics.csv"
BEST = "best.keras"
LAST = "last.weights.h5"
COLUMNS = (
    *("epoch", "loss", "macro_f1", "val_loss", "val_macro_f1", "averaged_f1", "weights"),
    *("learning_rate", "seconds", "images_per_second"),
)


class TrainingDiverged(KerastrashError):
    """The loss became infinite or not a number."""


def state_of(model: keras.Model, average: WeightAverage | None) -> list[keras.Variable]:
    """All that a compiled model's training goes on from: weights, seeds, optimizer and, where there are, averages."""
    if not model.optimizer.built:  # Keras's LossScaleOptimizer would make its variables twice
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables, *(average.averages if average else ())]


def save_state(values: Sequence, epoch: int, path: Path) -> None:
    """Saves the values of a state, tensors or variables, numbered, and the number of finished epochs."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["finished_epochs"] = epoch
        for number, value in enumerate(values):
            file[str(number)] = ops.convert_to_numpy(value)


def restore_state(state: Sequence[keras.Variable], path: Path) -> int:
    """Loads the values of a state; returns the finished epochs (0 without the file).

    Raises:
        ModelError: the file is damaged or belongs to another net.
    """
    if not path.exists():
        return 0
    try:
        with h5py.File(path, "r") as file:
            values = [file[str(number)][()] for number in range(len(file))]
            for variable, value in zip(state, values, strict=True):
                variable.assign(value)
            return int(file.attrs["finished_epochs"])
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: cannot be resumed from ({error}); delete its folder to start again") from error


class EpochRecorder(keras.callbacks.Callback):
    """After each epoch: a row of metrics, the net when its F1 rose, then the state of the model that is trained.

    Of a net whose weights are averaged, the better of both counts, and the row's `weights` says which: `raw` or
    `averaged`. Where the last net is to be kept, every epoch's is written, and averages count wherever there are any.

    Written in the background, one epoch at a time: an error of it is raised when the next epoch or the training ends.
    """

    def __init__(
        self,
        folder: Path,
        finished: int,
        classes: Sequence[str],
        net: keras.Model,
        average: WeightAverage | None,
        keep: Keep,
    ):
        super().__init__()
        self.folder, self.classes, self.net, self.average, self.keep = folder, classes, net, average, keep
        self.rows = [row for row in read_csv(folder / METRICS) if int(row["epoch"]) <= finished]
        self.copy = trainable_copy(net)
        self._writer, self._writing = ThreadPoolExecutor(1), None

    @property
    def kept(self) -> dict:
        """The row of the epoch whose net is kept: of equally good ones the first."""
        return self.rows[-1] if self.keep == "last" else max(self.rows, key=f1_of)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        row = {"epoch": epoch + 1, **{name: logs[name] for name in COLUMNS if name in logs}}
        self._check(row)
        averaged = self.average and (self.keep == "last" or row["averaged_f1"] > row["val_macro_f1"])
        row["weights"] = "averaged" if averaged else "raw"
        self.wait()
        self.rows.append(row)
        if self.kept is row:
            weights = self.average.averages if averaged else self.net.weights
            for kept, weight in zip(self.copy.weights, weights, strict=True):
                kept.assign(ops.copy(weight))
        state = [ops.copy(variable) for variable in state_of(self.model, self.average)]
        self._writing = self._writer.submit(self._write, row, state)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.wait()

    def wait(self) -> None:
        """Waits until what is being written is written; raises what went wrong with it."""
        writing, self._writing = self._writing, None
        if writing:
            writing.result()

    def _write(self, row: dict, state: Sequence) -> None:
        """Writes an epoch's files in the order that lets it be taken up again."""
        write_csv(self.folder / METRICS, self.rows, COLUMNS)
        if self.kept is row:
            save_model(self.copy, self.folder / BEST, self.classes)
        save_state(state, row["epoch"], self.folder / LAST)

    def _check(self, row: dict) -> None:
        if not all(math.isfinite(float(row[name])) for name in ("loss", "val_loss")):
            scaled = isinstance(self.model.optimizer, keras.optimizers.LossScaleOptimizer)
            raise TrainingDiverged(
                f"{self.folder}: the loss of epoch {row['epoch']} is {row['loss']} (validation {row['val_loss']}); "
                f"{'float16 overflowed: train in mixed_bfloat16 or float32, or ' if scaled else ''}"
                "lower the learning rate"
            )


def f1_of(row: dict) -> float:
    """Validation macro F1 of an epoch, in [0, 1]: of its weights or of their averages, as the row says."""
    return float(row["averaged_f1" if row["weights"] == "averaged" else "val_macro_f1"])


def trainable_copy(net: keras.Model) -> keras.Model:
    """A net of the same layers with weights of its own, all trainable: a file of it trains whole where it is opened."""
    copy = keras.models.clone_model(keras.Model(net.input, net.output, name=net.name))
    for layer in copy._flatten_layers(include_self=False):
        layer.trainable = True
    return copy
