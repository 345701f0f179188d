"""Inference on images in host memory: single kernels on a processor; on CUDA a graph for each shape of images.

At batch 1 a net is some fifty kernels of a few microseconds, less than what it takes to launch them one by one. A graph
is launched as a whole. Its buffers and memory are its own and stay where they were when it was captured.
"""

import functools

import keras
import numpy as np
import torch
from torch import nn

from kerastrash.backends import Inference
from kerastrash.backends.torch.modules import KerasLayer
from kerastrash.backends.torch.program import lower

GRAPHS = 4
"""Shapes whose graphs a net keeps; a further one takes the place of that which was not used for longest."""
WARMUP = 3
"""Runs before a capture, in which libraries choose kernels and allocate what they keep."""


def inference_on(device: torch.device, model: keras.Model) -> Inference:
    """The function of images to logits, both in host memory; calls must not overlap."""
    program = lower(model)
    if device.type == "cuda" and can_be_captured(program):
        return replayed(device, program)

    @torch.no_grad()
    def run(images: np.ndarray) -> np.ndarray:
        return program(torch.from_numpy(np.require(images, requirements="CW")).to(device)).cpu().numpy()

    return run


def can_be_captured(program: nn.Module) -> bool:
    """Whether no layer is run by Keras, which may copy a constant from the host: illegal in a capture."""
    return not any(isinstance(module, KerasLayer) for module in program.modules())


def replayed(device: torch.device, program: nn.Module) -> Inference:
    """The function that replays a graph for each shape and dtype of images, captured when the first ones come."""

    @functools.lru_cache(GRAPHS)
    def graph(shape: tuple[int, ...], dtype: np.dtype) -> Graph:
        return Graph(device, program, torch.from_numpy(np.zeros(shape, dtype)))

    return lambda images: graph(images.shape, images.dtype)(images)


class Graph:
    """A program captured for images of one shape and dtype."""

    @torch.no_grad()
    def __init__(self, device: torch.device, program: nn.Module, images: torch.Tensor):
        torch.backends.cudnn.benchmark = True  # the shape does not change: the fastest kernel is worth finding
        self.sent = images.pin_memory()
        self.images = self.sent.to(device)
        with torch.cuda.device(device):
            self.stream = torch.cuda.current_stream()
            aside = torch.cuda.Stream()
            aside.wait_stream(self.stream)
            with torch.cuda.stream(aside):
                for _ in range(WARMUP):
                    program(self.images)
            self.stream.wait_stream(aside)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.logits = program(self.images)
        self.received = torch.empty_like(self.logits, device="cpu").pin_memory()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        np.copyto(self.sent.numpy(), images)
        with torch.cuda.stream(self.stream):
            self.images.copy_(self.sent, non_blocking=True)
            self.graph.replay()
            self.received.copy_(self.logits, non_blocking=True)
        self.stream.synchronize()
        return self.received.numpy().copy()
