"""LiteRT, formerly TensorFlow Lite: written by TensorFlow, run by its own interpreter on the processor."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerastrash.backends import Inference, OpenedFile
from kerastrash.errors import ModelError
from kerastrash.export.format import KEY, Description, Format, KerasModel, OpenNet, classifier

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


def write_litert(model: KerasModel, path: Path, description: Description) -> None:
    """Writes a `.tflite` file of LiteRT's own operations only, a zip archive with the description joined to its end.

    In float16 the weights are so.
    """
    from kerastrash.backends import tensorflow
    from kerastrash.models.builder import with_softmax
    from kerastrash.models.saved import add_description

    net = with_softmax(model) if description.softmax else model
    tensorflow.write_litert(net, path, half=description.precision == "float16")
    add_description(path, description.to_json())


def open_litert(path: Path, threads: int) -> OpenNet:
    """Opens a `.tflite` file, of floating-point or quantised inputs and outputs.

    Raises:
        ModelError: it is no LiteRT file.
    """
    from ai_edge_litert.interpreter import Interpreter

    with path.open("rb") as stream:
        if stream.read(8)[4:] != b"TFL3":
            raise ModelError(f"{path}: no LiteRT file, which has TFL3 in bytes 4 to 8; export it again")
    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    opened = OpenedFile(
        run=_inference(interpreter, inputs, outputs),
        inputs=[port["shape_signature"] for port in inputs],
        outputs=[port["shape_signature"] for port in outputs],
        dtype=("float32" if inputs[0]["quantization"][0] else np.dtype(inputs[0]["dtype"]).name) if inputs else "",
        text=_joined_description(path),
    )
    net = classifier(path, "litert", opened)
    net(np.zeros((1, net.input_size, net.input_size, 3), "uint8"))  # a damaged net is found here
    return net


def _inference(interpreter: "Interpreter", inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> Inference:
    """Runs batches of any size; the input is resized when the number of images changes."""
    batch = 0

    def run(images: np.ndarray) -> np.ndarray:
        nonlocal batch
        entry, answer = inputs[0], outputs[0]
        if len(images) != batch:
            interpreter.resize_tensor_input(entry["index"], images.shape, strict=True)
            interpreter.allocate_tensors()
            batch = len(images)
        scale, zero = entry["quantization"]
        if scale:
            limits = np.iinfo(entry["dtype"])
            images = np.rint(images / np.float32(scale) + zero).clip(limits.min, limits.max).astype(limits.dtype)
        interpreter.set_tensor(entry["index"], images)
        interpreter.invoke()
        found = np.asarray(interpreter.get_tensor(answer["index"]), "float32")
        scale, zero = answer["quantization"]
        return (found - zero) * np.float32(scale) if scale else found

    return run


def _joined_description(path: Path) -> bytes:
    """What the zip archive at the file's end says; nothing without one: the net before it is whole all the same."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(f"{KEY}.json")
    except Exception:  # zipfile raises nearly anything over something else than a whole archive
        return b""


LITERT = Format(
    name="litert", suffix=".tflite", runtime="LiteRT", write=write_litert, open=open_litert, backend="tensorflow",
    precisions=("float32", "float16"), writing={"tensorflow": "tensorflow"}, opening={"ai_edge_litert": "litert"},
)  # fmt: skip
