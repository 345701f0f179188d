"""What is counted of labels and predictions: F1, the accuracy half of the score, and the classes' frequencies."""

import numpy as np


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


def class_counts(labels: np.ndarray, classes: int) -> np.ndarray:
    """Images of each class, int64 (classes,); a class without any counts as one, so that its logarithm is finite."""
    return np.maximum(np.bincount(labels, minlength=classes), 1)


def class_balanced_weights(counts: np.ndarray, beta: float) -> np.ndarray:
    """Weights by the effective number of images (Cui et al. 2019, arXiv:1901.05555, equation 2 and section 4.3).

    `(1 - beta) / (1 - beta^n)`, rescaled so that they sum to the number of classes: float64 (classes,).

    Args:
        counts: training images of each class, 1 or more.
        beta: in [0, 1); 0 weighs all classes alike, towards 1 the weights are those of the inverse frequencies.
    """
    weights = (1 - beta) / (1 - beta ** np.asarray(counts, "float64"))
    return weights * len(weights) / weights.sum()
