"""A net trained on further targets: what reaches the loss, what is validated, and what is kept."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from kerastrash.errors import ConfigError
from kerastrash.files import read_csv
from kerastrash.models import build_model
from kerastrash.models.layers import Conv, Pool
from kerastrash.models.saved import open_model
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

CLASSES = 3
RECIPE = Recipe(epochs=6, batch_size=12, learning_rate=0.05, n_select=1, workers=0)


def build() -> keras.Model:
    return build_model((Conv(8, kernel=3, stride=2), Conv(16), Pool()), 16, classes=CLASSES)


class Matching(keras.losses.Loss):
    """Half the loss of the labels, and half the squared distance of the further outputs from the targets."""

    def __init__(self, label_loss):
        super().__init__()
        self.label_loss = label_loss

    def call(self, y_true, y_pred):
        joined = len(y_true.shape) == 2
        labels = y_true[:, 0] if joined else y_true
        loss = self.label_loss.call(labels, y_pred[:, :CLASSES])
        if not joined:
            return loss
        return loss / 2 + ops.mean((y_true[:, 1:] - y_pred[:, CLASSES:]) ** 2, axis=-1) / 2


class Colours:
    """Each crop's mean colour, for a layer beside the net's classifier to tell."""

    def __init__(self, dataset):
        self.means = (dataset.images.mean((1, 2)) / 255).astype("float32")
        self.asked = []

    def extend(self, net):
        features = net.get_layer("logits").input
        colours = keras.layers.Dense(3, dtype="float32", name="colours")(features)
        return keras.Model(net.input, keras.layers.Concatenate(dtype="float32")([net.output, colours]), name="taught")

    def draws(self, epoch):
        return 3, epoch % 2

    def targets(self, epoch):
        self.asked.append(epoch)
        return self.means

    def loss(self, label_loss):
        return Matching(label_loss)


@pytest.fixture(scope="module")
def supervised(coloured_squares, tmp_path_factory):
    folder = tmp_path_factory.mktemp("supervised")
    colours = Colours(coloured_squares)
    return train(build, coloured_squares, RECIPE, folder, supervision=colours), folder, colours


@pytest.mark.backends
def test_the_net_learns_both_and_alone_is_kept(supervised, coloured_squares):
    training, folder, _ = supervised
    kept = open_model(training.model)
    assert kept.output_shape == (None, CLASSES)
    assert [layer.name for layer in kept.layers] == [layer.name for layer in build().layers]
    assert evaluate(kept, coloured_squares.part("val")).macro_f1 == pytest.approx(training.f1, abs=1e-6)
    assert training.f1 > 0.8
    rows = read_csv(folder / "metrics.csv")
    assert float(rows[-1]["macro_f1"]) > 0.5  # read from labels that targets joined, and wide outputs
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


@pytest.mark.backends
def test_targets_are_asked_for_by_the_epoch(supervised):
    assert supervised[2].asked[-RECIPE.epochs :] == list(range(RECIPE.epochs))


def test_the_targets_reach_the_loss(supervised, coloured_squares, tmp_path):
    wrong = Colours(coloured_squares)
    wrong.means = wrong.means + 3
    train(build, coloured_squares, RECIPE, tmp_path, until=1, supervision=wrong)
    ours, theirs = (float(read_csv(folder / "metrics.csv")[0]["loss"]) for folder in (tmp_path, supervised[1]))
    assert ours > theirs + 1


@pytest.mark.parametrize("feeding", ["disk", "device"])
def test_a_supervised_training_stopped_and_called_again_equals_one_that_ran_through(
    coloured_squares, tmp_path, feeding
):
    recipe = dataclasses.replace(RECIPE, epochs=3, feeding=feeding, average=0.9)
    for name, stops in (("whole", (3,)), ("killed", (1, 3))):
        for until in stops:
            train(build, coloured_squares, recipe, tmp_path / name, until, supervision=Colours(coloured_squares))
    for column in ("loss", "val_loss", "averaged_f1"):
        whole, killed = (
            [float(row[column]) for row in read_csv(tmp_path / name / "metrics.csv")] for name in ("whole", "killed")
        )
        np.testing.assert_allclose(killed, whole, rtol=1e-4, err_msg=column)


def test_mixed_images_cannot_be_supervised(coloured_squares, tmp_path):
    recipe = dataclasses.replace(RECIPE, mixup=0.2)
    with pytest.raises(ConfigError, match=r"mixup=0\.2, cutmix=0\.0: a mixed image has no targets"):
        train(build, coloured_squares, recipe, tmp_path, supervision=Colours(coloured_squares))


def test_targets_that_would_pass_for_shares_of_the_classes_are_refused(coloured_squares, tmp_path):
    colours = Colours(coloured_squares)
    colours.means = colours.means[:, :2]
    with pytest.raises(ValueError, match="look like one share a class"):
        train(build, coloured_squares, RECIPE, tmp_path, supervision=colours)
