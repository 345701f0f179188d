"""The nets compute what PyTorch implementations of the published architectures compute."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from kerastrash import models
from kerastrash.errors import ModelError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def error(golden: dict, model: keras.Model) -> float:
    """The largest difference from the golden logits, relative to the largest of them."""
    shape = (2, golden["input_size"], golden["input_size"], 3)
    images = np.random.default_rng(golden["seed"] + 1).standard_normal(shape).astype("float32")
    expected = np.array(golden["logits_float64"])
    return np.abs(model.predict(images, verbose=0) - expected).max() / np.abs(expected).max()


MOBILENETS = ("mobilenet_v3_small", "mobilenetv3_79", "mobilenetv3_full")
NETS = (*MOBILENETS, "shufflenet_v2_x0_5", "resnet18d", "efficientnet_lite0", "efficientnet_lite2")


@pytest.fixture(params=NETS)
def golden(request) -> dict:
    return json.loads((GOLDEN / f"{request.param}.json").read_text())


@pytest.fixture
def state(golden, filled) -> dict[str, np.ndarray]:
    return filled(golden["state"], golden["seed"])


@pytest.fixture
def model(golden) -> keras.Model:
    return models.build_model(golden["name"], golden["input_size"], include_preprocessing=False)


@pytest.mark.backends
def test_the_net_computes_what_pytorch_computes(golden, model, state):
    models.load_torch_state(model, state)
    assert error(golden, model) <= 1e-4


def test_a_state_sorted_by_name_gets_its_order_back_in_a_model_opened_from_its_file_too(golden, model, state, tmp_path):
    model.save(tmp_path / "net.keras")
    opened = keras.saving.load_model(tmp_path / "net.keras")
    models.load_torch_state(opened, dict(sorted(state.items())))
    assert error(golden, opened) <= 1e-4


@pytest.mark.parametrize("order", ["of PyTorch", "by name"])
def test_the_first_tensor_that_does_not_fit_is_named(golden, model, state, order):
    middle = [key for key, shape in golden["state"] if len(shape) == 4][len(golden["state"]) // 10]
    state[middle] = state[middle][:-1]
    state = state if order == "of PyTorch" else dict(sorted(state.items()))
    with pytest.raises(ModelError, match=f"^{re.escape(middle)}: shape .* does not fit layer row"):
        models.load_torch_state(model, state)
