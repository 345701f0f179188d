"""One file a runtime, imported when a file of its format is opened: reading ONNX needs neither Keras nor torch."""

import importlib
from pathlib import Path

from kerastrash.export.formats import format_of
from kerastrash.export.open_net import OpenNet

_OPENERS = {
    "keras": ("kerastrash.export.runtimes.keras_net", "keras_runtime"),
    "onnx": ("kerastrash.export.runtimes.onnx", "onnx_runtime"),
}


def open_runtime(path: Path | str, threads: int = 1) -> OpenNet:
    """Opens a model file in the runtime of its format.

    Args:
        threads: of one operation on the processor; Keras's are those of `backends.set_threads`.

    Raises:
        ConfigError: the format's extra is not installed.
        ModelError: the file is missing, damaged, or no classifier of square images.
    """
    module, function = _OPENERS[format_of(Path(path)).name]
    opener = getattr(importlib.import_module(module), function)
    return opener(path) if function == "keras_runtime" else opener(path, threads)
