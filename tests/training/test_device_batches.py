"""Batches of a set that lies on the device: the same crops, labels and draws as the batches from disk."""

import keras
import numpy as np
import pytest

from kerastrash.augment.augmentation import Augmentation
from kerastrash.augment.mix import Mixing
from kerastrash.training.batches import CropBatches, FollowEpochs
from kerastrash.training.feeding import DeviceBatches

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
def test_the_batches_are_those_from_disk_but_for_rounding_and_resampling(settings, most, mean):
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


def test_a_set_sent_in_several_parts_is_the_same(monkeypatch):
    monkeypatch.setattr("kerastrash.training.feeding.CHUNK", 5 * 32 * 32 * 3)
    for (images, _), (resident, _) in zip(*map(content, pair()), strict=True):
        np.testing.assert_array_equal(resident, images)


def test_a_net_is_fitted_on_them():
    _, device = pair(augmentation=Augmentation(), sampler="shuffle", drop_remainder=True)
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(6)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(device, epochs=2, shuffle=False, verbose=0, callbacks=[FollowEpochs(device)])
    assert len(history.history["loss"]) == 2
    assert device.epoch.number == 1
