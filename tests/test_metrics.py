"""Macro F1 against scikit-learn, absent classes and odd label shapes included."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix
from sklearn.metrics import f1_score

from kerastrash.metrics import class_f1, confusion_matrix, macro_f1
from kerastrash.training.losses import MacroF1

pytestmark = pytest.mark.backends
CLASSES = 6


def reference(labels, predicted, average="macro"):
    return f1_score(labels, predicted, labels=range(CLASSES), average=average, zero_division=0)


RIGHT, DRAWN = np.arange(CLASSES), np.random.default_rng(3).integers(CLASSES, size=200)


@pytest.mark.parametrize(
    ("labels", "predicted"),
    [(DRAWN % 6, DRAWN[::-1]), (DRAWN % 4, DRAWN[::-1]), (DRAWN % 1, DRAWN), (RIGHT, RIGHT), (RIGHT, RIGHT[::-1])],
)
def test_f1_equals_scikit_learn_with_absent_classes(labels, predicted):
    matrix = confusion_matrix(labels, predicted, CLASSES)
    assert (matrix == sklearn_confusion_matrix(labels, predicted, labels=range(CLASSES))).all()
    np.testing.assert_allclose(class_f1(matrix), reference(labels, predicted, None), atol=1e-12)
    assert macro_f1(labels, predicted, CLASSES) == pytest.approx(reference(labels, predicted), abs=1e-12)


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
