"""One harness over every preset: what holds for each net."""

import keras
import numpy as np
import pytest

from kerastrash import models
from kerastrash.export.writing import open_as

SIZE = 48  # every stride of every net still has a map to work on
PARAMETERS_AND_LAYERS = {
    "mobilenetv3_79": (294_854, 79),
    "mobilenetv3_163": (1_741_254, 163),
    "mobilenetv3_179": (2_127_374, 179),
    "mobilenetv3_full": (4_210_998, 227),
    "mobilenet_v3_small": (1_524_006, 209),
    "mobilenet_v3_large": (4_209_718, 255),
    "shufflenet_v2_x0_5": (347_942, 205),
    "shufflenet_v2_x1_0": (1_259_754, 205),
    "shufflenet_v2_x1_5": (2_484_774, 205),
    "shufflenet_v2_x2_0": (5_357_290, 205),
    "resnet18": (11_179_590, 68),
    "resnet50": (23_520_326, 151),
    "resnet18d": (11_198_822, 104),
    "efficientnet_lite0": (3_378_694, 185),
    "efficientnet_lite2": (4_818_758, 240),
}
NARROW = 0.25  # of a net, where its width does not matter


@pytest.fixture(scope="module", params=models.preset_names())
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(name) -> keras.Model:
    keras.utils.set_random_seed(3)
    return models.build_model(name, SIZE, width=NARROW)


def images(count: int = 2) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def logits(model: keras.Model, batch: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(batch, training=False))


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def kernel_macs(model: keras.Model) -> int:
    """Multiply-accumulates counted over the built layers: kernel elements times output pixels."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            _, height, width, _ = layer.output.shape
            total += int(np.prod(layer.weights[0].shape)) * height * width
        elif isinstance(layer, keras.layers.Dense):
            total += int(np.prod(layer.kernel.shape))
    return total


def test_parameters_and_layers_are_the_published_ones(name):
    rows = models.preset(name)
    assert (models.parameters(rows), models.layers(rows)) == PARAMETERS_AND_LAYERS[name]


def test_the_built_model_holds_the_parameters_and_needs_the_macs_that_the_rows_count(name):
    rows, size = models.preset(name), 37
    model = models.build_model(name, size)
    assert trainable(model) == models.parameters(rows)
    assert kernel_macs(model) == models.macs(rows, size)


def test_uint8_and_float_images_of_any_batch_give_equal_logits(model):
    assert model.input_shape == (None, SIZE, SIZE, 3)
    for count in (1, 3):
        from_bytes = logits(model, images(count))
        assert from_bytes.shape == (count, 6) and np.ptp(from_bytes) > 0
        np.testing.assert_array_equal(from_bytes, logits(model, images(count).astype(np.float32)))


def test_a_saved_model_opens_with_plain_keras_and_gives_identical_logits(model, tmp_path):
    model.save(tmp_path / "net.keras")
    opened = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(logits(opened, images()), logits(model, images()))


@pytest.mark.parametrize("policy", ["mixed_float16"], indirect=True)
def test_logits_are_float32_and_finite_in_half_precision(name, policy):
    model = models.build_model(name, SIZE, width=NARROW)
    compute = [layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert set(compute) == {policy.removeprefix("mixed_")}
    found = logits(model, images())
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@pytest.mark.parametrize(("width", "depth"), [(0.35, 1.5), (1.25, 0.5)])
def test_a_scaled_model_holds_the_parameters_that_the_scaled_rows_count(name, width, depth):
    rows = models.scale_rows(models.preset(name), width, depth)
    model = models.build_model(name, SIZE, classes=3, width=width, depth=depth)
    assert trainable(model) == models.parameters(rows, classes=3) != models.parameters(models.preset(name), classes=3)
    assert kernel_macs(model) == models.macs(rows, SIZE, classes=3)
    assert logits(model, images()).shape == (2, 3)


@pytest.mark.parametrize("width", [0.1, 0.35, 0.77, 1.3])
def test_every_layer_of_a_scaled_net_has_a_multiple_of_eight_channels(name, width):
    for row in models.scale_rows(models.preset(name), width):
        counts = [getattr(row, field, 8) for field in ("channels", "expanded", "half", "squeezed", "units")]
        assert not any(count % 8 for count in counts)


def test_the_exported_net_agrees_in_onnx_runtime(model):
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    expected, found = logits(model, images()), open_as(model, "onnx")(images())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
