"""Which way the crops reach the net, and that a recipe's batches are what it says."""

import keras
import numpy as np
import pytest

from kerastrash.backends import free_accelerator_memory
from kerastrash.errors import ConfigError
from kerastrash.training.feeding import DeviceBatches, evaluation_batches, on_device, training_batches
from kerastrash.training.recipe import Recipe

pytestmark = pytest.mark.backends


def test_without_an_accelerator_the_crops_come_from_disk(coloured_squares, capsys):
    if free_accelerator_memory():
        pytest.skip("an accelerator is there")
    batches = training_batches(coloured_squares, Recipe(batch_size=4, workers=3))
    assert not isinstance(batches, DeviceBatches)
    assert "px from disk, 3 workers" in capsys.readouterr().err


def test_on_request_the_crops_lie_on_the_device(coloured_squares, capsys):
    batches = training_batches(coloured_squares, Recipe(batch_size=4, feeding="device"))
    assert isinstance(batches, DeviceBatches)
    assert "px from the device" in capsys.readouterr().err


@pytest.mark.parametrize(("share", "fits"), [(0.2, True), (0.3, False)])
def test_a_set_lies_on_the_device_where_four_times_its_size_is_free(coloured_squares, monkeypatch, share, fits):
    part = coloured_squares.split("train")
    monkeypatch.setattr("kerastrash.training.feeding.free_accelerator_memory", lambda: int(part.nbytes / share))
    assert on_device(part, "auto") is fits
    if fits:
        assert on_device(part, "device")
    else:
        with pytest.raises(ConfigError, match=r"feeding=device: .* use feeding=disk"):
            on_device(part, "device")


@pytest.mark.parametrize("settings", [{}, {"mixup": 0.2}, {"cutmix": 1.0}])
def test_training_and_validation_labels_are_of_the_kind_that_the_loss_takes(coloured_squares, settings):
    recipe = Recipe(batch_size=4, workers=0, **settings)
    for batches in (training_batches(coloured_squares, recipe), evaluation_batches(coloured_squares, "val", recipe)):
        labels = batches[0][1]
        assert (labels.ndim, labels.dtype) == ((2, np.float32) if settings else (1, np.int32))


@pytest.mark.parametrize("settings", [{"feeding": "device"}, {"mixup": 0.2, "cutmix": 1.0, "sampler": "balanced"}])
def test_a_net_learns_from_every_kind_of_feeding(trained, tmp_path, settings):
    training = trained(Recipe(epochs=6, batch_size=6, learning_rate=0.05, n_select=1, **settings), tmp_path)
    assert training.f1 > 0.8
    assert keras.saving.load_model(training.model).output_shape == (None, 3)
