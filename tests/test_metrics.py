"""Macro F1 against scikit-learn, absent classes and odd label shapes included."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix
from sklearn.metrics import f1_score

from kerastrash.metrics import class_f1, confusion_matrix, macro_f1
from kerastrash.training.losses import MacroF1

pytestmark = pytest.mark.backends
CLASSES = 6


def reference(labels, predicted):
    return f1_score(labels, predicted, labels=range(CLASSES), average="macro", zero_division=0)


@pytest.mark.parametrize("present", [6, 4, 1])
def test_macro_f1_equals_scikit_learn_with_absent_classes(present):
    rng = np.random.default_rng(present)
    labels, predicted = rng.integers(present, size=200), rng.integers(CLASSES, size=200)
    assert macro_f1(labels, predicted, CLASSES) == pytest.approx(reference(labels, predicted), abs=1e-12)


def test_f1_of_each_class_and_the_confusion_matrix_equal_scikit_learn():
    rng = np.random.default_rng(3)
    labels, predicted = rng.integers(CLASSES, size=90), rng.integers(CLASSES, size=90)
    matrix = confusion_matrix(labels, predicted, CLASSES)
    assert (matrix == sklearn_confusion_matrix(labels, predicted, labels=range(CLASSES))).all()
    expected = f1_score(labels, predicted, labels=range(CLASSES), average=None, zero_division=0)
    np.testing.assert_allclose(class_f1(matrix), expected, atol=1e-12)


def test_predictions_that_are_all_right_score_one_and_all_wrong_zero():
    labels = np.arange(CLASSES)
    assert macro_f1(labels, labels, CLASSES) == 1
    assert macro_f1(labels, np.roll(labels, 1), CLASSES) == 0


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_the_metric_takes_integer_labels_of_both_shapes_over_uneven_batches(shape):
    rng = np.random.default_rng(5)
    labels, logits = rng.integers(4, size=50), rng.standard_normal((50, CLASSES)).astype("float32")
    metric = MacroF1(CLASSES)
    for part in (slice(0, 32), slice(32, 50)):
        metric.update_state(labels[part].reshape(shape), logits[part])
    assert float(metric.result()) == pytest.approx(reference(labels, logits.argmax(1)), abs=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0
