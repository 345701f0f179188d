"""Which way the crops reach the net; from the device the same crops, labels and draws as from disk."""

import gc
import itertools
import threading

import keras
import numpy as np
import pytest

from kerastrash.augment.augmentation import Augmentation
from kerastrash.augment.device import plan_batch
from kerastrash.augment.mix import Mixing
from kerastrash.backends import free_accelerator_memory
from kerastrash.errors import ConfigError
from kerastrash.training.batches import CropBatches
from kerastrash.training.feeding import DeviceBatches, evaluation_batches, on_device, training_batches
from kerastrash.training.recipe import Recipe

pytestmark = pytest.mark.backends

INDICES = np.array([1, 4, 5, 7, 8, 10, 13, 14, 17, 19, 22, 23])


def pair(**settings):
    """The two kinds of batches with the same settings, of smooth pictures that resampling hardly changes."""
    ramp = np.linspace(40, 200, 32)
    images = np.stack([np.add.outer(ramp * (1 - n / 48), ramp * n / 48)[..., None].repeat(3, -1) for n in range(24)])
    arguments = {"images": images.astype(np.uint8), "indices": INDICES, "labels": INDICES % 6, "batch_size": 5}
    return [kind(**arguments | settings) for kind in (CropBatches, DeviceBatches)]


def content(data):
    return [tuple(map(keras.ops.convert_to_numpy, data[number])) for number in range(len(data))]


ALIKE = [
    *(({"sampler": sampler, "seed": 4}, 0, 0) for sampler in (None, "shuffle", "balanced")),
    ({"mixing": Mixing(mixup=0.3), "classes": 6, "sampler": "shuffle"}, 1.01, 1.01),
    ({"augmentation": Augmentation(n_select=1, cutout=0.3), "sampler": "shuffle", "seed": 2}, 256, 4),
]


@pytest.mark.parametrize(("settings", "most", "mean"), ALIKE)
def test_the_batches_are_those_from_disk_but_for_rounding_and_resampling(settings, most, mean, monkeypatch):
    monkeypatch.setattr("kerastrash.training.feeding.CHUNK", 5 * 32 * 32 * 3)  # so that the set is sent in three parts
    disk, device = pair(**settings)
    for epoch in (0, 3):
        disk.set_epoch(epoch)
        device.set_epoch(epoch)
        for (images, labels), (resident, theirs) in zip(content(disk), content(device), strict=True):
            np.testing.assert_allclose(theirs, labels, rtol=0, atol=1e-6 if most else 0)
            assert resident.shape == images.shape
            difference = np.abs(resident.astype(np.float32) - images.astype(np.float32))
            assert difference.max() <= most and difference.mean() <= mean and np.median(difference) <= 2


def test_a_batch_is_the_same_whatever_is_augmented_together_with_it(monkeypatch):
    settings = {"augmentation": Augmentation(n_select=2), "sampler": "shuffle", "seed": 2}
    together = content(pair(**settings)[1])
    monkeypatch.setattr("kerastrash.training.feeding.AT_ONCE", 1)
    _, alone = pair(**settings)
    for number in (2, 0, 1, 2):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(alone[number][0]), together[number][0])
    alone.set_epoch(1)
    assert not np.array_equal(keras.ops.convert_to_numpy(alone[2][0]), together[2][0])


@pytest.mark.parametrize(
    ("feeding", "kind", "said"),
    [("auto", CropBatches, "px from disk, 3 workers"), ("device", DeviceBatches, "px from the device")],
)
def test_without_an_accelerator_the_crops_come_from_disk_but_on_request(coloured_squares, capsys, feeding, kind, said):
    if feeding == "auto" and free_accelerator_memory():
        pytest.skip("an accelerator is there")
    assert type(training_batches(coloured_squares, Recipe(batch_size=4, workers=3, feeding=feeding))) is kind
    assert said in capsys.readouterr().err


def test_the_next_draws_are_prepared_while_the_device_works_and_their_errors_come_with_their_batch(monkeypatch):
    prepared, calls = threading.Event(), itertools.count()

    def plan(draws, *settings):
        if next(calls):
            prepared.set()
            raise ValueError("the second group")
        return plan_batch(draws, *settings)

    monkeypatch.setattr("kerastrash.training.feeding.batch_augmenter", lambda: plan)
    monkeypatch.setattr("kerastrash.training.feeding.AT_ONCE", 1)
    before = set(threading.enumerate())
    _, device = pair(augmentation=Augmentation())
    first, _ = device[0]
    assert prepared.wait(60) and len(first) == 5
    with pytest.raises(ValueError, match="the second group"):
        device[1]
    (thread,) = set(threading.enumerate()) - before
    del device
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.parametrize(("short", "fits"), [(0, True), (1, False)])
def test_sets_lie_on_the_device_where_they_their_augmentation_and_the_training_fit(
    coloured_squares, monkeypatch, short, fits
):
    parts = [coloured_squares.split(name) for name in ("train", "val")]
    needed = (4 + 53) * (36 + 12) * 16 * 16 * 3  # the sets are smaller than what is augmented together
    monkeypatch.setattr("kerastrash.training.feeding.free_accelerator_memory", lambda: needed - short)
    assert on_device("auto", *parts) is fits
    assert not on_device("disk", *parts)
    kinds = {True: DeviceBatches, False: CropBatches}
    assert type(training_batches(coloured_squares, Recipe(batch_size=4))) is kinds[fits]
    assert type(evaluation_batches(coloured_squares, "val", Recipe())) is DeviceBatches  # alone, they do
    if fits:
        assert on_device("device", *parts)
    else:
        with pytest.raises(ConfigError, match=r"feeding=device: 48 crops .* use feeding=disk"):
            on_device("device", *parts)


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
