"""What only a CUDA device can show of the fast path; skipped where there is none."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("the fast path is torch's", allow_module_level=True)

import torch

from kerastrash.augment import Augmentation
from kerastrash.augment.device import augment_batch
from kerastrash.backends import batch_augmenter, is_out_of_memory, training_model
from kerastrash.data import Dataset
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy
from kerastrash.training.fit import compile_by_recipe
from kerastrash.training.recipe import Recipe

if not torch.cuda.is_available():
    reason = "no CUDA device: CUDA graphs, synchronisation and 16 bits on it are not tested"
    pytest.skip(reason, allow_module_level=True)

STEPS, BATCH = 50, 16


@pytest.fixture(scope="module")
def crops() -> Dataset:
    return synthetic_dataset(8 * BATCH, BATCH, 32)


def made(crops: Dataset, policy: str, graphs: bool) -> keras.Model:
    keras.utils.set_random_seed(4)
    model = training_model(in_policy(build_model("mobilenetv3_79", 32), policy), graphs)
    compile_by_recipe(model, crops, Recipe(learning_rate=0.02), STEPS)
    return model


def losses(model: keras.Model, crops: Dataset) -> np.ndarray:
    values = []
    for step in range(STEPS):
        rows = np.arange(BATCH) + step % 8 * BATCH
        model.reset_metrics()
        model.train_step((torch.from_numpy(crops.images[rows]).cuda(), torch.from_numpy(crops.labels[rows]).cuda()))
        values.append(model.get_metrics_result()["loss"])
    return np.array(values)


@pytest.mark.parametrize("policy", ("float32", "mixed_float16", "mixed_bfloat16"))
def test_graphs_train_as_single_kernels_do(crops, policy):
    expected, found = (losses(made(crops, policy, graphs), crops) for graphs in (False, True))
    np.testing.assert_allclose(found[:10], expected[:10], rtol=2e-2)
    assert np.isfinite(found).all() and found[-8:].mean() < found[:8].mean()


@pytest.mark.parametrize("policy", ("mixed_float16", "mixed_bfloat16"))
def test_sixteen_bits_learn_as_float32_does(crops, policy):
    expected, found = (losses(made(crops, name, True), crops) for name in ("float32", policy))
    np.testing.assert_allclose(found[:5], expected[:5], rtol=5e-2)
    assert found[-8:].mean() < 1.2 * expected[-8:].mean() + 0.05


@pytest.mark.parametrize("policy", ("float32", "mixed_float16"))
def test_a_step_never_waits_for_the_device(crops, policy):
    model = made(crops, policy, True)
    batch = torch.from_numpy(crops.images[:BATCH]).cuda(), torch.from_numpy(crops.labels[:BATCH]).cuda()
    for _ in range(3):
        model.train_step(batch)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            model.train_step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_memory_that_runs_out_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, device="cuda")
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize("n_select", (0, 2, 6))
def test_kernels_augment_as_keras_does_and_wait_for_nothing(crops, n_select):
    plan_batch = batch_augmenter()
    if plan_batch is None:
        pytest.skip("Triton is not installed: its kernels are not run")
    count, size = len(crops.images), crops.input_size
    draws = Augmentation(n_select, turn=True).draw(1, 2, count)
    resident, rows = torch.from_numpy(crops.images).cuda(), torch.arange(count, dtype=torch.int32, device="cuda")
    plan_batch(draws, size, size, 0.3)(resident, rows)  # compiles
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = plan_batch(draws, size, size, 0.3)(resident, rows)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    difference = abs(found.float() - augment_batch(resident, draws, 0.3))
    assert found.dtype == torch.uint8 and (difference <= 1).float().mean() >= 0.999
