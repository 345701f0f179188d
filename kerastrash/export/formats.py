"""The formats a net is shipped in: what their files are called, and what must be installed to read or write them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.errors import ModelError

FormatName = Literal["keras", "onnx", "openvino", "litert", "torch", "saved_model"]


@dataclass(frozen=True)
class Format:
    """One format: its files' suffix, and the extra of kerastrash that brings its runtime."""

    name: FormatName
    suffix: str
    """Of the file; empty for a SavedModel, which is a folder."""
    extra: str | None
    """`pip install "kerastrash[EXTRA]"`; None where the core dependencies are enough."""
    runtime: str
    """The runtime's own name, for tables."""


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("keras", ".keras", None, "Keras"),
        Format("onnx", ".onnx", "onnx", "ONNX Runtime"),
        Format("openvino", ".xml", "openvino", "OpenVINO"),
        Format("litert", ".tflite", "litert", "LiteRT"),
        Format("torch", ".pt2", None, "torch.export"),
        Format("saved_model", "", "tensorflow", "TensorFlow"),
    )
}


def format_of(path: Path) -> Format:
    """The format of a file by its suffix, or of a folder that holds a SavedModel.

    Raises:
        ModelError: nothing is there, or its suffix belongs to no format.
    """
    if (path / "saved_model.pb").is_file():
        return FORMATS["saved_model"]
    for entry in FORMATS.values():
        if entry.suffix and path.suffix == entry.suffix:
            return entry
    if not path.exists():
        raise ModelError(f"{path}: no such file; check the path of the model")
    known = ", ".join(entry.suffix for entry in FORMATS.values() if entry.suffix)
    raise ModelError(f"{path}: of no known format; give a file named {known}, or the folder of a SavedModel")
