"""The program compiled by torch.compile: the same losses, its passes over memory fused."""

import keras
import numpy as np
import pytest

from kerastrash.backends import training_model
from kerastrash.data import Dataset
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.models import Conv, InvertedResidual, Pool, build_model
from kerastrash.training.fit import compile_by_recipe
from kerastrash.training.recipe import Recipe

if keras.backend.backend() != "torch":
    pytest.skip("torch.compile is torch's", allow_module_level=True)

import torch
from torch._inductor import metrics

ROWS = (Conv(8, kernel=3, stride=2), InvertedResidual(3, 2, 8, squeeze_excite=True, hard_swish=True), Pool())
"""A norm, an activation, a gate and a residual sum."""


@pytest.fixture(autouse=True)
def counted(monkeypatch, tmp_path):
    """Inductor counts kernels and bytes, and takes nothing from an earlier test's cache."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch._logging.set_logs(inductor_metrics=True)
    torch._dynamo.reset()
    metrics.reset()
    yield
    torch._logging.set_logs()


def losses(rows, size: int, dataset: Dataset, steps: int, compiled: bool) -> list[float]:
    keras.utils.set_random_seed(3)
    model = training_model(build_model(rows, size, len(dataset.classes)), compiled=compiled)
    compile_by_recipe(model, dataset, Recipe(), 10)
    images, labels = (torch.from_numpy(array[dataset.splits["train"]]) for array in (dataset.images, dataset.labels))
    found = []
    for _ in range(steps):
        model.reset_metrics()
        model.train_step((images, labels))
        found.append(model.get_metrics_result()["loss"])
    return found


def test_a_compiled_net_has_the_same_losses_and_norm_activation_gate_and_sum_in_few_kernels(coloured_squares):
    expected, found = (losses(ROWS, 16, coloured_squares, 8, compiled) for compiled in (False, True))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert found[-1] < found[0]
    assert metrics.generated_kernel_count <= 55 < 85 <= metrics.ir_nodes_pre_fusion  # 51 of 89 operations


@pytest.mark.slow
def test_a_compiled_step_of_the_contests_net_moves_at_most_twelve_and_a_half_gigabytes():
    """64 images of 156 px in float16, each map once a kernel: counted for 4, of which 16 times as many are moved."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        losses("mobilenetv3_79", 156, synthetic_dataset(4, 1, 156), 1, compiled=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert 8e9 < 16 * metrics.num_bytes_accessed < 12.5e9
