"""Evaluation agrees with scikit-learn; a classifier is moved towards frequent classes as far as validation asks."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from sklearn.metrics import confusion_matrix, f1_score

from kerastrash.data import DataConfig, SplitData, prepare
from kerastrash.errors import ModelError
from kerastrash.export.format import Description
from kerastrash.export.formats import open_runtime
from kerastrash.models.saved import read_description, save_model
from kerastrash.scoring.evaluate import SHARES, adjust, best_share, evaluate, judge, logits_of

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
@pytest.mark.parametrize("batch", [1, 7, 50, 64])
def test_f1_agrees_with_scikit_learn_whatever_the_batch(present, predicted, batch):
    rng = np.random.default_rng(3)
    labels, answers = rng.choice(list(present), 50), rng.choice(list(predicted), 50)
    found = evaluate(Scripted(), part(labels, answers), batch)
    classes = list(range(CLASSES))
    expected = f1_score(labels, answers, labels=classes, average=None, zero_division=0)
    np.testing.assert_array_equal(found.predicted, answers)
    np.testing.assert_allclose(found.class_f1, expected, atol=1e-12)
    assert found.macro_f1 == pytest.approx(expected.mean(), abs=1e-12)
    np.testing.assert_array_equal(found.confusion, confusion_matrix(labels, answers, labels=classes))


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


GREYS = ("common", "rare")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> DataConfig:
    """Grey images of 8 px: 160 about as light as 100, 20 about as light as 140, with overlap."""
    folder, rng = tmp_path_factory.mktemp("grey"), np.random.default_rng(5)
    for name, count, light in (("common", 160, 100), ("rare", 20, 140)):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(count):
            level = np.clip(light + rng.normal(0, 15), 0, 255)
            pixels = np.clip(level + rng.normal(0, 5, (8, 8, 3)), 0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    return DataConfig(data=str(folder / "images"), cache=folder / "cache", validation=0.3, test=0.3)


def classifier(path, border: float, activation=None, classes=GREYS):
    """Names an image rare where its mean is above the border; written to `path`."""
    inputs = keras.Input((8, 8, 3))
    dense = layers.Dense(2, activation=activation, name="logits")
    model = keras.Model(inputs, dense(layers.GlobalAveragePooling2D()(inputs)))
    slope = 40 / 15**2 / 3  # of the log odds of two normal distributions, shared by three channels
    dense.set_weights([np.array([[0, slope]] * 3, "float32"), np.array([0, -3 * slope * border], "float32")])
    save_model(model, path, classes)
    return path


@pytest.mark.backends
def test_a_classifier_that_names_the_rare_class_too_often_gets_the_frequencies_back(data, tmp_path):
    source = classifier(tmp_path / "even.keras", border=112)  # as if the rare class were the more frequent one
    adjustment = adjust(source, data, tmp_path / "adjusted.keras")
    dataset = prepare(data, 8)
    counts = np.bincount(dataset.split("train").labels)
    np.testing.assert_allclose(adjustment.frequencies, counts / counts.sum())
    assert adjustment.share > 0.2
    val_f1 = [evaluation.macro_f1 for evaluation in adjustment.val]
    assert val_f1[adjustment.chosen] == max(val_f1) > val_f1[SHARES.index(0)]
    part = dataset.split("val")
    logits = logits_of(open_runtime(tmp_path / "adjusted.keras"), part)
    expected = logits_of(open_runtime(source), part) + adjustment.share * np.log(counts / counts.sum())
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    assert f1_score(part.labels, logits.argmax(1), average="macro") == pytest.approx(max(val_f1))
    test = dataset.split("test")
    found = f1_score(test.labels, logits_of(open_runtime(tmp_path / "adjusted.keras"), test).argmax(1), average="macro")
    assert found == pytest.approx(adjustment.test[adjustment.chosen].macro_f1)
    assert read_description(tmp_path / "adjusted.keras") == read_description(source)


def test_one_that_names_the_common_class_too_often_loses_some_of_its_frequency(data, tmp_path):
    adjustment = adjust(classifier(tmp_path / "shy.keras", border=150), data, tmp_path / "adjusted.keras")
    assert adjustment.share < 0
    assert adjustment.val[adjustment.chosen].macro_f1 > adjustment.val[SHARES.index(0)].macro_f1


@pytest.mark.parametrize(
    ("peaks", "share"), [((-1.0, 0.3, 1.0), 0.3), ((-0.2, 0.5), -0.2), (SHARES, 0.0), ((-1.0,), -1.0)]
)
def test_of_equal_shares_the_one_that_changes_least_is_taken(peaks, share):
    assert SHARES[best_share([0.8 if each in peaks else 0.7 for each in SHARES])] == share


def test_a_model_that_cannot_be_adjusted_is_refused_with_its_last_layer(data, tmp_path):
    source = classifier(tmp_path / "soft.keras", border=120, activation="softmax")
    with pytest.raises(ModelError, match=r"soft\.keras: ends in logits \(Dense\).*without softmax"):
        adjust(source, data, tmp_path / "adjusted.keras")
    source = classifier(tmp_path / "other.keras", border=120, classes=("glass", "paper"))
    with pytest.raises(ModelError, match="knows glass, paper"):
        adjust(source, data, tmp_path / "adjusted.keras")
    assert not (tmp_path / "adjusted.keras").exists()
