"""ONNX: written by PyTorch, run in ONNX Runtime on the processor."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from kerastrash.export.description import KEY, Description
from kerastrash.export.nets import OpenNet, as_dtype, cannot_open, in_pieces, signature_of
from kerastrash.runs import processor_name

if TYPE_CHECKING:
    import keras


def write_onnx(model: "keras.Model", path: Path, description: Description) -> None:
    """Writes the model as an ONNX file of any batch size: `image` float32 to `logits` or `probabilities` float32.

    In float16 the weights and all arithmetic between are so. The description is the metadata property `kerastrash`.
    """

    import onnx  # what only opens files needs neither it nor Keras

    from kerastrash.backends.torch import files

    files.write_onnx(model, path, description.softmax)
    net = onnx.load(path)
    if description.precision == "float16":
        from onnxruntime.transformers.float16 import convert_float_to_float16  # float32 files need no onnxruntime

        net = convert_float_to_float16(net, keep_io_types=True)
    onnx.helper.set_model_props(net, {KEY: description.to_json()})
    onnx.save(net, path)


ERRORS_ONLY = 3
TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}


def onnx_runtime(path: Path, threads: int) -> OpenNet:
    """Opens an `.onnx` file; see `open_runtime`.

    Raises:
        ModelError: the file is damaged, or no classifier of square images.
    """
    session = _open_session(path, threads)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    dtype = TYPES.get(inputs[0].type, inputs[0].type) if inputs else ""
    signature = signature_of(path, [entry.shape for entry in inputs], [entry.shape for entry in outputs], dtype)
    name = inputs[0].name

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {name: as_dtype(images, dtype)})[0], "float32")

    return OpenNet(
        name="onnxruntime",
        input_size=signature.size,
        classes=signature.classes,
        device=processor_name(),
        run=in_pieces(run, signature.batch),
        description=Description.from_json(session.get_modelmeta().custom_metadata_map.get(KEY), path),
    )


def _open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        raise cannot_open(path, "ONNX Runtime", error) from error
