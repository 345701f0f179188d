"""A file as an open net: what it takes and gives, and how any images are fed to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from kerastrash.backends import Inference, OpenedFile
from kerastrash.errors import ModelError
from kerastrash.export.format import Description, OpenNet


class Runtime(Protocol):
    """What classifies images."""

    name: str
    """Such as `keras-torch` or `onnxruntime`."""
    input_size: int
    """Side in pixels of the square images it takes."""
    description: Description
    """What its file says of itself."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images (batch, size, size, 3), uint8 or float, RGB in [0, 255], to outputs (batch, classes), float32."""
        ...


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of logits (n, classes), in their dtype."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def conditions(runtime: str, device: str, threads: int) -> str:
    """What a time was measured on, such as `keras-torch, NVIDIA H100, 1 thread`."""
    return f"{runtime}, {device}, {threads} thread{'s' if threads > 1 else ''}"


INPUT_TYPES = ("float32", "float16", "uint8")


def classifier(path: Path, name: str, opened: OpenedFile) -> OpenNet:
    """The net of a file from what the runtime of this name says of it.

    Raises:
        ModelError: it is no classifier of square RGB images, or takes them in another type than INPUT_TYPES.
    """
    inputs, outputs = ([tuple(map(_side, shape)) for shape in shapes] for shapes in (opened.inputs, opened.outputs))
    match inputs, outputs:
        case [(batch, int(size), width, 3)], [(_, int(classes))] if size == width:
            pass
        case _:
            raise ModelError(
                f"{path}: takes {_shown(inputs)} and gives {_shown(outputs)}; "
                "give a net from (batch, size, size, 3) to (batch, classes), size and classes fixed"
            )
    if opened.dtype not in INPUT_TYPES:
        raise ModelError(f"{path}: takes images of {opened.dtype}; export it for one of {', '.join(INPUT_TYPES)}")

    def typed(images: np.ndarray) -> np.ndarray:
        return np.asarray(opened.run(_as_dtype(images, opened.dtype)), "float32")

    description = Description.from_json(opened.text, path)
    return OpenNet(name, size, classes, opened.device, _in_pieces(typed, batch), description)


def _as_dtype(images: np.ndarray, dtype: str) -> np.ndarray:
    """Images in [0, 255] as another type, rounded where that one is uint8; in one piece of memory."""
    if dtype == "uint8" and images.dtype != np.uint8:
        images = np.rint(images).clip(0, 255)
    return np.ascontiguousarray(images, dtype)


def _in_pieces(run: Inference, batch: int | None) -> Inference:
    """Feeds any number of images to a net that takes `batch` at a time; a last piece is filled up with black ones."""
    if batch is None:
        return run

    def pieces(images: np.ndarray) -> np.ndarray:
        starts = range(0, len(images), batch)
        return np.concatenate([run(_filled(images[start : start + batch], batch)) for start in starts])[: len(images)]

    return pieces


def _side(side: object) -> int | None:
    return int(side) if isinstance(side, int | np.integer) and side > 0 else None


def _shown(shapes: Sequence[tuple[int | None, ...]]) -> str:
    """Such as `(any, 224, 224, 3)`."""
    return " and ".join(f"({', '.join(str(side or 'any') for side in shape)})" for shape in shapes) or "nothing"


def _filled(images: np.ndarray, batch: int) -> np.ndarray:
    missing = batch - len(images)
    return np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)]) if missing else images
