"""The nets compute what PyTorch implementations of the published architectures compute."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kerastrash import models
from kerastrash.errors import ModelError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def golden_state(golden: dict) -> dict[str, np.ndarray]:
    """The PyTorch state that golden/README.md describes, in its order."""
    rng = np.random.default_rng(golden["seed"])

    def draw(key: str, shape: list[int]) -> np.ndarray:
        if key.endswith("running_var"):
            return rng.uniform(0.5, 1.5, shape)
        if key.endswith(("running_mean", "bias")):
            return 0.1 * rng.standard_normal(shape)
        if len(shape) == 1:
            return rng.uniform(0.5, 1.5, shape)
        return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))

    return {key: draw(key, shape).astype("float32") for key, shape in golden["state"]}


def error(golden: dict, state: dict[str, np.ndarray]) -> float:
    """The largest difference from the golden logits, relative to the largest of them."""
    size = golden["input_size"]
    model = models.build_model(golden["name"], size, include_preprocessing=False)
    models.load_torch_state(model, state)
    images = np.random.default_rng(golden["seed"] + 1).standard_normal((2, size, size, 3)).astype("float32")
    expected = np.array(golden["logits_float64"])
    found = model.predict(images, verbose=0)
    return np.abs(found - expected).max() / np.abs(expected).max()


NETS = (
    "mobilenetv3_79",
    "mobilenetv3_full",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "resnet18d",
    "efficientnet_lite0",
    "efficientnet_lite2",
)


@pytest.fixture(params=NETS)
def golden(request) -> dict:
    return json.loads((GOLDEN / f"{request.param}.json").read_text())


@pytest.mark.backends
def test_the_net_computes_what_pytorch_computes(golden):
    assert error(golden, golden_state(golden)) <= 1e-4


def test_a_state_sorted_by_name_gets_its_order_back(golden):
    assert error(golden, dict(sorted(golden_state(golden).items()))) <= 1e-4


@pytest.mark.parametrize("order", ["of PyTorch", "by name"])
def test_the_first_tensor_that_does_not_fit_is_named(golden, order):
    middle = [key for key, shape in golden["state"] if len(shape) == 4][len(golden["state"]) // 10]
    state = golden_state(golden)
    state[middle] = state[middle][:-1]
    state = state if order == "of PyTorch" else dict(sorted(state.items()))
    model = models.build_model(golden["name"], 32)
    with pytest.raises(ModelError, match=f"^{re.escape(middle)}: shape .* does not fit layer row"):
        models.load_torch_state(model, state)


def test_counts_are_those_of_the_pytorch_net(golden):
    rows = models.preset(golden["name"])
    assert (models.parameters(rows), models.layers(rows)) == (golden["parameters"], golden["torch_modules"])
