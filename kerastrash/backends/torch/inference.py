"""Inference on images in host memory: single kernels on a processor; on CUDA a graph for each shape of images.

At batch 1 a net is some fifty kernels of a few microseconds, less than what it takes to launch them one by one.
"""

import functools

import keras
import numpy as np
import torch
from torch import nn

from kerastrash.backends import Inference
from kerastrash.backends.torch.graphs import WARM_UP, Recorded, can_be_recorded
from kerastrash.backends.torch.program import lower

GRAPHS = 4
"""Shapes whose graphs a net keeps; a further one takes the place of that which was not used for longest."""


def inference_on(device: torch.device, model: keras.Model) -> Inference:
    """The function of images to logits, both in host memory; calls must not overlap."""
    program = lower(model)
    if device.type == "cuda" and can_be_recorded(program, model.name):
        return replayed(device, program)

    @torch.no_grad()
    def run(images: np.ndarray) -> np.ndarray:
        return program(torch.from_numpy(np.require(images, requirements="CW")).to(device)).cpu().numpy()

    return run


def replayed(device: torch.device, program: nn.Module) -> Inference:
    """The function that replays a graph for each shape and dtype of images, recorded when the first ones come."""

    @functools.lru_cache(GRAPHS)
    def replay(shape: tuple[int, ...], dtype: np.dtype) -> Replay:
        return Replay(device, program, np.zeros(shape, dtype))

    return lambda images: replay(images.shape, images.dtype)(images)


class Replay:
    """A program recorded for images of one shape and dtype, with pinned memory at both ends."""

    def __init__(self, device: torch.device, program: nn.Module, images: np.ndarray):
        torch.backends.cudnn.benchmark = True  # the shape does not change: the fastest kernel is worth finding
        self.device, self.program = device, Recorded(lambda given: (program(given),))
        self.sent = torch.from_numpy(images).pin_memory()
        for _ in range(WARM_UP + 1):  # the last one records
            logits = self.logits()
        self.received = torch.empty_like(logits, device="cpu").pin_memory()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        np.copyto(self.sent.numpy(), images)
        self.received.copy_(self.logits(), non_blocking=True)
        torch.cuda.current_stream(self.device).synchronize()
        return self.received.numpy().copy()

    @torch.no_grad()
    def logits(self) -> torch.Tensor:
        """Those of the images in pinned memory, on the device; waits for nothing."""
        with torch.cuda.device(self.device):
            return self.program(self.sent.to(self.device, non_blocking=True))[0]
