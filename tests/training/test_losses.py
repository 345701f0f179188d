"""The loss and its parts against PyTorch's and against formulas, for integer and for soft labels."""

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

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


FORMULAS = [
    *((Recipe(mixup=mixup), 0.0) for mixup in (0.0, 0.2)),
    *((Recipe(loss="focal", gamma=gamma), gamma) for gamma in (0.5, 2.0)),
]


@pytest.mark.parametrize(("recipe", "gamma"), FORMULAS)
def test_cross_entropy_and_the_focal_loss_are_their_formula_for_integer_and_for_soft_labels(recipe, gamma):
    logarithms = log_softmax(LOGITS.astype(np.float64))
    terms = -((1 - np.exp(logarithms)) ** gamma) * logarithms
    loss = recipe_loss(recipe, LABELS, CLASSES)
    assert value(loss, LABELS) == pytest.approx(terms[np.arange(8), LABELS].mean(), rel=1e-5)
    assert value(loss, SOFT) == pytest.approx((SOFT * terms).sum(-1).mean(), rel=1e-5)


def test_the_adjusted_loss_takes_soft_labels_too_and_agrees_with_the_integer_ones():
    loss = CrossEntropy([5, 3, 1, 1], tau=0.7)
    expected = -log_softmax(LOGITS + 0.7 * np.log([0.5, 0.3, 0.1, 0.1]))[np.arange(8), LABELS].mean()
    assert value(loss, LABELS) == pytest.approx(expected, rel=1e-5)
    assert value(loss, np.eye(CLASSES, dtype=np.float32)[LABELS]) == pytest.approx(expected, rel=1e-5)


def test_equal_priors_and_no_gamma_give_plain_cross_entropy_and_an_absent_class_a_finite_loss():
    labels = np.arange(8) % CLASSES
    adjusted = Recipe(loss="logit_adjusted")
    recipes = (Recipe(), adjusted, Recipe(loss="focal", gamma=0))
    plain, equal, focal = (value(recipe_loss(recipe, labels, CLASSES), LABELS) for recipe in recipes)
    assert equal == pytest.approx(plain, rel=1e-5)
    assert focal == plain
    assert np.isfinite(value(recipe_loss(adjusted, labels % 3, CLASSES), LABELS))


def joined(*columns):
    return np.concatenate([*columns, np.random.default_rng(2).normal(5, 9, (8, 6))], axis=1).astype("float32")


SAME_F1 = {
    "labels' largest share": (0.8 * np.eye(CLASSES, dtype=np.float32)[LABELS] + 0.05, LOGITS),
    "labels beside targets and logits beside further outputs": (joined(LABELS[:, None]), joined(LOGITS)),
}


@pytest.mark.parametrize("kind", SAME_F1)
def test_macro_f1_is_the_same_from(kind):
    plain, other = MacroF1(CLASSES), MacroF1(CLASSES)
    plain.update_state(LABELS, LOGITS)
    other.update_state(*SAME_F1[kind])
    assert float(plain.result()) == float(other.result()) > 0


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_macro_f1_agrees_with_scikit_learn_over_uneven_batches_and_an_absent_class(shape):
    rng = np.random.default_rng(5)
    labels, logits = rng.integers(3, size=50), rng.standard_normal((50, CLASSES)).astype("float32")
    metric = MacroF1(CLASSES)
    for part in (slice(0, 32), slice(32, 50)):
        metric.update_state(labels[part].reshape(shape), logits[part])
    expected = f1_score(labels, logits.argmax(1), labels=range(CLASSES), average="macro", zero_division=0)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0


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


@pytest.mark.parametrize("settings", [{}, {"smoothing": 0.1}, {"gamma": 0.5}, {"gamma": 2.0}, {"tau": 1.0}])
def test_certain_answers_right_or_wrong_have_finite_losses_and_gradients(settings):
    loss = CrossEntropy([1000, 10, 1, 1], weights=[1, 1, 1, 1], **settings)
    logits = np.array([[0, 1e4, 0, 0], [1e4, 0, 0, 0], [0, 40, 0, 0], [0, 0, 0, 0]], "float32")
    labels, tensor = (keras.ops.convert_to_tensor(each, "float32") for each in (np.ones(4), logits))
    assert np.isfinite(keras.ops.convert_to_numpy(loss.call(labels, tensor))).all()
    layer = keras.layers.Dense(CLASSES, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((CLASSES,)), layer])
    model.compile(keras.optimizers.SGD(1.0), loss=loss)
    model.train_on_batch(logits, np.ones(4, "int32"))
    assert np.isfinite(keras.ops.convert_to_numpy(layer.kernel)).all()  # one step by the gradient, on any backend


def test_the_loss_survives_its_configuration():
    loss = CrossEntropy([5, 3, 1, 1], tau=0.7, weights=[1, 2, 3, 4], gamma=1.5, smoothing=0.1)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert value(copy, LABELS) == value(loss, LABELS)
