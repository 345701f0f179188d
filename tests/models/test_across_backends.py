"""One `.keras` file, saved on torch, opened by plain Keras on each backend: the same logits."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerastrash.models import (
    BasicBlock,
    Bottleneck,
    Conv,
    MaxPool,
    MBConv,
    Pool,
    ShuffleUnit,
    build_model,
    preset,
    scale_rows,
)
from kerastrash.models.saved import save_model

NETS = {
    "contest": preset("mobilenetv3_79"),
    "howard": scale_rows(preset("mobilenet_v3_small"), depth=0.3),
    "others": (
        Conv(16, kernel=3, stride=2, activation="relu6", padding="same"),
        MBConv(5, 6, 16, stride=2),
        ShuffleUnit(32, stride=2),
        ShuffleUnit(32),
        MaxPool(kernel=3, stride=1),
        BasicBlock(32),
        Bottleneck(16, 48, stride=2, pooled_shortcut=True),
        Pool(),
    ),
}
SIZE = 64
OPEN = """
import sys, keras, numpy as np
folder, *nets = sys.argv[1:]
assert "kerastrash" not in sys.modules
for net in nets:
    model = keras.saving.load_model(f"{folder}/{net}.keras")
    np.save(f"{folder}/{net}-{keras.backend.backend()}.npy", model.predict(np.load(f"{folder}/images.npy"), verbose=0))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Compiled nets with weights and statistics away from their initial values, saved as a training saves them."""
    folder = tmp_path_factory.mktemp("saved")
    rng = np.random.default_rng(5)
    np.save(folder / "images.npy", rng.integers(0, 256, (4, SIZE, SIZE, 3), "uint8"))
    for net, rows in NETS.items():
        keras.utils.set_random_seed(1)
        model = build_model(rows, SIZE)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        save_model(model, folder / f"{net}.keras")
        np.save(folder / f"{net}.npy", model.predict(np.load(folder / "images.npy"), verbose=0))
    return folder


@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_a_file_saved_on_torch_gives_the_same_logits(saved, backend):
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    environment = os.environ | {"KERAS_BACKEND": backend}
    subprocess.run([sys.executable, "-c", OPEN, str(saved), *NETS], check=True, env=environment)
    for net in NETS:
        expected, found = np.load(saved / f"{net}.npy"), np.load(saved / f"{net}-{backend}.npy")
        assert np.abs(expected - expected.mean(0)).max() > 1e-3 * np.abs(expected).max()  # the images do matter
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
