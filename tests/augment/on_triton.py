"""Tests of the Triton form by Triton's interpreter, on any processor; `test_triton.py` starts them in a process.

Triton reads TRITON_INTERPRET when it is imported. With a test module of the device form they run that module's tests
on the Triton form: `python on_triton.py test_device.py`.
"""

import os
import sys
from pathlib import Path

os.environ |= {"TRITON_INTERPRET": "1", "KERAS_BACKEND": "torch"}

import keras
import numpy as np
import pytest
import torch
import triton

from kerastrash.augment.augmentation import Augmentation, Draws
from kerastrash.augment.device import augment_batch, plan_batch
from kerastrash.augment.mix import Mixing
from kerastrash.augment.operations import NAMES, OPERATIONS
from kerastrash.backends.torch import augmentation
from kerastrash.training.feeding import DeviceBatches

STRENGTHS = [(level, sign) for level in (0.0, 0.3, 1.0) for sign in (1, -1)]


def augment(images, draws, cutout=0.0, tiles=2, **output):
    """`augment_batch` by Triton, of few tiles an image: the interpreter needs a while for each."""
    height, width = images.shape[1:3]
    augmentation.BLOCK = triton.next_power_of_2(height * width) // tiles
    plan = augmentation.plan_batch(draws, height, width, cutout, **{"dtype": torch.float32} | output)
    order = torch.randperm(len(images))  # as if the batch were drawn from a set
    return plan(torch.as_tensor(images)[order].to(torch.uint8), torch.argsort(order).int())


def pictures(count, height, width=None):
    """Waves under noise, each channel of its own range: uint8."""
    rng = np.random.default_rng(7)
    down, across = np.mgrid[:height, : width or height] / height
    waves = np.sin(6 * down + 4 * across + rng.uniform(0, 6, (count, 1, 1)))[..., None]
    pixels = rng.uniform(60, 190, (count, 1, 1, 3)) + rng.uniform(10, 60, 3) * waves + rng.normal(0, 5, waves.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def drawn(count, n_select):
    return Augmentation(n_select=n_select, turn=True).draw(3, n_select, count)


def by_keras(images, draws, cutout=0.0):
    return keras.ops.convert_to_numpy(augment_batch(images, draws, cutout)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(20, 20), (33, 26)])
@pytest.mark.parametrize("name", NAMES)
def test_each_operation_agrees_with_pillow_and_with_the_device_form(name, shape):
    count = len(STRENGTHS)
    images, (levels, signs) = pictures(count, *shape), np.transpose(STRENGTHS)
    draws = Draws(
        np.full((count, 1), NAMES.index(name), np.int8), signs[:, None].astype(np.int8), levels.astype(np.float32),
        np.zeros(count, bool), np.zeros(count, np.int8), np.zeros((count, 2), np.float32),
    )  # fmt: skip
    found = augment(images, draws, dtype=torch.uint8).numpy()
    assert found.dtype == np.uint8 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, by_keras(images, draws))
    expected = [Augmentation().apply(image, draws[index]) for index, image in enumerate(images)]
    difference = abs(found.astype(int) - expected)
    assert (difference <= 1).mean() >= (0.999 if OPERATIONS[name].matrix else 1) and (difference == 0).mean() >= 0.99


@pytest.mark.parametrize(("n_select", "size", "tiles"), [(0, 21, 1), (1, 20, 8), (2, 24, 2), (3, 33, 4)])
def test_steps_flips_turns_and_cutout_agree_with_the_device_form(n_select, size, tiles):
    images, draws = pictures(16, size), drawn(16, n_select)
    assert draws.flips.any() and draws.turns.any()
    np.testing.assert_array_equal(augment(images, draws, 0.4, tiles).numpy(), by_keras(images, draws, 0.4))


@pytest.mark.parametrize("n_select", [0, 2])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_output_can_be_normalised_in_a_floating_type(n_select, dtype):
    images, draws = pictures(6, 20), drawn(6, n_select)
    scale, offset = np.float32([0.01, 0.02, 1 / 255]), np.float32([-1, 0.5, 0])
    found = augment(images, draws, 0.3, dtype=getattr(torch, dtype), scale=scale, offset=offset)
    expected = torch.as_tensor(scale * by_keras(images, draws, 0.3).astype(np.float32) + offset)
    last_place = 2**-7 if dtype == "bfloat16" else 0  # the interpreter rounds towards zero there
    torch.testing.assert_close(found, expected.to(found.dtype), rtol=last_place, atol=0)


@pytest.mark.parametrize(("n_select", "launches"), [(0, 1), (2, 5), (6, 13)])
def test_so_few_kernels_whatever_the_batch(n_select, launches, monkeypatch):
    started = []
    for name in ("resample", "tabulate", "change"):
        monkeypatch.setattr(augmentation, name, Counted(name, started))
    for count in (1, 5):
        started.clear()
        augment(pictures(count, 20), drawn(count, n_select))
        assert len(started) == launches


class Counted:
    """A kernel whose launches are counted, and that does nothing."""

    def __init__(self, name, started):
        self.name, self.started = name, started

    def __getitem__(self, grid):
        return lambda *given, **settings: self.started.append((self.name, grid))


@pytest.mark.parametrize(("n_select", "mixing"), [(0, None), (2, None), (1, Mixing(mixup=0.3))])
def test_batches_from_the_device_are_the_same_in_both_forms(n_select, mixing, monkeypatch):
    settings = {"augmentation": Augmentation(n_select, cutout=0.3), "sampler": "shuffle", "drop_remainder": True}
    settings |= {"mixing": mixing, "classes": 10} if mixing else {}
    arguments = {"images": pictures(20, 16), "indices": np.arange(1, 20, 2), "labels": np.arange(10), "batch_size": 3}
    monkeypatch.setattr("kerastrash.training.feeding.AT_ONCE", 2 * 3 * 16 * 16 * 3)  # two batches together
    forms = []
    for form in (plan_batch, augmentation.plan_batch):
        monkeypatch.setattr("kerastrash.training.feeding.batch_augmenter", lambda form=form: form)
        forms.append(DeviceBatches(**arguments, **settings))
    for number in range(3):
        (expected, labels), (images, same) = (batches[number] for batches in forms)
        assert images.dtype == (torch.float32 if mixing else torch.uint8)
        torch.testing.assert_close(images.float(), expected, rtol=0, atol=0)
        torch.testing.assert_close(same, labels)


class TritonForm:
    """Takes the place of the device form in another test module."""

    @pytest.fixture(autouse=True)
    def form(self, request, monkeypatch):
        if request.path != Path(__file__):
            monkeypatch.setattr(request.module, "augment_batch", augment)


if __name__ == "__main__":
    modules = [str(Path(__file__).with_name(name)) for name in sys.argv[1:]]
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *(modules or [__file__])], plugins=[TritonForm()]))
