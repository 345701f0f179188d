"""OpenVINO's intermediate representation: written by way of ONNX, run on the processor."""

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerastrash.backends import OpenedFile
from kerastrash.errors import ModelError
from kerastrash.export.format import KEY, Description, Format, KerasModel, OpenNet, classifier
from kerastrash.export.onnx import ONNX

if TYPE_CHECKING:
    import openvino

WEIGHTS = ".bin"
COMPILED = 8
"""Batch sizes kept compiled."""


def write_openvino(model: KerasModel, path: Path, description: Description) -> None:
    """Writes an `.xml` file, with the description as the runtime information `kerastrash`, and its weights beside it.

    In float16 the weights are so, and the device computes as it likes.
    """
    import openvino

    step = path.with_suffix(ONNX.suffix)
    ONNX.write(model, step, replace(description, precision="float32"))
    net = openvino.Core().read_model(step)
    net.set_rt_info(description.to_json(), KEY)
    openvino.save_model(net, path, compress_to_fp16=description.precision == "float16")
    step.unlink()


def open_openvino(path: Path, threads: int) -> OpenNet:
    """Opens an `.xml` file and the `.bin` file beside it.

    Each batch size is compiled on its first use: for a fixed one OpenVINO is up to 1.7 times faster than for any.

    Raises:
        ModelError: the `.bin` file is missing.
    """
    import openvino

    if not path.with_suffix(WEIGHTS).is_file():
        raise ModelError(f"{path}: its weights, {path.with_suffix(WEIGHTS).name}, are not beside it; copy both files")
    core = openvino.Core()
    core.set_property("CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
        "EXECUTION_MODE_HINT": "ACCURACY",  # in the file's own precision: not in bfloat16, where the processor has it
    })  # fmt: skip
    net = core.read_model(path)

    @functools.lru_cache(COMPILED)
    def request(batch: int) -> "openvino.InferRequest":
        fixed = net.clone()
        fixed.reshape([batch, *_shape(net.inputs[0])[1:]])
        return core.compile_model(fixed, "CPU").create_infer_request()

    def run(images: np.ndarray) -> np.ndarray:
        return request(len(images)).infer([images], share_inputs=True)[0]

    opened = OpenedFile(
        run=run,
        inputs=[_shape(port) for port in net.inputs],
        outputs=[_shape(port) for port in net.outputs],
        dtype=net.inputs[0].element_type.to_dtype().name if net.inputs else "",
        text=net.get_rt_info(KEY).astype(str) if net.has_rt_info(KEY) else "",
    )
    found = classifier(path, "openvino", opened)
    request(_shape(net.inputs[0])[0] or 1)  # a damaged net is found here
    return found


def _shape(port: "openvino.Output") -> tuple[int | None, ...]:
    shape = port.partial_shape
    return tuple(side.get_length() if side.is_static else None for side in shape) if shape.rank.is_static else ()


OPENVINO = Format(
    name="openvino", suffix=".xml", runtime="OpenVINO", write=write_openvino, open=open_openvino, beside=(WEIGHTS,),
    precisions=("float32", "float16"), backend="torch",
    writing={"openvino": "openvino", "onnx": "onnx"}, opening={"openvino": "openvino"},
)  # fmt: skip
