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

from kerastrash.backends.torch.layers import Fold, Interleave, module_of
from kerastrash.backends.torch.modules import (
    BatchNorm,
    Convolution,
    KerasLayer,
    Linear,
    Rescale,
    cast,
    even,
    to_first,
    to_last,
)


def training_program(model: keras.Model) -> fx.GraphModule:
    """The model as a program that computes with, and so trains, the model's own variables.

    Takes images (batch, height, width, 3), uint8 or float; gives float32 logits (batch, classes).
    """
    model = getattr(model, "_functional", model)  # of a Sequential
    graph, program_modules = fx.Graph(), nn.ModuleDict()

    def add(operation: keras.Operation, *arguments, **keywords) -> fx.Node:
        name = f"layer{len(program_modules):03d}_{operation.name}"
        # a mask of None says nothing, and a running Keras model puts its own `training` in place of a layer's
        keywords = {key: value for key, value in keywords.items() if value is not None and key != "training"}
        program_modules[name] = KerasLayer(operation) if keywords else module_of(operation)
        return graph.call_module(name, arguments, keywords)

    entry = graph.call_function(enter, (graph.placeholder("images"),))
    outputs = model._run_through_graph(entry, operation_fn=lambda operation: functools.partial(add, operation))
    graph.output(graph.call_function(leave, (outputs,)))
    program = fx.GraphModule(program_modules, graph)
    _interleave_channels(program)
    _absorb_padding(program)
    for node, activation in _calls(program, (nn.ReLU, nn.ReLU6)):
        # what the backward pass does not need is overwritten: the output of a norm, sum or product, used nowhere else
        activation.inplace = isinstance(_producer(program, node), BatchNorm | Fold)
    program.delete_all_unused_submodules()
    program.recompile()
    return program


def lower(model: keras.Model) -> fx.GraphModule:
    """The model as a program for inference: convolutions take the norms after them and the scaling before them.

    Takes images (batch, height, width, 3), uint8 or float, RGB in [0, 255]; gives float32 logits (batch, classes). What
    is neither folded nor cast shares the model's memory: lower a model once it is trained.
    """
    program = training_program(model).eval().requires_grad_(False)
    for node, norm in list(_calls(program, BatchNorm)):
        into = _producer(program, node)
        if isinstance(into, Convolution) and isinstance(into.activation, nn.Identity):
            statistics = (norm.moving_mean, norm.moving_variance, norm.epsilon, norm.weight, norm.bias)
            into.weight, into.bias = fuse_conv_bn_weights(into.weight, into.bias, *statistics)
            _drop(program, node)
    for node, rescale in list(_calls(program, Rescale)):
        into = _only_user(program, node)
        if isinstance(into, Convolution) and into.groups == 1:  # padding still adds zeros after the one addition left
            into.weight = nn.Parameter(into.weight * rescale.scale.reshape(1, -1, 1, 1), requires_grad=False)
            rescale.offset, rescale.scale = rescale.offset / rescale.scale, None
    for module in program.modules():
        if isinstance(module, Convolution | Linear):
            module.to(module.dtype)  # once, here, instead of in every call
    program.delete_all_unused_submodules()
    program.recompile()
    return program


def enter(images: torch.Tensor) -> torch.Tensor:
    """Images (N, H, W, C), uint8 or float, as float32 maps (N, C, H, W): a view where they are float32 already."""
    return to_first(cast(images, torch.float32))


def leave(x: torch.Tensor) -> torch.Tensor:
    """Logits in float32."""
    return cast(to_last(x), torch.float32)


def _calls(program: fx.GraphModule, kinds: type | tuple[type, ...]) -> Iterator[tuple[fx.Node, nn.Module]]:
    for node in program.graph.nodes:
        if node.op == "call_module" and isinstance(program.get_submodule(node.target), kinds):
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


def _interleave_channels(program: fx.GraphModule) -> None:
    """Replaces the three layers of a channel shuffle by one module, which moves the map once."""
    for node, swap in list(_calls(program, KerasLayer)):
        if shuffled := _shuffled_map(_producer(program, node), swap, _only_user(program, node)):
            (last,), first = node.users, node.args[0]
            program.add_submodule(last.target, Interleave(*shuffled))
            last.args = first.args
            program.graph.erase_node(node)
            program.graph.erase_node(first)


def _shuffled_map(*modules: nn.Module | None) -> tuple[int, int, int, int] | None:
    """Groups, channels, height and width where three layers interleave groups of channels; else None."""
    chain = [module.layer for module in modules if isinstance(module, KerasLayer)]
    if [type(layer) for layer in chain] != [layers.Reshape, layers.Permute, layers.Reshape]:
        return None
    split, swap, join = chain
    before, parted, after = split.input.shape[1:], split.output.shape[1:], join.output.shape[1:]
    if len(before) != 3 or before != after or len(parted) != 4 or parted[:2] != before[:2] or swap.dims != (1, 2, 4, 3):
        return None
    height, width, channels = before
    return parted[2], channels, height, width


def _absorb_padding(program: fx.GraphModule) -> None:
    """Lets a convolution or a max pooling do the symmetric zero padding before it: one pass over the map less.

    A max pooling pads with -inf, which is the same where a ReLU leaves nothing below zero.
    """
    for node, window in list(_calls(program, (Convolution, nn.MaxPool2d))):
        pad = _producer(program, node)
        if not isinstance(pad, nn.ZeroPad2d) or window.padding not in (0, (0, 0)):
            continue
        pools = isinstance(window, nn.MaxPool2d)
        fits = isinstance(_producer(program, node.args[0]), nn.ReLU | nn.ReLU6) if pools else window.uneven is None
        if fits and even(pad.padding):
            window.padding = even(pad.padding)
            _drop(program, node.args[0])
