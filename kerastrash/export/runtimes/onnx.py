"""Runs an ONNX file in ONNX Runtime on the processor."""

from pathlib import Path

import numpy as np

from kerastrash.backends.processor import processor_name
from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.extras import extra
from kerastrash.export.open_net import OpenNet


def onnx_runtime(path: Path | str, threads: int = 1) -> OpenNet:
    """Opens an `.onnx` file in ONNX Runtime on the processor.

    Args:
        threads: of one operation; operations run one after the other.

    Raises:
        ConfigError: the onnx extra is not installed, or `threads` is below 1.
        ModelError: the file is missing or no ONNX classifier of square images.
    """
    if threads < 1:
        raise ConfigError(f"threads={threads} is below 1: give the number of processor threads to use, 1 or more")
    session = _open_session(Path(path), threads)
    (entry,), (answer,) = session.get_inputs(), session.get_outputs()

    def run(images: np.ndarray) -> np.ndarray:
        return session.run(None, {entry.name: np.asarray(images, "float32")})[0]

    return OpenNet("onnxruntime", entry.shape[1], answer.shape[1], processor_name(), run)


def _open_session(path: Path, threads: int):
    runtime = extra("onnxruntime", "onnx")
    if not path.is_file():
        raise ModelError(f"{path}: no such file; check the path of the ONNX model")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors only
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        reason = str(error).strip()[:200]
        raise ModelError(f"{path}: ONNX Runtime cannot open it ({reason}); export it again") from error
    shapes = [value.shape for value in (*session.get_inputs(), *session.get_outputs())]
    if [len(shape) for shape in shapes] != [4, 2] or not all(isinstance(side, int) for side in shapes[0][1:]):
        raise ModelError(f"{path}: its shapes are {shapes}; give a net from (batch, size, size, 3) to (batch, classes)")
    return session
