"""Groups of channels, narrower nets, costs: right for sums, depthwise, gates, shuffles, concatenations, flattening."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from kerastrash.compress.channels import channel_groups
from kerastrash.compress.costs import model_macs, model_parameters
from kerastrash.compress.cuts import narrow, widths
from kerastrash.errors import ModelError
from kerastrash.models import Conv, Dense, InvertedResidual, Pool, build_model

SIZE = 16
Tensor = keras.KerasTensor


def conv(x: Tensor, filters: int, kernel=1, stride=1, activation="relu", name=None) -> Tensor:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)
    return layers.Activation(activation)(layers.BatchNormalization()(x))


def classifier(build: Callable[[Tensor], Tensor]) -> keras.Model:
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = build(conv(image, 16, 3, 2, name="stem"))
    x = layers.GlobalAveragePooling2D()(x) if len(x.shape) == 4 else x
    return keras.Model(image, layers.Dense(4, name="logits")(x), name="hand_made")


def residual() -> keras.Model:
    """A plain sum, then one with a projected shortcut that pools first, as ResNet-D has it."""

    def build(x: Tensor) -> Tensor:
        x = layers.ReLU()(layers.Add()([x, conv(conv(x, 24, 3, name="inner"), 16, 3, activation="linear")]))
        short = conv(layers.AveragePooling2D(2, padding="same")(x), 32, activation="linear", name="short")
        deep = conv(conv(x, 24, 3, 2), 32, 3, activation="linear", name="deep")
        return layers.ReLU()(layers.Add()([short, deep]))

    return classifier(build)


def mobile() -> keras.Model:
    """Depthwise convolutions and squeeze-and-excitation, before and behind the activation."""
    rows = (
        Conv(16, kernel=3, stride=2, activation="hard_swish"),
        InvertedResidual(3, 2, 16, squeeze_excite=True, hard_swish=True),
        InvertedResidual(5, 1, 24, squeeze_excite=True),
        Conv(32),
        Pool(),
        Dense(24),
    )
    return build_model(rows, SIZE, classes=4)


def shuffle() -> keras.Model:
    """ShuffleNetV2's unit: half of the channels pass, the others are convolved, then both are shuffled."""

    def build(x: Tensor) -> Tensor:
        passed, x = x[..., :8], x[..., 8:]
        x = conv(x, 24, name="branch_inner")
        x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x))
        x = layers.Concatenate()([passed, conv(x, 8, name="branch_last")])
        x = layers.Permute((1, 2, 4, 3))(layers.Reshape((8, 8, 2, 8))(x))
        return conv(layers.Reshape((8, 8, 16))(x), 32, name="head")

    return classifier(build)


def concatenated() -> keras.Model:
    """Two branches side by side under one batch norm, one also in a sum; a map flattened into a hidden dense layer."""

    def build(x: Tensor) -> Tensor:
        x = layers.Add()([x, conv(x, 16, 3, activation="linear", name="left")])
        x = layers.Concatenate()([layers.ReLU()(x), conv(x, 24, name="right")])
        x = conv(layers.ReLU()(layers.BatchNormalization()(x)), 16, 3)
        return layers.Dense(16, activation="relu", name="hidden")(layers.Flatten()(layers.MaxPooling2D(2)(x)))

    return classifier(build)


NETS = (residual, mobile, shuffle, concatenated)


@pytest.fixture(scope="module", params=NETS, ids=lambda build: build.__name__)
def model(request) -> keras.Model:
    """A net whose every weight is drawn: no batch norm that does nothing, no bias of zero."""
    net, rng = request.param(), np.random.default_rng(3)
    for layer in net.layers:
        drawn = [rng.normal(0, 0.3, value.shape) for value in layer.get_weights()]
        if isinstance(layer, layers.BatchNormalization):
            drawn = [np.abs(value) + 0.3 for value in drawn]
        layer.set_weights(drawn)
    return net


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (3, SIZE, SIZE, 3)).astype("float32") / 64


def outputs(net: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(net(images, training=False))


@pytest.mark.backends
def test_a_net_pruned_by_nothing_gives_identical_logits(model, images):
    groups = channel_groups(model)
    same = narrow(model, groups, np.ones(groups.count, bool))
    assert [layer.name for layer in same.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(outputs(same, images), outputs(model, images))


@pytest.mark.backends
def test_removing_channels_that_are_zero_leaves_the_logits(model, images):
    groups, rng = channel_groups(model), np.random.default_rng(5)
    kept = np.ones(groups.count, bool)
    for members in groups.sets:
        kept[rng.permutation(members)[: len(members) // 2]] = False
    silent = keras.models.clone_model(model)
    silent.set_weights(model.get_weights())
    for one in groups.layers:  # not what leaves a depthwise kernel: a batch norm follows it
        layer, keeps = silent.get_layer(one.layer.name), kept[one.leaving]
        layer.set_weights([value * keeps if value.shape[-1] == len(keeps) else value for value in layer.get_weights()])
    narrowed, expected = narrow(silent, groups, kept), outputs(silent, images)
    scale = np.abs(expected).max()
    assert model_macs(narrowed) < 0.7 * model_macs(model)
    np.testing.assert_allclose(outputs(narrowed, images), expected, atol=1e-5 * scale)
    assert np.abs(outputs(narrow(model, groups, kept), images) - outputs(model, images)).max() > 0.01 * scale


def test_costs_are_those_of_the_layers(model):
    assert model_parameters(model) == sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    kernels = {layer.name: layer for layer in model.layers if getattr(layer, "kernel", None) is not None}
    pixels = {name: int(np.prod(layer.output.shape[1:-1])) for name, layer in kernels.items()}
    assert model_macs(model) == sum(pixels[name] * int(np.prod(kernels[name].kernel.shape)) for name in kernels)


GROUPS = {
    residual: {("short", "deep"): 32, ("stem",): 16, ("inner",): 24},
    mobile: {("row02_expand", "row02_depthwise", "row02_excite"): 32, ("row02_squeeze",): 8},
    shuffle: {("stem",): 0, ("branch_inner",): 24, ("branch_last",): 0, ("head",): 32, ("logits",): 0},
    concatenated: {("stem", "left"): 16, ("right",): 24, ("hidden",): 16},
}
"""How many channels of these layers may be removed; those of the layers in one row stand or fall together."""


@pytest.mark.parametrize("build", GROUPS)
def test_what_meets_stands_or_falls_together_and_what_is_shuffled_or_an_output_is_kept_whole(build):
    net = build()
    before = net.to_json()
    groups = channel_groups(net)
    assert net.to_json() == before
    assert all(layer.output is not None for layer in net.layers)  # raises where one has come to be called twice
    removable = {int(number) for members in groups.sets for number in members}
    leaving = {one.layer.name: removable & set(one.leaving.tolist()) for one in groups.layers}
    for names, count in GROUPS[build].items():
        assert [len(leaving[name]) for name in names] == [count] * len(names)
        assert len(set.union(*(leaving[name] for name in names))) == count
    assert len(set.union(*(leaving[names[0]] for names in GROUPS[build]))) == sum(GROUPS[build].values())


def test_widths_name_convolutions_and_dense_layers_in_order():
    found = widths(concatenated())
    assert [name for name in found if not name.startswith("conv")] == ["stem", "left", "right", "hidden", "logits"]
    assert (found["stem"], found["right"], found["hidden"], found["logits"]) == (16, 24, 16, 4)
    assert "row02_depthwise" not in widths(mobile())


REFUSED = {
    "PReLU": lambda x: layers.PReLU(name="strange")(x),
    "Conv2D": lambda x: layers.Conv2D(16, 3, groups=2, name="strange")(x),
    "SeparableConv2D": lambda x: layers.SeparableConv2D(16, 3, name="strange")(x),
    "LayerNormalization": lambda x: layers.LayerNormalization(name="strange")(x),
    "Multiply": lambda x: layers.Multiply(name="strange")([x, layers.Conv2D(1, 1)(x)]),
    "Functional": lambda x: keras.Model(i := keras.Input((8, 8, 16)), layers.ReLU()(i), name="strange")(x),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_layer_that_is_not_understood_is_named(kind):
    with pytest.raises(ModelError, match=rf"hand_made: layer strange \({kind}\) is not understood"):
        channel_groups(classifier(REFUSED[kind]))


def test_a_layer_used_twice_is_refused():
    shared = layers.Conv2D(16, 1, name="shared")
    with pytest.raises(ModelError, match="shared are used in two places"):
        channel_groups(classifier(lambda x: shared(shared(x))))
