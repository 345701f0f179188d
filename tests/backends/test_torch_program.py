"""The PyTorch program of each net computes and trains what stock Keras does."""

import keras
import numpy as np
import pytest

from kerastrash.models import build_model, preset_names
from kerastrash.models.builder import in_policy

if keras.backend.backend() != "torch":
    pytest.skip("the program is torch's", allow_module_level=True)

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from kerastrash.backends.torch.layers import Interleave, Join, Part
from kerastrash.backends.torch.modules import BatchNorm, Convolution, KerasLayer
from kerastrash.backends.torch.program import lower, training_program
from kerastrash.backends.torch.update import joined_statistics, update_statistics

layers = keras.layers

WIDTH = 0.25
FAMILIES = ("mobilenet_v3_small", "shufflenet_v2_x0_5", "resnet18", "resnet50", "resnet18d", "efficientnet_lite0")


def make(name: str, size: int, **keywords) -> keras.Model:
    """A narrow net whose statistics are not 0 and 1."""
    keras.utils.set_random_seed(3)
    model, rng = build_model(name, size, width=WIDTH, **keywords), np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(rng.normal(0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, layer.moving_variance.shape))
    return model


def pictures(size: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def agree(model: keras.Model, program: nn.Module, images: np.ndarray) -> None:
    expected = model.predict(images, verbose=0)
    with torch.no_grad():
        found = program(torch.from_numpy(images)).numpy()
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def kinds(program: nn.Module) -> set[type]:
    return {type(module) for module in program.modules()}


@pytest.mark.parametrize("size", [48, 37])
@pytest.mark.parametrize("name", preset_names())
def test_a_lowered_net_computes_what_keras_computes_and_needs_no_keras(name, size):
    model = make(name, size)
    program = lower(model)
    assert not {KerasLayer, BatchNorm, nn.ZeroPad2d} & kinds(program)
    agree(model, program, pictures(size))


class Kernels(TorchDispatchMode):
    """Counts what is computed, and of it the casts; views are neither."""

    def __init__(self):
        super().__init__()
        self.all = self.casts = 0

    def __torch_dispatch__(self, function, kinds, arguments=(), keywords=None):
        self.all += not function.is_view
        self.casts += function is torch.ops.aten._to_copy.default
        return function(*arguments, **(keywords or {}))


def kernels(model: keras.Model) -> Kernels:
    program, images = lower(model), torch.from_numpy(pictures(48))
    with torch.no_grad(), Kernels() as counted:
        program(images)
    return counted


@pytest.mark.parametrize("name", FAMILIES)
def test_a_forward_in_16_bits_casts_maps_at_both_ends_and_no_weight(name):
    model = make(name, 48, depth=0.3)
    exact, half = kernels(model), kernels(in_policy(model, "mixed_float16"))
    assert exact.casts == 1  # pixels to float32, in which they are scaled
    assert half.casts == exact.casts + 2  # then to 16 bits; before the logits back to float32
    assert half.all == exact.all + 2


def test_norms_are_folded_in_float32_before_weights_are_cast():
    model = make("resnet18", 48)
    exact, half = (lower(each).state_dict() for each in (model, in_policy(model, "mixed_float16")))
    weights = [name for name, tensor in half.items() if tensor.dtype == torch.float16]
    assert len(weights) == 2 * len([layer for layer in model.layers if isinstance(layer, layers.Conv2D)])
    for name in weights:
        assert torch.equal(half[name], exact[name].half())


@pytest.mark.parametrize("name", FAMILIES)
def test_maps_stay_in_channels_last_memory(name):
    strays = []

    def check(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        if output.ndim == 4 and not output.is_contiguous(memory_format=torch.channels_last):
            strays.append(type(module).__name__)

    program = training_program(make(name, 48))
    for module in program.modules():
        if not isinstance(module, Part):  # a view
            module.register_forward_hook(check)
    program.train()(torch.from_numpy(pictures(48)))
    assert not strays


def step(model: keras.Model, program: nn.Module | None, images: torch.Tensor) -> None:
    """A step of plain gradient descent, by the program or by stock Keras; in both the statistics move too."""
    if program is not None:
        norms = [module for module in program.modules() if isinstance(module, BatchNorm)]
        statistics = joined_statistics(norms)
    logits = model(images, training=True) if program is None else program.train()(images)
    torch.nn.functional.cross_entropy(logits, torch.arange(len(images)) % 6).backward()
    trained = [variable.value for variable in model.trainable_variables] if program is None else program.parameters()
    with torch.no_grad():
        for tensor in trained:
            tensor -= 0.1 * tensor.grad
    if program is not None:
        update_statistics(norms, statistics, None)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_training_step_is_that_of_stock_keras(name):
    # shallow: through many norms of a few pixels rounding grows until values near zero take the other side of a ReLU
    before, stock, fast = (make(name, 48, depth=0.3) for _ in range(3))
    images = torch.from_numpy(pictures(48, 8))
    step(stock, None, images)
    step(fast, training_program(fast), images)
    for old, mine, theirs in zip(before.variables, fast.variables, stock.variables, strict=True):
        moved = np.abs(np.asarray(theirs) - np.asarray(old)).max()
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-3 * moved + 1e-5, err_msg=theirs.path)


def functional(size: int, body) -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((size, size, 6))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(body(inputs)))
    return keras.Model(inputs, layers.Dense(3)(x))


def signed(size: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, size, size, 6)).astype("float32")


def reordered(x, groups: int, axes: tuple[int, ...]):
    shape = x.shape[1:]
    x = layers.Permute(axes)(layers.Reshape((*shape[:2], groups, shape[2] // groups))(x))
    return layers.Reshape(shape)(x)


def parted(x):
    middle = layers.Permute((1, 2, 4, 3))(layers.Reshape((8, 8, 2, 3))(x))
    return layers.Add()([layers.Reshape((8, 8, 6))(middle), layers.Reshape((8, 8, 6))(middle)])


def odd(x):
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="gelu")(x)  # padded unevenly
    x = layers.Conv2D(8, 2, padding="same")(layers.LeakyReLU()(x))
    return layers.Concatenate()([x, layers.MaxPooling2D(3, 1, "same")(x)])


def negative(x):
    return layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(layers.Rescaling(1.0, -9.0)(x)))


@pytest.mark.parametrize(("body", "has", "lacks"), [
    (lambda x: reordered(x, 3, (1, 2, 4, 3)), Interleave, KerasLayer),  # a channel shuffle
    (lambda x: reordered(x, 3, (2, 1, 3, 4)), KerasLayer, Interleave),  # another reordering
    (parted, KerasLayer, Interleave),  # a shuffle whose middle is used elsewhere
    (negative, nn.ZeroPad2d, KerasLayer),  # a pooling keeps its zeros where values may be negative
    (odd, KerasLayer, Interleave),
    (lambda x: layers.SpatialDropout2D(0.5)(x), KerasLayer, nn.Dropout),
])  # fmt: skip
def test_layers_without_a_form_of_their_own_are_run_by_keras(body, has, lacks):
    model = functional(8, body)
    program = lower(model)
    assert has in kinds(program) and lacks not in kinds(program)
    agree(model, program, signed(8))


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("layer", [
    lambda: layers.MaxPooling2D(3, 2, "same"), lambda: layers.MaxPooling2D((3, 2), (2, 1), "valid"),
    lambda: layers.AveragePooling2D(2, 2, "same"), lambda: layers.AveragePooling2D(3, 2, "valid"),
    lambda: layers.AveragePooling2D(3, 1, "same"), lambda: layers.Conv2D(8, 5, 2, "same"),
    lambda: layers.DepthwiseConv2D((3, 5), 2, "same"), lambda: layers.Conv2D(8, 2, padding="same", dilation_rate=3),
    lambda: layers.ReLU(max_value=6), lambda: layers.ReLU(negative_slope=0.1), lambda: layers.Dropout(0.5),
    lambda: lambda x: x[..., 2:], lambda: lambda x: x[:, 1:, ::2], lambda: lambda x: keras.ops.clip(x, -1, 1),
    lambda: lambda x: layers.Concatenate(1)([x, x[:, 1:]]),
    lambda: layers.ZeroPadding2D(((0, 1), (2, 3)), "channels_first"),
    lambda: lambda x: layers.Multiply()([x, layers.GlobalAveragePooling2D("channels_first", keepdims=True)(x)]),
    lambda: lambda x: layers.Reshape(x.shape[1:])(layers.Flatten()(x)),
])  # fmt: skip
def test_a_layer_gives_what_keras_gives(layer, size):
    model = functional(size, layer())
    agree(model, lower(model), signed(size))


def test_an_unevenly_padded_convolution_is_one_module():
    model = make("efficientnet_lite0", 48)
    uneven = [m for m in lower(model).modules() if isinstance(m, Convolution) and m.uneven]
    assert {module.uneven for module in uneven} == {(0, 1, 0, 1), (1, 2, 1, 2)}


def test_slices_and_joints_of_a_shuffle_net_have_modules_of_their_own():
    assert {Part, Join, Interleave} < kinds(training_program(make("shufflenet_v2_x0_5", 48)))


def test_dropout_drops_in_training_alone():
    program = training_program(functional(8, layers.Dropout(0.5)))
    images = torch.from_numpy(signed(8))
    assert not torch.equal(program.train()(images), program(images))
    assert torch.equal(program.eval()(images), program(images))


def test_the_program_shares_the_variables_memory():
    model = make("mobilenetv3_79", 48)
    kernel = next(layer for layer in model.layers if isinstance(layer, layers.Conv2D)).kernel
    before = np.array(kernel)
    program = training_program(model)
    np.testing.assert_array_equal(before, np.asarray(kernel))
    with torch.no_grad():
        next(program.parameters()).mul_(2)
    np.testing.assert_array_equal(2 * before, np.asarray(kernel))


def test_a_relu_whose_input_is_used_elsewhere_keeps_it():
    def body(x):
        x = layers.BatchNormalization()(layers.Conv2D(4, 1)(x))
        return layers.Add()([layers.Activation("relu")(x), x])

    model = functional(8, body)
    agree(model, training_program(model).eval(), signed(8))
