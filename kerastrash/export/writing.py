"""Writes a model in a format, whole or not at all; the module of the format is imported then."""

import contextlib
import importlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras

from kerastrash.errors import FileError, KerastrashError, ModelError
from kerastrash.export.description import Description
from kerastrash.export.formats import FORMATS, FormatName, check_packages, check_precision
from kerastrash.export.graph import gives_probabilities, in_float32, without_softmax
from kerastrash.export.keras_file import keras_runtime
from kerastrash.export.nets import OpenNet
from kerastrash.export.runtimes import open_runtime
from kerastrash.export.worker import write_elsewhere


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Yields a path of the same name in a temporary folder beside; moves all that is there into place at the end.

    What lies in the temporary folder beside the yielded path (an OpenVINO model's weights, a sidecar) moves along with
    it, and before it: while `path` is there, so are the files it needs.

    Raises:
        FileError: the folder cannot be written, the disk is full, or `path` is a folder of something else; what stood
            at `path` stays.
    """
    check_replaceable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield folder / path.name
        _move(folder, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_replaceable(path: Path) -> None:
    """Raises FileError where `path` is a folder that holds something else than a SavedModel."""
    if path.is_dir() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise FileError(f"{path}: a folder with other files; choose another name for the model")


def _move(folder: Path, path: Path) -> None:
    others = [entry for entry in folder.iterdir() if entry.name != path.name]
    if path.is_dir() or others:
        _remove(path)
    for entry in others:
        entry.replace(path.with_name(entry.name))
    (folder / path.name).replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> FileError:
    return FileError(f"{path}: cannot be written ({error.strerror or error}); free the disk or choose another folder")


_WRITERS = {
    "keras": ("kerastrash.export.keras_file", "write_keras", None),
    "onnx": ("kerastrash.export.onnx", "write_onnx", "torch"),
    "openvino": ("kerastrash.export.openvino", "write_openvino", None),
    "litert": ("kerastrash.export.litert", "write_litert", "tensorflow"),
    "torch": ("kerastrash.export.torch_program", "write_torch", "torch"),
    "saved_model": ("kerastrash.export.saved_model", "write_saved_model", "tensorflow"),
}
"""Module, function, and the Keras backend that it needs; where another one is active, a process of its own has it."""


def write_model(model: keras.Model, name: FormatName, path: Path | str, description: Description | None = None) -> Path:
    """Writes the model in a format, atomically, unchecked (`export_model` also checks it), and returns its path.

    Args:
        model: of any dtype policy; it is rebuilt in float32 on the processor first.
        description: kept in the file. Its `softmax` puts one into the net, where there is none yet.

    Raises:
        ConfigError: the format's packages are not installed, or it has no such precision.
        ModelError: the net cannot be written in this format.
        FileError: the file cannot be written.
    """
    path, description = Path(path), description or Description()
    check_precision(name, description.precision)
    check_packages(name, writing_only=True)
    module, function, backend = _WRITERS[name]
    with staged(path) as place, keras.device("cpu"):
        description = replace(description, softmax=description.softmax or gives_probabilities(model))
        model = without_softmax(in_float32(model))
        try:
            if backend in (None, keras.backend.backend()):
                getattr(importlib.import_module(module), function)(model, place, description)
            else:
                write_elsewhere(model, name, place, description, backend)
        except (KerastrashError, OSError):
            raise
        except Exception as error:  # each converter raises what it likes
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise ModelError(
                f"{model.name}: this net cannot be written as {name} ({reason}); choose another format"
            ) from error
    return path


def open_as(model: keras.Model, name: FormatName, threads: int = 1) -> OpenNet:
    """Opens a model in the runtime of a format, by way of a temporary file; in Keras itself for `keras`.

    Raises:
        ConfigError: the format's extra is not installed.
    """
    if name == "keras":
        return keras_runtime(model)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        return open_runtime(write_model(model, name, Path(folder) / f"model{FORMATS[name].suffix}"), threads)
