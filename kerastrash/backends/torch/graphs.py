"""CUDA graphs: a function of tensors is recorded once and then replayed, one launch in place of hundreds."""

from collections.abc import Callable

import torch
from torch import nn

from kerastrash.backends.torch.modules import KerasLayer
from kerastrash.console import say

WARM_UP = 3
"""Calls before the recording: libraries choose their kernels, and allocate, in the first ones."""

Work = Callable[..., tuple[torch.Tensor, ...]]


def can_be_recorded(program: nn.Module, name: str) -> bool:
    """Whether a CUDA graph may hold the program; says why not. Layers that Keras runs bring numbers from the host."""
    foreign = sorted({module.layer.name for module in program.modules() if isinstance(module, KerasLayer)})
    if foreign:
        say(f"{name}: {', '.join(foreign)} are run by Keras, so it is not replayed as CUDA graphs")
    return not foreign


class Recorded:
    """Runs a function as it is for a while, and then its recording, for tensors of one shape and dtype.

    Whatever the function changes lies in memory that stays. It takes tensors of the device, gives new ones, waits for
    nothing and sends nothing. Tensors of another shape than the recorded one, such as a last incomplete batch, are
    never laid into its memory: for them the function runs as it is.
    """

    def __init__(self, work: Work):
        self._work, self._calls = work, 0
        self._kinds: list[tuple[torch.Size, torch.dtype]] = []
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        kinds = [(tensor.shape, tensor.dtype) for tensor in given]
        self._kinds = self._kinds or kinds
        if kinds != self._kinds:
            return self._work(*given)
        if self._calls < WARM_UP:
            self._calls += 1
            return self._beside(given)
        if self._graph is None:
            self._record(given)
        for own, new in zip(self._given, given, strict=True):
            own.copy_(new)
        self._graph.replay()
        return tuple(tensor.clone() for tensor in self._made)

    def _beside(self, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Runs the function on a stream of its own, as PyTorch asks for before a recording."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            made = self._work(*given)
        torch.cuda.current_stream().wait_stream(stream)
        return made

    def _record(self, given: tuple[torch.Tensor, ...]) -> None:
        """Records the function; nothing is computed meanwhile. Other threads may go on using the device."""
        self._given, graph = [tensor.clone() for tensor in given], torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._made = self._work(*self._given)
        self._graph = graph
