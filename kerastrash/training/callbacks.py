"""What watches a training: its progress as a bar and as numbers, and a moving average of the net's weights."""

import contextlib
import time
from collections.abc import Callable, Iterator

import keras
from keras import ops
from rich.progress import Progress

from kerastrash.backends import weight_averager
from kerastrash.console import console, say
from kerastrash.training.batches import CropBatches


class EpochTimer(keras.callbacks.Callback):
    """Adds seconds, images a second and the learning rate to the epoch's logs; goes before what reads them."""

    def __init__(self, images_per_epoch: int):
        super().__init__()
        self.images_per_epoch = images_per_epoch

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.started = time.perf_counter()

    def on_test_begin(self, logs: dict | None = None) -> None:
        self.trained = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs["seconds"] = round(time.perf_counter() - self.started, 3)
        logs["images_per_second"] = round(self.images_per_epoch / (self.trained - self.started), 1)
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class ProgressBar(keras.callbacks.Callback):
    """A task of `bar` over all steps still to do, with images a second, time left and the last epoch's F1."""

    def __init__(self, bar: Progress, description: str, batches: CropBatches, finished_epochs: int, epochs: int):
        super().__init__()
        self.bar, self.description, self.batch_size, self.epochs = bar, description, batches.batch_size, epochs
        total, completed = (count * len(batches) * batches.batch_size for count in (epochs, finished_epochs))
        note = f"epoch {finished_epochs + 1}/{epochs}"
        self.task = bar.add_task(description, total=total, completed=completed, unit="images", note=note)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.bar.advance(self.task, self.batch_size)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        note = f"epoch {epoch + 1}/{self.epochs} loss {logs['loss']:.3f} F1 {logs['val_macro_f1']:.3f}"
        self.bar.update(self.task, note=note)
        if not console.is_terminal:
            say(f"{self.description}: {note}, {logs['images_per_second']:.0f} images/s")


class WeightAverage(keras.callbacks.Callback):
    """Keeps `average <- d average + (1 - d) weight` after each step, and validates the averages after each epoch.

    Weights and statistics of the net are averaged alike. The epoch's logs gain `averaged_f1`, so this goes before what
    reads them. The variables in `averages` are all of its state; they begin as the net's weights.

    Args:
        net: its weights are averaged; the model that is fitted holds the same variables.
        decay: d, in (0, 1): less at first, as in TensorFlow's ExponentialMovingAverage with `num_updates`.
        validation: macro F1 of the averages is computed on these.
    """

    def __init__(self, net: keras.Model, decay: float, validation: CropBatches):
        super().__init__()
        self.weights, self.decay, self.validation = net.weights, decay, validation
        self.averages = [
            keras.Variable(ops.convert_to_numpy(weight), dtype=weight.dtype, trainable=False) for weight in self.weights
        ]
        self._move: Callable[[float], None] | None = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.step = epoch * self.params["steps"]

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.step += 1
        self._move = self._move or weight_averager(self.model, self.averages, self.weights)
        self._move(1 - min(self.decay, (1 + self.step) / (10 + self.step)))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        with self.swapped_in():
            logs["averaged_f1"] = self.model.evaluate(self.validation, verbose=0, return_dict=True)["macro_f1"]

    @contextlib.contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Inside the block the net has the averages for weights; afterwards each has its own again, bit for bit."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for weight, average in zip(self.weights, self.averages, strict=True):
            kept = ops.copy(weight)
            weight.assign(average)
            average.assign(kept)
