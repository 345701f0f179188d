"""Macro F1 while a net trains, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from kerastrash.training.losses import MacroF1

pytestmark = pytest.mark.backends
CLASSES = 6


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_the_metric_takes_integer_labels_of_both_shapes_over_uneven_batches(shape):
    rng = np.random.default_rng(5)
    labels, logits = rng.integers(4, size=50), rng.standard_normal((50, CLASSES)).astype("float32")
    metric = MacroF1(CLASSES)
    for part in (slice(0, 32), slice(32, 50)):
        metric.update_state(labels[part].reshape(shape), logits[part])
    assert float(metric.result()) == pytest.approx(
        f1_score(labels, logits.argmax(1), labels=range(CLASSES), average="macro", zero_division=0), abs=1e-6
    )
    metric.reset_state()
    assert float(metric.result()) == 0
