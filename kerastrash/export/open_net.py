"""A net that is open in a runtime and ready to answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from kerastrash.export.description import Description

Inference = Callable[[np.ndarray], np.ndarray]


class Runtime(Protocol):
    """What classifies images."""

    name: str
    """Such as `keras-torch` or `onnxruntime`."""
    input_size: int
    """Side in pixels of the square images it takes."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images (batch, size, size, 3), uint8 or float, RGB in [0, 255], to outputs (batch, classes), float32."""
        ...


@dataclass(frozen=True)
class OpenNet:
    """A runtime around one function."""

    name: str
    input_size: int
    classes: int
    device: str
    run: Inference = field(repr=False)
    description: Description = field(default_factory=Description)
    """What the file says of itself: names of the classes, logits or probabilities."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.run(images)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of logits (n, classes), in their dtype."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def conditions(runtime: str, device: str, threads: int) -> str:
    """What a time was measured on, such as `keras-torch, NVIDIA H100, 1 thread`."""
    return f"{runtime}, {device}, {threads} thread{'s' if threads > 1 else ''}"
