"""Writes a model as OpenVINO's intermediate representation, by way of ONNX."""

from dataclasses import replace
from pathlib import Path

import keras
import openvino

from kerastrash.export.description import KEY, Description
from kerastrash.export.writers import write_model


def write_openvino(model: keras.Model, path: Path, description: Description) -> None:
    """Writes the model as an `.xml` file of any batch size, and its weights as a `.bin` file beside it.

    In float16 the weights are so, and the device computes as it likes. The description is the runtime information
    `kerastrash`.
    """
    step = path.with_suffix(".onnx")
    net = openvino.Core().read_model(write_model(model, "onnx", step, replace(description, precision="float32")))
    net.set_rt_info(description.to_json(), KEY)
    openvino.save_model(net, path, compress_to_fp16=description.precision == "float16")
    step.unlink()
