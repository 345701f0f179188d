"""OpenVINO's intermediate representation: written by way of ONNX, run on the processor."""

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import openvino

from kerastrash.errors import ModelError
from kerastrash.export.description import KEY, Description
from kerastrash.export.nets import OpenNet, Shape, as_dtype, cannot_open, in_pieces, signature_of
from kerastrash.runs import processor_name

if TYPE_CHECKING:
    import keras


def write_openvino(model: "keras.Model", path: Path, description: Description) -> None:
    """Writes the model as an `.xml` file of any batch size, and its weights as a `.bin` file beside it.

    In float16 the weights are so, and the device computes as it likes. The description is the runtime information
    `kerastrash`.
    """

    from kerastrash.export.writing import write_model  # what only opens files needs no Keras

    step = path.with_suffix(".onnx")
    net = openvino.Core().read_model(write_model(model, "onnx", step, replace(description, precision="float32")))
    net.set_rt_info(description.to_json(), KEY)
    openvino.save_model(net, path, compress_to_fp16=description.precision == "float16")
    step.unlink()


COMPILED = 8
"""Batch sizes kept compiled."""


def openvino_runtime(path: Path, threads: int) -> OpenNet:
    """Opens an `.xml` file and the `.bin` file beside it; see `open_runtime`.

    Each batch size is compiled on its first use: for a fixed one OpenVINO is up to 1.7 times faster than for any.

    Raises:
        ModelError: a file is missing or damaged, or no classifier of square images.
    """
    if not path.with_suffix(".bin").is_file():
        raise ModelError(f"{path}: its weights, {path.with_suffix('.bin').name}, are not beside it; copy both files")
    core, net = _read(path, threads)
    dtype = net.inputs[0].element_type.to_dtype().name if net.inputs else ""
    signature = signature_of(path, [_shape(port) for port in net.inputs], [_shape(port) for port in net.outputs], dtype)

    @functools.lru_cache(COMPILED)
    def request(batch: int) -> openvino.InferRequest:
        fixed = net.clone()
        fixed.reshape([batch, signature.size, signature.size, 3])
        return core.compile_model(fixed, "CPU").create_infer_request()

    def run(images: np.ndarray) -> np.ndarray:
        answer = request(len(images)).infer([as_dtype(images, dtype)], share_inputs=True)
        return np.asarray(answer[0], "float32")

    try:
        request(signature.batch or 1)
    except RuntimeError as error:
        raise cannot_open(path, "OpenVINO", error) from error
    return OpenNet(
        name="openvino",
        input_size=signature.size,
        classes=signature.classes,
        device=processor_name(),
        run=in_pieces(run, signature.batch),
        description=_description(net, path),
    )


def _read(path: Path, threads: int) -> tuple[openvino.Core, openvino.Model]:
    core = openvino.Core()
    properties = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "EXECUTION_MODE_HINT": "ACCURACY",  # in the file's own precision: not in bfloat16, where the processor has it
    }
    core.set_property("CPU", properties)
    try:
        return core, core.read_model(path)
    except RuntimeError as error:
        raise cannot_open(path, "OpenVINO", error) from error


def _shape(port: openvino.Output) -> Shape:
    shape = port.partial_shape
    return [side.get_length() if side.is_static else None for side in shape] if shape.rank.is_static else []


def _description(net: openvino.Model, path: Path) -> Description:
    text = net.get_rt_info(KEY).astype(str) if net.has_rt_info(KEY) else None
    return Description.from_json(text, path)
