"""A moving average of a net's weights, which often classifies better than the last ones (Polyak averaging)."""

import contextlib
from collections.abc import Callable, Iterator

import keras
from keras import ops

from kerastrash.backends import weight_averager
from kerastrash.data.batches import CropBatches


def decay_at(step: int, decay: float) -> float:
    """The decay after step 1, 2, ...: less at first, as in TensorFlow's ExponentialMovingAverage with `num_updates`."""
    return min(decay, (1 + step) / (10 + step))


class WeightAverage(keras.callbacks.Callback):
    """Keeps `average <- d average + (1 - d) weight` after each step, and validates the averages after each epoch.

    Weights and statistics of the net are averaged alike. The epoch's logs gain `averaged_f1`, so this goes before what
    reads them. The variables in `averages` are all of its state; they begin as the net's weights.

    Args:
        net: its weights are averaged; the model that is fitted holds the same variables.
        decay: d, in (0, 1), once `decay_at` has risen to it.
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
        self._move(1 - decay_at(self.step, self.decay))

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
