"""Writes a model in a format, whole or not at all."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import filelock
import keras

from kerastrash.errors import FileError, KerastrashError, ModelError
from kerastrash.export.format import Description
from kerastrash.export.formats import (
    DIGESTS,
    FORMATS,
    FormatName,
    check_precision,
    open_runtime,
    read_sidecar,
    sidecar_path,
)
from kerastrash.export.keras_file import keras_runtime
from kerastrash.export.open_net import OpenNet
from kerastrash.models.builder import gives_probabilities, in_float32, without_softmax
from kerastrash.models.saved import save_model
from kerastrash.processes import ending

STAGED, LOCK = ".staged", ".lock"


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Yields a path of the same name in a temporary folder beside; moves all that is there into place at the end.

    What lies in the temporary folder beside the yielded path (an OpenVINO model's weights, a sidecar) moves along with
    it, and before it: while `path` is there, so are the files it needs. What a process that was killed has left is
    removed by the next one that writes into the same folder.

    Raises:
        FileError: the folder cannot be written, the disk is full, or `path` is a folder of something else; what stood
            at `path` stays.
    """
    if path.is_dir() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise FileError(f"{path}: a folder with other files; choose another name for the model")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        with _own_folder(path) as folder:
            yield folder / path.name
            _move(folder, path)
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"{path}: cannot be written ({reason}); free the disk or choose another folder") from error


@contextlib.contextmanager
def _own_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside the path, locked for as long as it is in use."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=STAGED, dir=path.parent))
        lock = filelock.FileLock(folder / LOCK, timeout=0)
        with contextlib.suppress(filelock.Timeout):  # another process took it for one that was left
            lock.acquire()
            break
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _sweep(folder: Path) -> None:
    """Removes temporary folders whose process is gone, and its lock with it."""
    for left in folder.glob(f".*{STAGED}"):
        with contextlib.suppress(filelock.Timeout), filelock.FileLock(left / LOCK, timeout=0):
            shutil.rmtree(left, ignore_errors=True)


def _move(folder: Path, path: Path) -> None:
    others = [entry for entry in folder.iterdir() if entry.name not in (path.name, LOCK)]
    _remove_digests(path)
    if path.is_dir():
        shutil.rmtree(path)
    elif others:
        path.unlink(missing_ok=True)
    for entry in others:
        entry.replace(path.with_name(entry.name))
    (folder / path.name).replace(path)


def _remove_digests(path: Path) -> None:
    """Removes the sidecar of the earlier file, with which the new one would be refused."""
    with contextlib.suppress(ModelError):
        if DIGESTS in read_sidecar(path):
            sidecar_path(path).unlink()


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
    FORMATS[name].check_packages(opening=False)
    with staged(path) as place:
        write_unstaged(model, name, place, description)
    return path


def write_unstaged(model: keras.Model, name: FormatName, path: Path, description: Description) -> None:
    """`write_model` without its checks, and straight to the path: into a folder that `staged` gives."""
    backend = FORMATS[name].backend
    description = replace(description, softmax=description.softmax or gives_probabilities(model))
    with keras.device("cpu"):
        model = without_softmax(in_float32(model))
        if backend in (None, keras.backend.backend()):
            convert(model, name, path, description)
        else:
            write_elsewhere(model, name, path, description, backend)


def write_elsewhere(model: keras.Model, name: FormatName, path: Path, description: Description, backend: str) -> None:
    """Writes the model in another process, whose Keras runs on `backend`; what that process prints is hidden.

    Raises:
        KerastrashError: as the other process raised it.
        ModelError: the other process died.
    """
    source, answer = path.with_name(".source.keras"), path.with_name(".answer")
    save_model(model, source)
    done = subprocess.run(
        [sys.executable, "-m", "kerastrash.export.worker", name, source, path, description.to_json(), answer],
        env=os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise ModelError(answer.read_text("utf-8") if answer.exists() else _last_words(name, backend, done))
    source.unlink()


def _last_words(name: FormatName, backend: str, done: subprocess.CompletedProcess[str]) -> str:
    """For a process that died without an answer."""
    printed = (done.stderr or done.stdout).strip().splitlines() or ["it printed nothing"]
    return f"{name}: the process that writes it on {backend} ended with {ending(done.returncode)}: {printed[-1]}"


def convert(model: keras.Model, name: FormatName, path: Path, description: Description) -> None:
    """The format's `write`; raises ModelError for whatever the converter raises."""
    try:
        FORMATS[name].write(model, path, description)
    except (KerastrashError, OSError):
        raise
    except Exception as error:  # each converter raises what it likes
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(
            f"{model.name}: this net cannot be written as {name} ({reason}); choose another format"
        ) from error


def open_as(model: keras.Model, name: FormatName, threads: int = 1) -> OpenNet:
    """Opens a model in the runtime of a format, by way of a temporary file; in Keras itself for `keras`.

    Raises:
        ConfigError: the format's extra is not installed.
    """
    if name == "keras":
        return keras_runtime(model)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        return open_runtime(write_model(model, name, Path(folder) / f"model{FORMATS[name].suffix}"), threads)
