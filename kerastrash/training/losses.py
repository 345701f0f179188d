"""What a net is trained towards and judged by: cross entropy for imbalanced classes, other supervision, macro F1."""

from collections.abc import Sequence
from typing import Protocol

import keras
import numpy as np
from keras import ops

from kerastrash.metrics import class_balanced_weights, class_counts
from kerastrash.training.recipe import Recipe


class Supervision(Protocol):
    """Targets for each crop, such as a teacher's logits; the net's labels stay in the first column.

    A crop's row of targets joins its label, as y_true (batch, 1 + k), and the model that is trained gives the net's
    logits and what else is to meet the targets, as y_pred (batch, classes + more).
    """

    def extend(self, net: keras.Model) -> keras.Model:
        """The model that is trained: the net's input, (batch, classes + more) whose first columns are its logits.

        It shares the net's layers; it may have further ones, which end with the training.
        """

    def draws(self, epoch: int) -> tuple[int, int]:
        """The seed and the epoch that the augmentation of this epoch is drawn from.

        With (seed, epoch % views) the crops look alike every so many epochs, and what is said of them can be kept.
        """

    def targets(self, epoch: int) -> np.ndarray:
        """float32 (n, k) for the n crops of the cache, by their index there; 1 + k is not the number of classes.

        Asked for when an epoch begins, and for epoch 0 when the batches are made, whichever epoch comes next.
        """

    def loss(self, label_loss: keras.losses.Loss) -> keras.losses.Loss:
        """The loss of the training, from that of the labels alone.

        Its `call` takes float32 y_true (batch, 1 + k), or plain labels (batch,) in validation, with y_pred (batch,
        classes + more), and returns (batch,). On a GPU it is to bring no constants from the host: see `CrossEntropy`.
        """


CLOSEST = 1e-7
"""The focal factor takes 1 - p for no less, below which its derivative need not be finite."""


@keras.saving.register_keras_serializable("kerastrash")
class CrossEntropy(keras.losses.Loss):
    """`-sum_c w_c t_c (1 - p_c)^gamma log p_c` for each image, of logits (batch, classes) in float32.

    Labels are integers (batch,) or (batch, 1), or shares of the classes (batch, classes). What is left out has no
    effect: with priors alone this is plain cross entropy.

    Args:
        priors: the classes' frequencies in the training set; positive, rescaled to sum to 1.
        tau: `p = softmax(logits + tau log(prior))` gives rare classes a larger margin in training; inference uses the
            plain logits (Menon et al. 2021, arXiv:2007.07314, equation 10).
        weights: `w`, one a class, 1 without them (such as `class_balanced_weights`). The mean is over the images, not
            over their weights as in PyTorch.
        gamma: plays down images that are right already (Lin et al. 2017, arXiv:1708.02002, equation 4, over the
            softmax); 0 or more.
        smoothing: `t = (1 - smoothing) label + smoothing / classes` (Szegedy et al. 2016, arXiv:1512.00567, section 7).
    """

    def __init__(
        self,
        priors: Sequence[float],
        tau: float = 0.0,
        weights: Sequence[float] | None = None,
        gamma: float = 0.0,
        smoothing: float = 0.0,
        name: str = "cross_entropy",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.priors = [float(p) for p in np.asarray(priors, "float64") / np.sum(priors)]
        self.weights = None if weights is None else [float(w) for w in weights]
        self.tau, self.gamma, self.smoothing = tau, gamma, smoothing
        # on the device once and for all: a step that sends a constant waits for the device
        self._classes = self._constant(np.arange(len(self.priors)))
        self._adjustment = self._constant(tau * np.log(self.priors))
        self._weights = None if weights is None else self._constant(self.weights)
        self._closest = self._constant(CLOSEST)

    def call(self, y_true, y_pred):
        if len(y_true.shape) != 2 or y_true.shape[-1] != len(self.priors):
            y_true = ops.equal(ops.cast(ops.reshape(y_true, (-1, 1)), self.dtype), self._classes)
        shares = ops.cast(y_true, self.dtype)
        if self.smoothing:
            shares = shares * (1 - self.smoothing) + self.smoothing / len(self.priors)
        if self.tau:
            y_pred = ops.add(y_pred, self._adjustment)
        logarithms = ops.log_softmax(y_pred, axis=-1)
        terms = ops.multiply(shares, logarithms)
        if self._weights is not None:
            terms = ops.multiply(terms, self._weights)
        if self.gamma:
            terms = terms * ops.maximum(-ops.expm1(logarithms), self._closest) ** self.gamma
        return -ops.sum(terms, axis=-1)

    def _constant(self, value):
        return ops.convert_to_tensor(np.asarray(value, "float64"), dtype=self.dtype)

    def get_config(self) -> dict:
        names = ("priors", "tau", "weights", "gamma", "smoothing")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def recipe_loss(recipe: Recipe, labels: np.ndarray, classes: int) -> CrossEntropy:
    """The loss of a recipe; `labels` are the training labels, by whose frequencies it is adjusted or weighted.

    Takes integer labels, or soft ones (batch, classes) where the recipe mixes images.
    """
    counts = class_counts(labels, classes)
    return CrossEntropy(
        counts,
        tau=recipe.tau if recipe.loss == "logit_adjusted" else 0.0,
        weights=class_balanced_weights(counts, recipe.beta) if recipe.loss == "class_balanced" else None,
        gamma=recipe.gamma if recipe.loss == "focal" else 0.0,
        smoothing=recipe.label_smoothing,
    )


class MacroF1(keras.metrics.Metric):
    """Streaming macro F1, the mean of `kerastrash.metrics.class_f1`, for integer labels and logits or probabilities.

    Keras's own F1Score wants one-hot labels and is silently wrong for labels of shape (batch, 1); this one takes
    (batch,), (batch, 1) and soft labels (batch, classes), of which the largest counts. Of labels joined by targets
    (batch, 1 + k) it reads the first column, of outputs wider than the classes the first `classes`. Its state is one
    confusion matrix, so batches may be of any size.
    """

    def __init__(self, classes: int, name: str = "macro_f1", dtype: str | None = None):
        super().__init__(name=name, dtype=dtype)
        self.classes = classes
        self.matrix = self.add_variable((classes, classes), initializer="zeros", name="confusion_matrix")

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        if sample_weight is not None:
            raise ValueError("MacroF1 counts every example once: sample_weight is not supported")
        if len(y_true.shape) == 2:
            y_true = ops.argmax(y_true, axis=-1) if y_true.shape[-1] == self.classes else y_true[:, 0]
        true = ops.one_hot(ops.cast(y_true, "int32"), self.classes, dtype=self.dtype)
        predicted = ops.argmax(y_pred[:, : self.classes], axis=-1)
        predicted = ops.one_hot(predicted, self.classes, dtype=self.dtype)
        self.matrix.assign_add(ops.matmul(ops.transpose(true), predicted))

    def result(self):
        true_positives = ops.diagonal(self.matrix)
        support = ops.sum(self.matrix, axis=0) + ops.sum(self.matrix, axis=1)
        return ops.mean(ops.where(support > 0, 2 * true_positives / ops.maximum(support, 1), 0.0))

    def get_config(self) -> dict:
        return {"classes": self.classes, "name": self.name, "dtype": self.dtype}
