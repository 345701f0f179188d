"""The builder: preprocessing, names, padding, and what it refuses."""

import keras
import numpy as np
import pytest
from keras import layers

from kerastrash import models
from kerastrash.errors import ModelError
from kerastrash.models import Conv, Dense, Flatten, InvertedResidual, Pool, build_model
from kerastrash.models.builder import in_float32, in_policy

TINY = (Conv(8, kernel=3, stride=2, activation="hard_swish"), InvertedResidual(3, 2, 8, squeeze_excite=True), Pool())


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(1)


def test_preprocessing_normalises_with_the_statistics_of_imagenet():
    with_it, without = build_model(TINY, 16), build_model(TINY, 16, include_preprocessing=False)
    without.set_weights(with_it.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    normalised = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = without(normalised.astype("float32"), training=False)
    found = with_it(images, training=False)
    to_numpy = keras.ops.convert_to_numpy
    assert np.ptp(to_numpy(expected)) > 0
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), rtol=1e-4, atol=1e-7)


def test_another_normalisation_takes_the_place_of_imagenet_s():
    model = build_model(TINY, 16, normalisation=models.Normalisation((127, 100, 90), (128, 64, 32)))
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    found = keras.Model(model.input, model.get_layer("normalise").output).predict(images, verbose=0)
    np.testing.assert_allclose(found, (images - [127, 100, 90]) / [128, 64, 32], atol=1e-5)


def test_layers_are_named_after_their_rows_and_a_model_after_its_preset():
    assert build_model("mobilenetv3_79", 32, width=0.25).name == "mobilenetv3_79"
    names = {layer.name for layer in build_model(TINY, 16).layers}
    assert {"image", "normalise", "row01_conv", "row02_depthwise", "row02_gate", "row03_pool", "logits"} <= names


def corners(rows: tuple, size: int, layer: str) -> np.ndarray:
    """The first and the last pixel that a layer gives for an image of ones, all its weights being one."""
    model = build_model((*rows, Pool()), size, include_preprocessing=False)
    model = keras.Model(model.input, model.get_layer(layer).output)
    model.set_weights([np.ones(weight.shape) for weight in model.get_weights()])
    found = keras.ops.convert_to_numpy(model(np.ones((1, size, size, 3), "float32")))
    return found[0, [0, -1], [0, -1], 0]


@pytest.mark.parametrize(
    ("padding", "size", "kernel", "first", "last"),
    [
        ("symmetric", 16, 3, 2, 3),
        ("symmetric", 17, 5, 3, 3),
        ("same", 16, 3, 3, 2),
        ("same", 17, 3, 2, 2),
        ("same", 16, 5, 4, 3),
    ],
)
def test_a_stride_of_two_pads_as_the_row_says(padding, size, kernel, first, last):
    found = corners((Conv(8, kernel, 2, "linear", padding=padding),), size, "row01_conv")
    assert found.tolist() == [3 * first**2, 3 * last**2]  # the kernel's other rows and columns stand on zeros


def test_a_pooled_shortcut_leaves_what_lies_beyond_an_odd_edge_out_of_the_mean():
    found = corners((models.BasicBlock(8, stride=2, pooled_shortcut=True),), 17, "row01_shortcut_conv")
    assert found.tolist() == [3, 3]


@pytest.mark.parametrize(("padding", "windows"), [("symmetric", [(0, 2), (5, 8)]), ("same", [(0, 3), (6, 8)])])
def test_a_max_pooling_pads_as_its_row_says(padding, windows):
    model = build_model((Conv(8), models.MaxPool(padding=padding), Pool()), 8, include_preprocessing=False)
    ends = [model.get_layer(name).output for name in ("row01_activation", "row02_max_pool")]
    model = keras.Model(model.input, ends)
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    entering, leaving = (keras.ops.convert_to_numpy(values)[0] for values in model(images))
    for place, (start, stop) in zip((0, -1), windows, strict=True):
        expected = entering[start:stop, start:stop].max((0, 1))
        np.testing.assert_allclose(leaving[place, place], expected)


def test_initial_kernels_differ_from_layer_to_layer():
    rows = (Conv(8), Conv(8), Conv(8), Pool())
    model = build_model(rows, 8)
    assert not np.array_equal(model.get_layer("row02_conv").get_weights(), model.get_layer("row03_conv").get_weights())


def test_batch_norm_keeps_the_epsilon_of_its_row():
    model = build_model((Conv(8, epsilon=1e-3), InvertedResidual(3, 1, 8), Pool()), 8)
    assert model.get_layer("row01_bn").epsilon == 1e-3
    assert model.get_layer("row02_depthwise_bn").epsilon == 1e-5


def test_channels_first_is_refused_where_it_would_scale_wrongly():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ModelError, match="channels_first"):
            build_model(TINY, 16)
        assert build_model(TINY, 16, include_preprocessing=False).output_shape == (None, 6)
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name_or_rows": "mobilenetv3_97"}, "did you mean mobilenetv3_"),
        ({"name_or_rows": "zzz"}, "'zzz': no such net; known are mobilenetv3_79, "),
        ({"name_or_rows": "absent.yaml"}, "absent.yaml: no such file"),
        ({"name_or_rows": ()}, r"rows: \(\) is no tuple of rows"),
        ({"name_or_rows": ("conv",)}, "row 1: 'conv' is no row"),
        ({"name_or_rows": 3}, "rows: 3 is no tuple of rows"),
        ({"name_or_rows": (Conv(8),)}, "row 1: conv leaves a map before the classifier; end with a pool row"),
        ({"name_or_rows": (Pool(), Conv(8))}, "row 2: conv takes a map; move it before"),
        ({"name_or_rows": (Dense(8),)}, "row 1: dense takes a vector; put a pool"),
        ({"name_or_rows": (Conv(8), Flatten())}, "row 2 at input size 16: flatten takes a map of 1 pixel, not 16x16"),
        ({"name_or_rows": (Conv(8, stride=2),) * 5 + (Pool(),)}, "row 5 at input size 16: a stride of 2 cannot shrink"),
        ({"classes": 0}, "classes is 0"),
        ({"classes": 2.0}, "classes is 2.0"),
        ({"width": 0}, "width is 0"),
        ({"width": float("nan")}, "width is nan"),
        ({"depth": -1}, "depth is -1"),
        ({"depth": "deep"}, "depth is 'deep'"),
        ({"input_size": 0}, "input_size is 0"),
        ({"input_size": (16, 16)}, r"input_size is \(16, 16\)"),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ModelError, match=sentence):
        build_model(**({"name_or_rows": TINY, "input_size": 16} | arguments))


def test_a_model_is_rebuilt_in_another_policy_with_its_weights_and_exact_ends_and_back_in_float32():
    net = build_model(TINY, 16)
    low = in_policy(net, "mixed_bfloat16")
    dtypes = {layer.name: layer.compute_dtype for layer in low.layers if layer.weights or "normalise" in layer.name}
    assert [dtypes.pop(name) for name in ("normalise", "logits")] == ["float32"] * 2 and {*dtypes.values()} == {
        "bfloat16"
    }
    copy = in_float32(low)
    assert {layer.dtype_policy.name for layer in copy.layers} == {"float32"}
    assert [layer.name for layer in copy.layers] == [layer.name for layer in net.layers]
    for values in zip(net.get_weights(), low.get_weights(), copy.get_weights(), strict=True):
        assert all(np.array_equal(value, values[0]) for value in values)
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(copy.predict(images, verbose=0), net.predict(images, verbose=0))


def test_a_net_in_a_net_and_weights_in_16_bits_are_rebuilt_in_float32():
    inner = keras.Sequential([layers.Conv2D(4, 3, dtype="float16"), layers.GlobalAveragePooling2D(dtype="float16")])
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.ops.relu(layers.Dense(2, dtype="bfloat16")(inner(inputs))) + 1)
    model.compile("sgd", "mse")
    copy = in_float32(model)
    assert {weight.dtype for weight in copy.weights} == {"float32"} and not copy.compiled
    assert copy.output.dtype == "float32"
    images = np.random.default_rng(1).random((2, 8, 8, 3), "float32")
    expected = keras.ops.cast(model(images), "float32")
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (copy(images), expected)), atol=2e-2)
