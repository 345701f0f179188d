"""Writes a model as ONNX."""

from pathlib import Path

import keras
import onnx

from kerastrash.backends import torch_export
from kerastrash.export.description import KEY, Description


def write_onnx(model: keras.Model, path: Path, description: Description) -> None:
    """Writes the model as an ONNX file of any batch size: `image` float32 to `logits` or `probabilities` float32.

    In float16 the weights and all arithmetic between are so. The description is the metadata property `kerastrash`.
    """
    torch_export.write_onnx(model, path, description.softmax)
    net = onnx.load(path)
    if description.precision == "float16":
        from onnxruntime.transformers.float16 import convert_float_to_float16  # float32 files need no onnxruntime

        net = convert_float_to_float16(net, keep_io_types=True)
    onnx.helper.set_model_props(net, {KEY: description.to_json()})
    onnx.save(net, path)
