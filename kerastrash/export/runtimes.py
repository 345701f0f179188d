"""Opens a model file in the runtime of its format, imported then: reading ONNX needs neither Keras nor torch."""

from pathlib import Path

from kerastrash.errors import ModelError, require
from kerastrash.export.formats import extra, format_of
from kerastrash.export.nets import OpenNet

_OPENERS = {
    "keras": ("keras_file", "keras_runtime"),
    "onnx": ("onnx", "onnx_runtime"),
    "openvino": ("openvino", "openvino_runtime"),
    "litert": ("litert", "litert_runtime"),
    "torch": ("torch_program", "torch_runtime"),
    "saved_model": ("saved_model", "saved_model_runtime"),
}
"""By format: the file here, and the function in it."""


def open_runtime(path: Path | str, threads: int = 1) -> OpenNet:
    """Opens a model file in the runtime of its format.

    Open only files from somebody you trust: `.pt2` files and SavedModels hold programs, which may do more than
    compute. The others hold nothing that runs.

    Args:
        path: a file whose suffix says its format, or the folder of a SavedModel.
        threads: of one operation on the processor; operations run one after the other. Keras, torch and TensorFlow
            keep one number for the whole process.

    Returns:
        The net for any number of images, uint8 or float; what the file fixes or wants otherwise is seen to.

    Raises:
        ConfigError: the format's extra is not installed, or the threads cannot be set.
        ModelError: the file is missing, damaged, or no classifier of square images.
    """
    path = Path(path)
    require(threads >= 1, "threads", threads, "must be at least 1")
    entry = format_of(path)
    if not path.exists():
        raise ModelError(f"{path}: no such file; check the path of the model")
    module, function = _OPENERS[entry.name]
    net = getattr(extra(f"kerastrash.export.{module}", entry.extra), function)(path, threads)
    names = net.description.classes
    if names and len(names) != net.classes:
        raise ModelError(f"{path}: names {len(names)} classes but gives {net.classes} outputs; export the model again")
    return net
