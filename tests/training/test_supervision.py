"""A net trained on further targets: what reaches the loss, what is validated, and what is kept."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from kerastrash.errors import ConfigError
from kerastrash.models import build_model
from kerastrash.models.layers import Conv, Pool
from kerastrash.models.saved import open_model
from kerastrash.training.recipe import Recipe

CLASSES = 3
RECIPE = Recipe(epochs=6, batch_size=12, learning_rate=0.05, n_select=1, workers=0)


def plain() -> keras.Model:
    """A net that learns in six epochs on every backend."""
    return build_model((Conv(8, kernel=3, stride=2), Conv(16), Pool()), 16, classes=CLASSES)


class Matching(keras.losses.Loss):
    """Half the loss of the labels, and half the squared distance of the further outputs from the targets."""

    def __init__(self, label_loss):
        super().__init__()
        self.label_loss = label_loss

    def call(self, y_true, y_pred):
        if len(y_true.shape) == 1:
            return self.label_loss.call(y_true, y_pred[:, :CLASSES])
        distance = ops.mean((y_true[:, 1:] - y_pred[:, CLASSES:]) ** 2, axis=-1)
        return (self.label_loss.call(y_true[:, 0], y_pred[:, :CLASSES]) + distance) / 2


class Colours:
    """Each crop's mean colour, for a layer beside the net's classifier to tell."""

    loss = Matching

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


@pytest.fixture
def colours(coloured_squares):
    return Colours(coloured_squares)


@pytest.fixture(scope="module")
def supervised(trained, coloured_squares, tmp_path_factory):
    folder, colours = tmp_path_factory.mktemp("supervised"), Colours(coloured_squares)
    return trained(RECIPE, folder, plain, supervision=colours), folder, colours


@pytest.mark.backends
def test_the_net_learns_both_by_the_epochs_targets_and_alone_is_kept(supervised, figures, kept_f1):
    training, folder, colours = supervised
    kept = open_model(training.model)
    assert kept.output_shape == (None, CLASSES)
    assert [layer.name for layer in kept.layers] == [layer.name for layer in plain().layers]
    assert kept_f1(training) == pytest.approx(training.f1, abs=1e-6)
    assert training.f1 > 0.8
    f1, losses = figures(folder, "macro_f1", "loss").T
    assert f1[-1] > 0.5  # read from labels that targets joined, and wide outputs
    assert losses[-1] < losses[0]
    assert colours.asked[-RECIPE.epochs :] == list(range(RECIPE.epochs))


def test_the_targets_reach_the_loss(supervised, trained, colours, tmp_path, figures):
    colours.means = colours.means + 3
    trained(RECIPE, tmp_path, plain, until=1, supervision=colours)
    ours, theirs = (figures(folder, "loss")[0] for folder in (tmp_path, supervised[1]))
    assert ours > theirs + 1


@pytest.mark.parametrize("feeding", ["disk", "device"])
def test_a_supervised_training_stopped_and_called_again_equals_one_that_ran_through(
    trained, colours, tmp_path, figures, feeding
):
    recipe = dataclasses.replace(RECIPE, epochs=3, feeding=feeding, average=0.9)
    for name, until in (("whole", 3), ("killed", 1), ("killed", 3)):
        trained(recipe, tmp_path / name, until=until, supervision=colours)
    whole, killed = (figures(tmp_path / name, "loss", "val_loss", "averaged_f1") for name in ("whole", "killed"))
    np.testing.assert_allclose(killed, whole, rtol=1e-4)


def test_mixed_images_and_targets_that_would_pass_for_shares_of_the_classes_are_refused(trained, colours, tmp_path):
    with pytest.raises(ConfigError, match=r"mixup=0\.2, cutmix=0\.0: a mixed image has no targets"):
        trained(dataclasses.replace(RECIPE, mixup=0.2), tmp_path, supervision=colours)
    colours.means = colours.means[:, :2]
    with pytest.raises(ValueError, match="look like one share a class"):
        trained(RECIPE, tmp_path, supervision=colours)
