"""Losses of integer and of soft labels."""

import keras
import numpy as np
import pytest

from kerastrash.training.losses import LogitAdjustedCrossEntropy, recipe_loss
from kerastrash.training.metrics import MacroF1
from kerastrash.training.recipe import Recipe

pytestmark = pytest.mark.backends

CLASSES = 4
LABELS = np.array([0, 2, 1, 3, 3, 0, 2, 2])
LOGITS = np.random.default_rng(0).normal(size=(8, CLASSES)).astype(np.float32)


def value(loss, labels):
    return float(keras.ops.convert_to_numpy(loss(labels, LOGITS)))


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


@pytest.mark.parametrize("mixup", [0.0, 0.2])
def test_cross_entropy_is_the_mean_negative_logarithm_of_the_labels_share(mixup):
    soft = np.random.default_rng(1).dirichlet(np.ones(CLASSES), 8).astype(np.float32) if mixup else np.eye(4)[LABELS]
    loss = recipe_loss(Recipe(mixup=mixup), LABELS, CLASSES)
    expected = -(soft * log_softmax(LOGITS)).sum(-1).mean()
    assert value(loss, soft if mixup else LABELS) == pytest.approx(expected, rel=1e-5)


def test_the_adjusted_loss_takes_soft_labels_too_and_agrees_with_the_integer_ones():
    loss = LogitAdjustedCrossEntropy([5, 3, 1, 1], tau=0.7)
    expected = -log_softmax(LOGITS + 0.7 * np.log([0.5, 0.3, 0.1, 0.1]))[np.arange(8), LABELS].mean()
    assert value(loss, LABELS) == pytest.approx(expected, rel=1e-5)
    assert value(loss, np.eye(CLASSES, dtype=np.float32)[LABELS]) == pytest.approx(expected, rel=1e-5)


def test_macro_f1_of_soft_labels_is_that_of_their_largest_share():
    soft = 0.8 * np.eye(CLASSES, dtype=np.float32)[LABELS] + 0.05
    metrics = [MacroF1(CLASSES), MacroF1(CLASSES)]
    metrics[0].update_state(LABELS, LOGITS)
    metrics[1].update_state(soft, LOGITS)
    assert float(metrics[0].result()) == float(metrics[1].result())
