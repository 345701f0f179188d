"""What holds for each net: for small ones that have every kind of row, on each backend; for every preset, on torch."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerastrash import models
from kerastrash.export.writing import open_as
from kerastrash.models import BasicBlock, Bneck, Bottleneck, Conv, InvertedResidual, Pool, ShuffleUnit, build_model
from kerastrash.models.saved import save_model

SIZE = 64  # every stride of every net still has a map to work on
SMALL = {
    "contest": (
        Conv(8, kernel=3, stride=2, activation="hard_swish"),
        InvertedResidual(3, 1, 8, squeeze_excite=True),
        InvertedResidual(5, 2, 16, squeeze_excite=True, hard_swish=True, stride=2),
        Pool(keep_map=True),
        Conv(16),
        models.Flatten(),
    ),
    "howard": (
        Conv(8, kernel=3, stride=2, activation="relu6", epsilon=1e-3),
        Bneck(3, 8, 8),
        Bneck(5, 16, 8, squeeze_excite=True, hard_swish=True),
        Conv(16, activation="silu", epsilon=1e-3),
        Pool(),
        models.Dense(16, activation="hard_swish"),
    ),
    "others": (
        Conv(8, kernel=3, stride=2, activation="relu6", epsilon=1e-3, padding="same"),
        models.MBConv(3, 1, 8),
        models.MBConv(5, 6, 16, stride=2),
        models.MaxPool(padding="same"),
        ShuffleUnit(32, stride=2),
        ShuffleUnit(32),
        models.MaxPool(stride=1),
        BasicBlock(32),
        BasicBlock(40, stride=2, pooled_shortcut=True),
        Bottleneck(8, 40),
        Bottleneck(16, 48, stride=2),
        Pool(),
    ),
}
EACH = [*SMALL, *models.preset_names()] if keras.backend.backend() == "torch" else [*SMALL]
IMAGES = np.random.default_rng(5).integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8)


def rows_of(name: str) -> models.Rows:
    """The small net, or the preset narrowed, where its width does not matter."""
    return SMALL[name] if name in SMALL else models.scale_rows(models.preset(name), 0.25)


def logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return model.predict(images, verbose=0)


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(3)


@pytest.mark.backends
@pytest.mark.parametrize(
    ("name", "policy"),
    [(name, policy) for name in EACH for policy in ("float32", "mixed_float16")]
    + [(name, "mixed_bfloat16") for name in SMALL],
    indirect=["policy"],
)
def test_logits_are_float32_and_finite_and_those_of_the_saved_model_opened_with_plain_keras(name, policy, tmp_path):
    model = build_model(rows_of(name), SIZE)
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)  # only stock layers
    compute = {layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    assert compute == {policy.removeprefix("mixed_")}
    found = logits(model, IMAGES[:2])
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    model.save(tmp_path / "net.keras")
    np.testing.assert_array_equal(logits(keras.saving.load_model(tmp_path / "net.keras"), IMAGES[:2]), found)


@pytest.mark.backends
@pytest.mark.parametrize("name", EACH)
def test_uint8_and_float_images_of_any_batch_give_equal_logits(name):
    model = build_model(rows_of(name), SIZE)
    assert model.input_shape == (None, SIZE, SIZE, 3)
    for images in (IMAGES[:1], IMAGES[:3]):
        from_bytes = logits(model, images)
        assert from_bytes.shape == (len(images), 6)
        assert np.ptp(from_bytes) > 0
        np.testing.assert_array_equal(from_bytes, logits(model, images.astype(np.float32)))
        called = keras.ops.convert_to_numpy(model(images, training=False))
        np.testing.assert_allclose(called, from_bytes, rtol=1e-3, atol=1e-6)


@pytest.mark.backends
@pytest.mark.parametrize("name", SMALL)
def test_a_model_learns_from_bytes(name):
    model = build_model(SMALL[name], SIZE, classes=2)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    batch = np.concatenate([np.zeros_like(IMAGES), IMAGES])
    losses = model.fit(batch, np.repeat([0, 1], 8), epochs=8, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


OPEN = """
import sys, keras, numpy as np
folder, *nets = sys.argv[1:]
assert "kerastrash" not in sys.modules
for net in nets:
    model = keras.saving.load_model(f"{folder}/{net}.keras")
    np.save(f"{folder}/{net}-{keras.backend.backend()}.npy", model.predict(np.load(f"{folder}/images.npy"), verbose=0))
"""
SHARED = SMALL | {"contest": models.preset("mobilenetv3_79")}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Compiled nets with weights and statistics away from their initial values, saved as a training saves them."""
    folder = tmp_path_factory.mktemp("saved")
    rng = np.random.default_rng(5)
    np.save(folder / "images.npy", IMAGES[:4])
    for net, rows in SHARED.items():
        keras.utils.set_random_seed(1)
        model = build_model(rows, SIZE)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        save_model(model, folder / f"{net}.keras")
        np.save(folder / f"{net}.npy", logits(model, IMAGES[:4]))
    return folder


@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_a_file_saved_on_torch_gives_the_same_logits(saved, backend):
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    environment = os.environ | {"KERAS_BACKEND": backend}
    subprocess.run([sys.executable, "-c", OPEN, str(saved), *SHARED], check=True, env=environment)
    for net in SHARED:
        expected, found = np.load(saved / f"{net}.npy"), np.load(saved / f"{net}-{backend}.npy")
        assert np.abs(expected - expected.mean(0)).max() > 1e-3 * np.abs(expected).max()  # the images do matter
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", models.preset_names())
def test_the_exported_preset_agrees_in_onnx_runtime(name):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    model = build_model(rows_of(name), SIZE)
    expected, found = logits(model, IMAGES[:2]), open_as(model, "onnx")(IMAGES[:2])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
