"""What a built model promises on every backend, shown on small nets that hold every kind of row."""

import keras
import numpy as np
import pytest

from kerastrash.models import (
    BasicBlock,
    Bneck,
    Bottleneck,
    Conv,
    Dense,
    Flatten,
    InvertedResidual,
    MaxPool,
    MBConv,
    Pool,
    ShuffleUnit,
    build_model,
)

pytestmark = pytest.mark.backends

SIZE = 32
POLICIES = pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"], indirect=True)
NETS = {
    "contest": (
        Conv(8, kernel=3, stride=2, activation="hard_swish"),
        InvertedResidual(3, 1, 8, squeeze_excite=True),
        InvertedResidual(5, 2, 16, squeeze_excite=True, hard_swish=True, stride=2),
        Pool(keep_map=True),
        Conv(16),
        Flatten(),
    ),
    "howard": (
        Conv(8, kernel=3, stride=2, activation="relu6", epsilon=1e-3),
        Bneck(3, 8, 8),
        Bneck(5, 16, 8, squeeze_excite=True, hard_swish=True),
        Conv(16, activation="silu", epsilon=1e-3),
        Pool(),
        Dense(16, activation="hard_swish"),
    ),
    "shuffled": (
        Conv(8, kernel=3, stride=2),
        MaxPool(),
        ShuffleUnit(16, stride=2),
        ShuffleUnit(16),
        Pool(),
    ),
    "residual": (
        Conv(8, kernel=3, stride=2),
        MaxPool(),
        BasicBlock(16),
        Bottleneck(8, 24, stride=2),
        BasicBlock(32, stride=2, pooled_shortcut=True),
        Pool(),
    ),
    "lite": (
        Conv(8, kernel=3, stride=2, activation="relu6", epsilon=1e-3, padding="same"),
        MBConv(3, 1, 8),
        MBConv(5, 6, 16, stride=2),
        MaxPool(padding="same"),
        MBConv(3, 2, 16),
        Pool(),
    ),
}


@pytest.fixture(params=NETS)
def rows(request):
    keras.utils.set_random_seed(3)
    return NETS[request.param]


def images(count: int = 2) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def logits(model: keras.Model, batch: np.ndarray) -> np.ndarray:
    return model.predict(batch, verbose=0)


@POLICIES
def test_logits_are_float32_and_finite_under_every_policy(rows, policy):
    model = build_model(rows, SIZE)
    compute = {layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    assert compute == {policy.removeprefix("mixed_")}
    found = logits(model, images())
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_uint8_and_float_images_of_any_batch_give_equal_logits(rows):
    model = build_model(rows, SIZE)
    for count in (1, 3):
        from_bytes = logits(model, images(count))
        assert from_bytes.shape == (count, 6)
        assert np.ptp(from_bytes) > 0
        np.testing.assert_array_equal(from_bytes, logits(model, images(count).astype(np.float32)))
        called = keras.ops.convert_to_numpy(model(images(count), training=False))
        np.testing.assert_allclose(called, from_bytes, rtol=1e-3, atol=1e-6)


@POLICIES
def test_a_saved_model_opens_with_plain_keras_and_gives_identical_logits(rows, policy, tmp_path):
    model = build_model(rows, SIZE)
    model.save(tmp_path / "net.keras")
    opened = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(logits(opened, images()), logits(model, images()))


def test_a_model_learns_from_bytes(rows):
    model = build_model(rows, SIZE, classes=2)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    batch = np.concatenate([np.zeros_like(images(8)), images(8)])
    labels = np.repeat([0, 1], 8)
    losses = model.fit(batch, labels, epochs=8, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
