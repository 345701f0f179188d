"""The loss and its parts against PyTorch's and against formulas, for integer and for soft labels."""

import keras
import numpy as np
import pytest

from kerastrash.metrics import class_balanced_weights
from kerastrash.training.losses import CrossEntropy, MacroF1, recipe_loss
from kerastrash.training.recipe import Recipe

pytestmark = pytest.mark.backends

CLASSES = 4
LABELS = np.array([0, 2, 1, 3, 3, 0, 2, 2])
SOFT = np.random.default_rng(1).dirichlet(np.ones(CLASSES), 8).astype(np.float32)
LOGITS = np.random.default_rng(0).normal(size=(8, CLASSES)).astype(np.float32)


def value(loss, labels):
    return float(keras.ops.convert_to_numpy(loss(labels, LOGITS)))


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


@pytest.mark.parametrize("mixup", [0.0, 0.2])
def test_cross_entropy_is_the_mean_negative_logarithm_of_the_labels_share(mixup):
    loss = recipe_loss(Recipe(mixup=mixup), LABELS, CLASSES)
    expected = -((SOFT if mixup else np.eye(4)[LABELS]) * log_softmax(LOGITS)).sum(-1).mean()
    assert value(loss, SOFT if mixup else LABELS) == pytest.approx(expected, rel=1e-5)


def test_the_adjusted_loss_takes_soft_labels_too_and_agrees_with_the_integer_ones():
    loss = CrossEntropy([5, 3, 1, 1], tau=0.7)
    expected = -log_softmax(LOGITS + 0.7 * np.log([0.5, 0.3, 0.1, 0.1]))[np.arange(8), LABELS].mean()
    assert value(loss, LABELS) == pytest.approx(expected, rel=1e-5)
    assert value(loss, np.eye(CLASSES, dtype=np.float32)[LABELS]) == pytest.approx(expected, rel=1e-5)


def test_equal_priors_give_plain_cross_entropy_and_an_absent_class_a_finite_loss():
    labels = np.arange(8) % CLASSES
    plain, adjusted = (recipe_loss(Recipe(loss=loss), labels, CLASSES) for loss in ("cross_entropy", "logit_adjusted"))
    assert value(plain, LABELS) == pytest.approx(value(adjusted, LABELS), rel=1e-5)
    assert np.isfinite(value(recipe_loss(Recipe(loss="logit_adjusted"), labels % 3, CLASSES), LABELS))


def test_macro_f1_of_soft_labels_is_that_of_their_largest_share():
    soft = 0.8 * np.eye(CLASSES, dtype=np.float32)[LABELS] + 0.05
    metrics = [MacroF1(CLASSES), MacroF1(CLASSES)]
    metrics[0].update_state(LABELS, LOGITS)
    metrics[1].update_state(soft, LOGITS)
    assert float(metrics[0].result()) == float(metrics[1].result())


def test_macro_f1_reads_the_label_beside_targets_and_the_logits_beside_further_outputs():
    rng = np.random.default_rng(2)
    plain, joined = MacroF1(CLASSES), MacroF1(CLASSES)
    plain.update_state(LABELS, LOGITS)
    targets, more = rng.normal(5, 9, (8, 6)), rng.normal(5, 9, (8, 6))
    joined.update_state(np.c_[LABELS, targets].astype("float32"), np.c_[LOGITS, more].astype("float32"))
    assert float(plain.result()) == float(joined.result()) > 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_smoothing_and_weights_are_those_of_pytorch_but_for_the_mean(smoothing, weighted):
    torch = pytest.importorskip("torch")
    weights = np.array([0.4, 1.0, 2.0, 0.6]) if weighted else None
    loss = CrossEntropy(np.ones(CLASSES), weights=weights, smoothing=smoothing)
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float32)
    labels, logits = torch.from_numpy(LABELS), torch.from_numpy(LOGITS)
    summed = torch.nn.functional.cross_entropy(
        logits, labels, weight=tensor, label_smoothing=smoothing, reduction="sum"
    )  # PyTorch's mean divides by the images' weights, ours by the number of images
    assert value(loss, LABELS) == pytest.approx(float(summed) / len(LABELS), rel=1e-5)
    mean = torch.nn.functional.cross_entropy(logits, torch.from_numpy(SOFT), weight=tensor, label_smoothing=smoothing)
    assert value(loss, SOFT) == pytest.approx(float(mean), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_focal_loss_is_its_formula_for_integer_and_for_soft_labels(gamma):
    logarithms = log_softmax(LOGITS.astype(np.float64))
    terms = -((1 - np.exp(logarithms)) ** gamma) * logarithms
    loss = recipe_loss(Recipe(loss="focal", gamma=gamma), LABELS, CLASSES)
    assert value(loss, LABELS) == pytest.approx(terms[np.arange(8), LABELS].mean(), rel=1e-5)
    assert value(loss, SOFT) == pytest.approx((SOFT * terms).sum(-1).mean(), rel=1e-5)


def test_without_gamma_the_focal_loss_is_plain_cross_entropy():
    focal, plain = (recipe_loss(Recipe(loss=loss, gamma=0), LABELS, CLASSES) for loss in ("focal", "cross_entropy"))
    assert value(focal, LABELS) == value(plain, LABELS)


def test_class_balanced_weights_are_those_of_the_paper():
    counts = np.array([500, 50, 5])
    weights = class_balanced_weights(counts, 0.99)
    effective = np.array([sum(0.99**k for k in range(n)) for n in counts])  # equation 1, as the sum it comes from
    np.testing.assert_allclose(weights * effective, weights[0] * effective[0])
    assert weights.sum() == pytest.approx(3)
    np.testing.assert_allclose(class_balanced_weights(counts, 0), 1)
    rare = np.where(np.arange(3) == 2, 0.0, 9.0)[None].astype("float32")
    loss = recipe_loss(Recipe(loss="class_balanced", beta=0.99), np.repeat(np.arange(3), counts), 3)
    plain = recipe_loss(Recipe(), np.arange(3), 3)
    found, expected = (float(each(np.array([2]), rare)) for each in (loss, plain))
    assert found == pytest.approx(weights[2] * expected, rel=1e-5)


def gradient(loss, logits):
    """The derivative of the loss by the logits, of label 1 each; through whichever backend is active."""
    inputs = keras.Input((CLASSES,))
    layer = keras.layers.Dense(CLASSES, use_bias=False, kernel_initializer="identity")
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(1.0), loss=loss)
    model.train_on_batch(logits, np.ones(len(logits), "int32"))
    return np.eye(CLASSES) - keras.ops.convert_to_numpy(layer.kernel)


@pytest.mark.parametrize("settings", [{}, {"smoothing": 0.1}, {"gamma": 0.5}, {"gamma": 2.0}, {"tau": 1.0}])
def test_certain_answers_right_or_wrong_have_finite_losses_and_gradients(settings):
    loss = CrossEntropy([1000, 10, 1, 1], weights=[1, 1, 1, 1], **settings)
    logits = np.array([[0, 1e4, 0, 0], [1e4, 0, 0, 0], [0, 40, 0, 0], [0, 0, 0, 0]], "float32")
    labels, tensor = (keras.ops.convert_to_tensor(each, "float32") for each in (np.ones(4), logits))
    assert np.isfinite(keras.ops.convert_to_numpy(loss.call(labels, tensor))).all()
    assert np.isfinite(gradient(loss, logits)).all()


def test_the_loss_survives_its_configuration():
    loss = CrossEntropy([5, 3, 1, 1], tau=0.7, weights=[1, 2, 3, 4], gamma=1.5, smoothing=0.1)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert value(copy, LABELS) == value(loss, LABELS)
