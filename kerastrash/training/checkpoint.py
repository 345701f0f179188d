"""The state of a training in its folder: metrics, best model, and what is needed to go on after a kill.

    metrics.csv          a row an epoch
    best.keras           the net of the best epoch by validation macro F1, or of the last one, without optimizer
    last.weights.h5      weights, their moving averages and optimizer after the last finished epoch

An epoch is finished when `last.weights.h5` has been renamed into place with its number inside; whatever a killed
process wrote for a later epoch is written again.
"""

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
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
AVERAGES = "averages"
"""The group of `last.weights.h5` that holds the moving averages, numbered; Keras passes over it."""


class TrainingDiverged(KerastrashError):
    """The loss became infinite or not a number."""


def save_state(model: keras.Model, epoch: int, path: Path, averages: Sequence[keras.Variable] = ()) -> None:
    """Saves weights, their averages, optimizer and the number of finished epochs in one file."""
    with atomic_path(path) as temporary:
        model.save_weights(temporary)
        with h5py.File(temporary, "a") as file:
            file.attrs["finished_epochs"] = epoch
            for number, average in enumerate(averages):
                file[f"{AVERAGES}/{number}"] = ops.convert_to_numpy(average)


def restore_state(model: keras.Model, path: Path, averages: Sequence[keras.Variable] = ()) -> int:
    """Loads weights, averages and optimizer into a compiled model; returns the finished epochs (0 without the file).

    Raises:
        ModelError: the file is damaged or belongs to another net.
    """
    if not path.exists():
        return 0
    model.optimizer.build(model.trainable_variables)
    try:
        with h5py.File(path, "r") as file:
            epoch = int(file.attrs["finished_epochs"])
            for number, average in enumerate(averages):
                average.assign(file[f"{AVERAGES}/{number}"][()])
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns of variables that it leaves as they are
            model.load_weights(path)
    except (OSError, KeyError, ValueError, UserWarning) as error:
        raise ModelError(f"{path}: cannot be resumed from ({error}); delete its folder to start again") from error
    return epoch


class EpochRecorder(keras.callbacks.Callback):
    """After each epoch: a row of metrics, the net when its F1 rose, then the state of the model that is trained.

    Of a net whose weights are averaged, the better of both counts, and the row's `weights` says which: `raw` or
    `averaged`. Where the last net is to be kept, every epoch's is written, and averages count wherever there are any.
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

    @property
    def kept(self) -> dict:
        """The row of the epoch whose net is kept: of equally good ones the first."""
        return self.rows[-1] if self.keep == "last" else max(self.rows, key=f1_of)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        row = {"epoch": epoch + 1, **{name: logs[name] for name in COLUMNS if name in logs}}
        if not all(math.isfinite(float(row[name])) for name in ("loss", "val_loss")):
            raise TrainingDiverged(
                f"{self.folder}: the loss of epoch {epoch + 1} is {row['loss']} (validation {row['val_loss']}); "
                "lower the learning rate"
            )
        averaged = self.average and (self.keep == "last" or row["averaged_f1"] > row["val_macro_f1"])
        row["weights"] = "averaged" if averaged else "raw"
        self.rows.append(row)
        write_csv(self.folder / METRICS, self.rows, COLUMNS)
        if self.kept is row:
            chosen = self.average.swapped_in() if averaged else contextlib.nullcontext()
            with chosen, all_trainable(self.net):
                save_model(self.net, self.folder / BEST, self.classes)
        save_state(self.model, epoch + 1, self.folder / LAST, self.average.averages if self.average else ())


def f1_of(row: dict) -> float:
    """Validation macro F1 of an epoch, in [0, 1]: of its weights or of their averages, as the row says."""
    return float(row["averaged_f1" if row["weights"] == "averaged" else "val_macro_f1"])


@contextlib.contextmanager
def all_trainable(net: keras.Model) -> Iterator[None]:
    """Inside the block every layer is trainable, so that a file saved there trains whole wherever it is opened."""
    frozen = [layer for layer in net._flatten_layers(include_self=False) if not layer.trainable]
    for layer in frozen:
        layer.trainable = True
    try:
        yield
    finally:
        for layer in frozen:
            layer.trainable = False
