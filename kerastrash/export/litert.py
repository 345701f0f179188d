"""LiteRT, formerly TensorFlow Lite: written by TensorFlow, run by its own interpreter on the processor."""

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from kerastrash.errors import ModelError
from kerastrash.export.description import KEY, Description
from kerastrash.export.nets import Inference, OpenNet, Signature, as_dtype, cannot_open, in_pieces, signature_of
from kerastrash.runs import processor_name

if TYPE_CHECKING:
    import keras


def write_litert(model: "keras.Model", path: Path, description: Description) -> None:
    """Writes the model as a `.tflite` file of any batch size, of LiteRT's own operations only.

    In float16 the weights are so. A zip archive with the description is joined to the file's end.
    """

    from kerastrash.backends import tensorflow  # what only opens files needs no Keras
    from kerastrash.export.graph import with_softmax
    from kerastrash.models.saved import add_description

    net = with_softmax(model) if description.softmax else model
    tensorflow.write_litert(net, path, half=description.precision == "float16")
    add_description(path, description.to_json())


IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of each file."""
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What reading something else than a whole zip archive raises."""

Port = dict[str, Any]
"""What the interpreter says of an input or output."""


def litert_runtime(path: Path, threads: int) -> OpenNet:
    """Opens a `.tflite` file, of floating-point or quantised inputs and outputs; see `open_runtime`.

    Raises:
        ModelError: the file is damaged, or no classifier of square images.
    """
    interpreter = _open_interpreter(path, threads)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    shapes = ([port["shape_signature"] for port in ports] for ports in (inputs, outputs))
    signature = signature_of(path, *shapes, np.dtype(inputs[0]["dtype"]).name if inputs else "")
    run = _inference(interpreter, inputs[0], outputs[0], signature)
    try:
        run(np.zeros((signature.batch or 1, signature.size, signature.size, 3), "uint8"))
    except (RuntimeError, ValueError) as error:
        raise cannot_open(path, "LiteRT", error) from error
    return OpenNet(
        name="litert",
        input_size=signature.size,
        classes=signature.classes,
        device=processor_name(),
        run=in_pieces(run, signature.batch),
        description=Description.from_json(_joined_description(path), path),
    )


def _open_interpreter(path: Path, threads: int) -> Interpreter:
    with path.open("rb") as stream:
        if stream.read(8)[4:] != IDENTIFIER:
            raise ModelError(
                f"{path}: no LiteRT file, which has {IDENTIFIER.decode()} in bytes 4 to 8; export it again"
            )
    try:
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise cannot_open(path, "LiteRT", error) from error
    return interpreter


def _inference(interpreter: Interpreter, entry: Port, answer: Port, signature: Signature) -> Inference:
    """Runs batches of the signature's size, or of any, for which the input is resized when the number changes."""
    batch = signature.batch

    def run(images: np.ndarray) -> np.ndarray:
        nonlocal batch
        if len(images) != batch:
            interpreter.resize_tensor_input(entry["index"], (len(images), *images.shape[1:]), strict=True)
            interpreter.allocate_tensors()
            batch = len(images)
        interpreter.set_tensor(entry["index"], _quantised(images, entry))
        interpreter.invoke()
        return _dequantised(interpreter.get_tensor(answer["index"]), answer)

    return run


def _quantised(images: np.ndarray, entry: Port) -> np.ndarray:
    (scale, zero), dtype = entry["quantization"], np.dtype(entry["dtype"])
    if not scale or (scale, zero, dtype.name) == (1, 0, "uint8"):
        return as_dtype(images, dtype.name)
    limits = np.iinfo(dtype)
    return np.rint(images / np.float32(scale) + zero).clip(limits.min, limits.max).astype(dtype)


def _dequantised(outputs: np.ndarray, answer: Port) -> np.ndarray:
    scale, zero = answer["quantization"]
    outputs = np.asarray(outputs, "float32")
    return (outputs - zero) * np.float32(scale) if scale else outputs


def _joined_description(path: Path) -> bytes | None:
    """What the zip archive at the file's end says; None without one: the net before it is whole all the same."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(f"{KEY}.json")
    except UNREADABLE:
        return None
