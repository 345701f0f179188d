"""A functional Keras model as a plain PyTorch program: what trains, and what is exported.

Keras on torch runs a net layer by layer in (N, H, W, C), each convolution between two transposes and each batch norm in
ten passes. Here the same graph becomes a `torch.fx.GraphModule` of standard modules in channels_last memory format.
"""

import functools
from collections.abc import Iterator

import keras
import torch
from keras import layers
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from kerastrash.backends.torch_modules import (
    ACTIVATIONS,
    BatchNorm,
    Convolution,
    GlobalMean,
    KerasLayer,
    Linear,
    Product,
    Rescale,
    Sum,
    activation_module,
    cast,
    to_first,
    to_last,
)


def training_program(model: keras.Model) -> fx.GraphModule:
    """The model as a program that computes with, and so trains, the model's own variables.

    Takes images (batch, height, width, 3), uint8 or float; gives float32 logits (batch, classes).
    """
    model = getattr(model, "_functional", model)  # of a Sequential
    graph, program_modules = fx.Graph(), nn.ModuleDict({"entry": Entry(), "exit": Exit()})

    def add(operation: keras.Operation, *arguments, **keywords) -> fx.Node:
        name = f"layer{len(program_modules):03d}_{operation.name}"
        keywords = {key: value for key, value in keywords.items() if value is not None}  # such as mask=None
        program_modules[name] = KerasLayer(operation) if keywords else module_of(operation)  # such as training=False
        return graph.call_module(name, arguments, keywords)

    entry = graph.call_module("entry", (graph.placeholder("images"),))
    outputs = model._run_through_graph(entry, operation_fn=lambda operation: functools.partial(add, operation))
    graph.output(graph.call_module("exit", (outputs,)))
    program = fx.GraphModule(program_modules, graph)
    _absorb_padding(program)
    _activate_in_place(program)
    return program


def lower(model: keras.Model) -> fx.GraphModule:
    """The model as a program for inference, batch norms folded into the convolutions before them.

    Takes images (batch, height, width, 3), uint8 or float, RGB in [0, 255]; gives float32 logits (batch, classes). What
    is not folded shares the model's memory: lower a model once it is trained.
    """
    program = training_program(model).eval().requires_grad_(False)
    for node, norm in list(_calls(program, BatchNorm)):
        convolution = _producer(program, node)
        if isinstance(convolution, Convolution) and isinstance(convolution.activation, nn.Identity):
            _fold(convolution, norm)
            _drop(program, node)
    for node, rescale in list(_calls(program, Rescale)):
        convolution = _only_user(program, node)
        if isinstance(convolution, Convolution) and convolution.groups == 1:
            _scale_inputs(convolution, rescale)
    program.delete_all_unused_submodules()
    program.recompile()
    return program


class Entry(nn.Module):
    """Images (N, H, W, C), uint8 or float, as float32 maps (N, C, H, W): a view where they are float32 already."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return to_first(cast(images, torch.float32))


class Exit(nn.Module):
    """Logits in float32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(to_last(x), torch.float32)


@functools.singledispatch
def module_of(layer: keras.Operation) -> nn.Module:
    """The PyTorch module that computes what a layer does."""
    return KerasLayer(layer)


@module_of.register(layers.Conv2D)
@module_of.register(layers.DepthwiseConv2D)
def _(layer: layers.Conv2D | layers.DepthwiseConv2D) -> nn.Module:
    padding = _symmetric_padding(layer)
    return KerasLayer(layer) if padding is None or not _known(layer.activation) else Convolution(layer, padding)


@module_of.register
def _(layer: layers.BatchNormalization) -> nn.Module:
    last = layer.axis in (-1, 3) and len(layer.input.shape) == 4
    return BatchNorm(layer) if last and not layer.renorm else KerasLayer(layer)


@module_of.register
def _(layer: layers.Activation) -> nn.Module:
    return activation_module(layer.activation) if _known(layer.activation) else KerasLayer(layer)


@module_of.register
def _(layer: layers.Dense) -> nn.Module:
    plain = len(layer.input.shape) == 2 and _known(layer.activation) and not layer.lora_enabled
    return Linear(layer) if plain else KerasLayer(layer)


@module_of.register
def _(layer: layers.ZeroPadding2D) -> nn.Module:
    (top, bottom), (left, right) = layer.padding
    return nn.ZeroPad2d((left, right, top, bottom))


@module_of.register
def _(layer: layers.GlobalAveragePooling2D) -> nn.Module:
    return GlobalMean(layer.keepdims)


@module_of.register
def _(layer: layers.Flatten) -> nn.Module:
    pooled = tuple(layer.input.shape[1:-1]) in ((), (1, 1))  # of a larger map the order of the values differs
    return nn.Flatten() if pooled else KerasLayer(layer)


module_of.register(layers.Rescaling, Rescale)
module_of.register(layers.Add, lambda layer: Sum())
module_of.register(layers.Multiply, lambda layer: Product())


def _known(activation) -> bool:
    return activation is None or activation.__name__ in ACTIVATIONS


def _symmetric_padding(layer: layers.Conv2D | layers.DepthwiseConv2D) -> tuple[int, int] | None:
    """The padding of one side in height and width; None where the two sides differ, or for what PyTorch lacks."""
    if layer.data_format != "channels_last" or getattr(layer, "depth_multiplier", 1) != 1:
        return None
    if layer.padding == "valid":
        return 0, 0
    both = []
    for side, kernel, stride, dilation in zip(
        layer.input.shape[1:3], layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    ):
        covered = (kernel - 1) * dilation + 1
        total = max((-(-side // stride) - 1) * stride + covered - side, 0)
        if total % 2:
            return None
        both.append(total // 2)
    return tuple(both)


def _calls(program: fx.GraphModule, kind: type[nn.Module]) -> Iterator[tuple[fx.Node, nn.Module]]:
    for node in program.graph.nodes:
        if node.op == "call_module" and isinstance(program.get_submodule(node.target), kind):
            yield node, program.get_submodule(node.target)


def _producer(program: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The module whose output goes into this node and nowhere else."""
    source = node.args[0]
    if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) > 1:
        return None
    return program.get_submodule(source.target)


def _only_user(program: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The module that takes what this node gives, where it is one."""
    users = [user for user in node.users if user.op == "call_module"]
    return program.get_submodule(users[0].target) if len(users) == len(node.users) == 1 else None


def _drop(program: fx.GraphModule, node: fx.Node) -> None:
    node.replace_all_uses_with(node.args[0])
    program.graph.erase_node(node)


def _absorb_padding(program: fx.GraphModule) -> None:
    """Lets a convolution do the symmetric zero padding before it: one pass over the map less."""
    for node, convolution in list(_calls(program, Convolution)):
        pad = _producer(program, node)
        if isinstance(pad, nn.ZeroPad2d) and pad.padding[0::2] == pad.padding[1::2] and convolution.padding == (0, 0):
            convolution.padding = (pad.padding[2], pad.padding[0])
            _drop(program, node.args[0])
    program.recompile()


def _activate_in_place(program: fx.GraphModule) -> None:
    """Overwrites with ReLU what the backward pass does not need: the output of a batch norm, used nowhere else."""
    for kind in (nn.ReLU, nn.ReLU6):
        for node, activation in _calls(program, kind):
            activation.inplace = isinstance(_producer(program, node), BatchNorm)


def _fold(convolution: Convolution, norm: BatchNorm) -> None:
    statistics = (norm.moving_mean, norm.moving_variance, norm.epsilon, norm.weight, norm.bias)
    convolution.weight, convolution.bias = fuse_conv_bn_weights(convolution.weight, convolution.bias, *statistics)


def _scale_inputs(convolution: Convolution, rescale: Rescale) -> None:
    """Lets the convolution's weights do the scaling, which leaves one addition; padding still adds zeros after it."""
    scale = rescale.scale.reshape(1, -1, 1, 1)
    convolution.weight = nn.Parameter(convolution.weight * scale, requires_grad=False)
    rescale.offset, rescale.scale = rescale.offset / rescale.scale, None
