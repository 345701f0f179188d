"""What each format can hold, and which packages write and open it."""

import importlib.metadata
import importlib.util

from kerastrash.errors import ConfigError
from kerastrash.export.description import Precision
from kerastrash.export.formats import FormatName

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
