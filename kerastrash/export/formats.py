"""The formats a net is shipped in: suffixes, precisions, and the packages that write and open them."""

import importlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.description import Precision

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


def extra(module: str, name: str | None) -> ModuleType:
    """Imports a module that the extra `name` brings, or one of ours that needs it.

    Args:
        name: of the extra; None where what is needed comes with kerastrash itself.

    Raises:
        ConfigError: a package is not installed, or cannot be imported; the message has the line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        needed = error.name or module
        fault = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
        package = f'"kerastrash[{name}]"' if name else needed.partition(".")[0]
        raise ConfigError(f"{needed} {fault}: run pip install {package}") from error


PRECISIONS: dict[FormatName, tuple[Precision, ...]] = {
    "keras": ("float32",),
    "onnx": ("float32", "float16"),
    "openvino": ("float32", "float16"),
    "litert": ("float32", "float16"),
    "torch": ("float32",),
    "saved_model": ("float32",),
}

_WRITING = {
    "onnx": {"onnx": "onnx"},
    "openvino": {"openvino": "openvino", "onnx": "onnx"},
    "litert": {"tensorflow": "tensorflow"},
    "saved_model": {"tensorflow": "tensorflow"},
}
"""Modules by format, each with the extra that brings it."""

_OPENING = {
    "onnx": {"onnxruntime": "onnx"},
    "openvino": {"openvino": "openvino"},
    "litert": {"ai_edge_litert": "litert"},
    "saved_model": {"tensorflow": "tensorflow"},
}


def check_precision(name: FormatName, precision: Precision) -> None:
    """Raises ConfigError where a model alone cannot be written so in the format."""
    if precision == "int8":
        raise ConfigError("precision='int8' needs training images, and is judged by its F1: use scripts/quantise.py")
    if precision not in PRECISIONS[name]:
        formats = [other for other, precisions in PRECISIONS.items() if precision in precisions]
        raise ConfigError(f"precision={precision!r} is not for {name}: choose float32, or one of {', '.join(formats)}")


def check_packages(name: FormatName, writing_only: bool = False) -> None:
    """Raises ConfigError, with the line that installs them, where packages to write (and open) a format are missing."""
    line = missing_packages(name, writing_only)
    if line:
        raise ConfigError(f"{name} needs packages that are not installed: run {line}")


def missing_packages(name: FormatName, writing_only: bool = False) -> str | None:
    """The line that installs what writing (and opening) a format lacks here; None where nothing lacks."""
    needed = _WRITING.get(name, {}) | ({} if writing_only else _OPENING.get(name, {}))
    extras = [extra for module, extra in needed.items() if importlib.util.find_spec(module) is None]
    return f'pip install "kerastrash[{",".join(dict.fromkeys(extras))}]"' if extras else None


def versions(name: FormatName) -> dict[str, str]:
    """The versions of the packages that write and open a format."""
    modules = dict.fromkeys(("kerastrash", "keras", "torch", *_WRITING.get(name, {}), *_OPENING.get(name, {})))
    return {module: importlib.metadata.version(module) for module in modules}
