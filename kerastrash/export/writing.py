"""Writes a model in a format, whole or not at all."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras

from kerastrash.errors import FileError, KerastrashError, ModelError, told
from kerastrash.export import formats
from kerastrash.export.format import Description, OpenNet
from kerastrash.export.formats import FORMATS, FormatName
from kerastrash.export.keras_file import keras_runtime
from kerastrash.files import staged
from kerastrash.models.builder import gives_probabilities, in_float32, without_softmax
from kerastrash.models.saved import open_model, save_model
from kerastrash.processes import Child, ChildError


@contextlib.contextmanager
def staged_model(path: Path) -> Iterator[Path]:
    """`files.staged` for a model: a sidecar that is not written anew goes, as the new file would be refused with it.

    Raises:
        FileError: the folder cannot be written, the disk is full, or `path` is a folder of something else; what stood
            at `path` stays.
    """
    if path.is_dir() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise FileError(f"{path}: a folder with other files; choose another name for the model")
    with staged(path) as temporary:
        yield temporary
        with contextlib.suppress(ModelError):
            if formats.DIGESTS in formats.read_sidecar(path):
                formats.sidecar_path(path).unlink()


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
    formats.check_precision(name, description.precision)
    FORMATS[name].check_packages(opening=False)
    with staged_model(path) as temporary:
        write_unstaged(model, name, temporary, description)
    return path


def write_unstaged(model: keras.Model, name: FormatName, path: Path, description: Description) -> None:
    """`write_model` without its checks, and straight to the path: into a folder that `staged_model` gives."""
    backend = FORMATS[name].backend
    description = replace(description, softmax=description.softmax or gives_probabilities(model))
    with keras.device("cpu"):
        model = without_softmax(in_float32(model))
        if backend in (None, keras.backend.backend()):
            _convert(model, name, path, description)
        else:
            write_elsewhere(model, name, path, description, backend)


def write_elsewhere(model: keras.Model, name: FormatName, path: Path, description: Description, backend: str) -> None:
    """Writes the model in another process, whose Keras runs on `backend`; what that process prints is hidden.

    Raises:
        KerastrashError: as the other process raised it.
        ModelError: the other process died, or Keras does not start there.
    """
    source = path.with_name(f".{path.name}.source.keras")
    save_model(model, source)
    with Child({"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1"}, hidden=True) as child:
        try:
            child.call("kerastrash.export.writing:_convert", source, name, path, description)
        except ChildError as error:
            raise ModelError(f"{name}: cannot be written with Keras on {backend} ({error})") from error
    source.unlink()


def _convert(model: keras.Model | Path, name: FormatName, path: Path, description: Description) -> None:
    """The format's `write` of a model, or of a file of it; raises ModelError for whatever the converter raises."""
    model = open_model(model) if isinstance(model, Path) else model
    try:
        FORMATS[name].write(model, path, description)
    except (KerastrashError, OSError):
        raise
    except Exception as error:  # each converter raises what it likes
        raise ModelError(
            f"{model.name}: this net cannot be written as {name} ({told(error)}); choose another format"
        ) from error


def open_as(model: keras.Model, name: FormatName, threads: int = 1) -> OpenNet:
    """Opens a model in the runtime of a format, by way of a temporary file; in Keras itself for `keras`.

    Raises:
        ConfigError: the format's extra is not installed.
    """
    if name == "keras":
        return keras_runtime(model)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        return formats.open_runtime(write_model(model, name, Path(folder) / f"model{FORMATS[name].suffix}"), threads)
