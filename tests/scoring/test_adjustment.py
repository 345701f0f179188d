"""A classifier is moved towards frequent classes as far as validation asks, by the bias of its last layer alone."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from sklearn.metrics import f1_score

from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ModelError
from kerastrash.export.formats import open_runtime
from kerastrash.models.saved import read_description, save_model
from kerastrash.scoring.evaluate import SHARES, adjust, best_share, logits_of

CLASSES = ("common", "rare")


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


def classifier(path, border: float, activation=None, classes=CLASSES):
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
