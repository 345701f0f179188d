"""Model files that are either whole or absent, be they one file, two, or a folder."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kerastrash.errors import FileError


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
