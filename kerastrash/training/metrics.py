"""Macro F1, the accuracy half of the score: once from arrays, once as a Keras metric.

Both agree with `sklearn.metrics.f1_score(..., labels=range(classes), average="macro", zero_division=0)`:
every class counts the same, and a class that is neither present nor predicted counts as 0.
"""

import keras
import numpy as np
from keras import ops


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes), int64: true class by row, predicted class by column.

    Args:
        labels, predicted: integer arrays of one shape, values in [0, classes).
    """
    pairs = np.asarray(labels, "int64").ravel() * classes + np.asarray(predicted, "int64").ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_f1(matrix: np.ndarray) -> np.ndarray:
    """F1 of each class, float64 in [0, 1], from a confusion matrix; 0 where a class is absent and never predicted."""
    matrix = np.asarray(matrix, "float64")
    support = matrix.sum(0) + matrix.sum(1)
    return np.divide(2 * np.diag(matrix), support, out=np.zeros(len(matrix)), where=support > 0)


def macro_f1(labels: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Mean of the classes' F1, in [0, 1]."""
    return float(class_f1(confusion_matrix(labels, predicted, classes)).mean())


class MacroF1(keras.metrics.Metric):
    """Streaming macro F1 for integer labels and logits or probabilities.

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
