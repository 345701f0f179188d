"""Every net infers on the device what stock Keras does on the processor."""

import os

import keras
import numpy as np
import pytest

from kerastrash.backends import inference_function
from kerastrash.models import preset_names
from kerastrash.models.builder import in_policy

SIZE, BATCH = 64, 4
NAMES = (
    preset_names()
    if os.environ["KERAS_TORCH_DEVICE"] != "cpu"
    else ("mobilenetv3_79", "shufflenet_v2_x0_5", "resnet18d")
)
APART = {"float32": 1e-4, "mixed_float16": 2e-2, "mixed_bfloat16": 2e-1}
"""The most that logits may differ, as a share of the largest."""


def learned(net: keras.Model, rng: np.random.Generator) -> keras.Model:
    """The net with statistics as of a training: new ones are 0 and 1, which a fold of batch norms cannot get wrong."""
    for layer in net.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(rng.normal(0, 0.2, layer.moving_mean.shape))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, layer.moving_variance.shape))
    return net


@pytest.mark.parametrize("name", NAMES)
def test_a_net_infers_as_stock_keras_on_the_processor(name, build, measure):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, SIZE, SIZE, 3)).astype("uint8")
    with keras.device("cpu"):
        stock = learned(build(name, size=SIZE), rng)
        expected = keras.ops.convert_to_numpy(stock(images.astype("float32"), training=False))
    figures = {}
    for policy, tolerance in APART.items():
        infer = inference_function(in_policy(stock, policy))
        apart = [infer(images[:count]) - expected[:count] for count in (BATCH, 1, BATCH, 1, 1)]  # shapes in turns
        figures[policy] = max(np.abs(each).max() for each in apart) / np.abs(expected).max(), tolerance
    measure(figures)
