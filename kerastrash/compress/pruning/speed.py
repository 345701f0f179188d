"""How long a net takes in ONNX Runtime: an image at a time, one thread, on this processor."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from kerastrash.data import Part
from kerastrash.export.open_net import OpenNet
from kerastrash.export.runtimes import open_runtime
from kerastrash.export.writers import write_model
from kerastrash.scoring.clocks import Timing, inference_times, spread

TIMED_IMAGES = 100


def onnx_net(model: keras.Model) -> OpenNet:
    """Opens a model in ONNX Runtime, in float32.

    Raises:
        ConfigError: packages are missing.
        ModelError: the net cannot be written as ONNX.
    """
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        return open_runtime(write_model(model, "onnx", Path(folder) / "net.onnx"), threads=1)


def times_in_turns(nets: Mapping[str, OpenNet], part: Part) -> dict[str, Timing]:
    """Times nets in turns on the same images, at most TIMED_IMAGES of a part."""
    images = np.asarray(part.images[np.asarray(part.indices)[spread(len(part), TIMED_IMAGES)]])
    return inference_times(nets, dict.fromkeys(nets, images))
