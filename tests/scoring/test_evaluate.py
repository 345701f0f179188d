"""Evaluation agrees with scikit-learn, absent classes included."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import confusion_matrix, f1_score

from kerastrash.data import SplitData
from kerastrash.errors import ModelError
from kerastrash.export.format import Description
from kerastrash.scoring.evaluate import evaluate, judge

CLASSES = 6


class Scripted:
    """A runtime whose answer is written in each image's first pixel."""

    name, input_size, description = "scripted", 2, Description()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.eye(CLASSES, dtype="float32")[images[:, 0, 0, 0]]


def part(labels: np.ndarray, answers: np.ndarray) -> SplitData:
    """A part whose rows stand in the second half of its images, in reverse."""
    count = len(labels)
    images = np.zeros((2 * count, 2, 2, 3), "uint8")
    indices = np.arange(2 * count - 1, count - 1, -1)
    images[indices] = answers[:, None, None, None]
    return SplitData(images, indices, labels.astype("int64"), ())


@pytest.mark.parametrize("present", [range(CLASSES), (0, 2, 5), (3,)], ids=["all", "three", "one"])
@pytest.mark.parametrize("predicted", [range(CLASSES), (0, 1)], ids=["any", "two"])
def test_f1_agrees_with_scikit_learn(present, predicted):
    rng = np.random.default_rng(3)
    labels, answers = rng.choice(list(present), 50), rng.choice(list(predicted), 50)
    found = evaluate(Scripted(), part(labels, answers), batch=7)
    classes = list(range(CLASSES))
    expected = f1_score(labels, answers, labels=classes, average=None, zero_division=0)
    np.testing.assert_array_equal(found.predicted, answers)
    np.testing.assert_allclose(found.class_f1, expected, atol=1e-12)
    assert found.macro_f1 == pytest.approx(expected.mean(), abs=1e-12)
    np.testing.assert_array_equal(found.confusion, confusion_matrix(labels, answers, labels=classes))


def test_the_batch_does_not_change_the_answer():
    rng = np.random.default_rng(4)
    data = part(rng.integers(0, CLASSES, 10), rng.integers(0, CLASSES, 10))
    answers = [evaluate(Scripted(), data, batch=batch).predicted.tolist() for batch in (1, 3, 10, 64)]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.backends
def test_a_model_is_evaluated_on_the_active_backend():
    inputs = keras.Input((2, 2, 3))
    logits = layers.Dense(2, use_bias=False, name="logits")(layers.GlobalAveragePooling2D()(inputs))
    model = keras.Model(inputs, logits)
    model.get_layer("logits").set_weights([np.array([[1, 0], [1, 0], [-4, 1]], "float32")])
    images = np.zeros((4, 2, 2, 3), "uint8")
    images[:2, ..., 0] = 200  # red is class 0, blue is class 1
    images[2:, ..., 2] = 200
    found = evaluate(model, SplitData(images, np.arange(4), np.array([0, 0, 1, 0]), ()))
    assert found.predicted.tolist() == [0, 0, 1, 1]
    assert found.confusion.tolist() == [[2, 1], [0, 1]]


def test_the_certainty_is_the_probability_of_the_class_that_is_predicted():
    logits = np.log(np.array([[0.2, 0.7, 0.1], [0.9, 0.05, 0.05]], "float32"))
    assert judge(np.array([1, 2]), logits).certainty == pytest.approx([0.7, 0.9])
    assert judge(np.array([1, 2]), np.exp(logits), probabilities=True).certainty == pytest.approx([0.7, 0.9])


def test_a_label_beyond_the_outputs_is_named():
    with pytest.raises(ModelError, match="6 outputs and the data has label 6"):
        evaluate(Scripted(), part(np.array([0, 6]), np.array([0, 1])))


def test_logits_that_are_not_finite_are_counted():
    class Broken(Scripted):
        def __call__(self, images: np.ndarray) -> np.ndarray:
            logits = super().__call__(images)
            logits[images[:, 0, 0, 0] == 1] = np.nan
            return logits

    with pytest.raises(ModelError, match="not finite on 2 of 3 images"):
        evaluate(Broken(), part(np.zeros(3, int), np.array([1, 0, 1])))
