"""Files that are either whole or absent: written beside their place, then renamed into it."""

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kerastrash.errors import FileError

TEMPORARY = ".part-"
"""How the names of files begin that are being written; the rest is random, and the name that they will have."""


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yields a temporary path with the same suffixes; renames it to `path` when the block ends without an error.

    What a killed process leaves is removed by `remove_temporaries`.

    Raises:
        FileError: the folder cannot be written or the disk is full; `path` keeps its earlier content.
    """
    path = Path(path)
    with _writing(path):
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=f".{path.name}", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Makes the path's folder; an OSError then, or in the block, is a FileError that names the path."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"{path}: cannot be written ({reason}); free the disk or choose another folder") from error


def remove_temporaries(folder: Path) -> None:
    """Removes what was being written in the folder, or below it, when a process was killed.

    To be called by the one process that works there. What is `staged` below stays: another process may be exporting.
    """
    for left in folder.rglob(f"{TEMPORARY}*"):
        if not any(above.name.endswith(STAGED) for above in left.parents):
            left.unlink(missing_ok=True)


STAGED, STAGED_LOCK = ".staged", ".lock"


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Yields a path of the same name in a temporary folder beside; moves all that is there into place at the end.

    What lies beside the yielded path moves along with it, and before it: while `path` is there, so are the files it
    needs. What a process that was killed has left is removed by the next one that writes into the same folder.

    Raises:
        FileError: the folder cannot be written or the disk is full; what stood at `path` stays.
    """
    import filelock  # not with this module: what opens exported files alone has none

    with _writing(path), contextlib.ExitStack() as held:
        for left in path.parent.glob(f".*{STAGED}"):
            with contextlib.suppress(TimeoutError), filelock.FileLock(left / STAGED_LOCK, timeout=0):
                shutil.rmtree(left, ignore_errors=True)  # its process is gone, and its lock with it
        while True:
            folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=STAGED, dir=path.parent))
            with contextlib.suppress(TimeoutError):  # another process took it for one that was left
                held.enter_context(filelock.FileLock(folder / STAGED_LOCK, timeout=0))
                break
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder / path.name
        others = [entry for entry in folder.iterdir() if entry.name not in (path.name, STAGED_LOCK)]
        if path.is_dir():
            shutil.rmtree(path)
        elif others:
            path.unlink(missing_ok=True)
        for entry in others:
            entry.replace(path.with_name(entry.name))
        (folder / path.name).replace(path)


def copy_file(origin: Path, path: Path) -> None:
    """Copies the content of a file atomically."""
    with atomic_path(path) as temporary:
        shutil.copyfile(origin, temporary)


def sha256(path: Path) -> str:
    """The digest of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text(path: Path | str, text: str) -> None:
    """Writes UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Writes JSON atomically, two spaces deep, NaN refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path | str, error: type[Exception] = FileError) -> Any:
    """Reads a JSON file; raises `error` with a sentence when it is missing, unreadable or malformed."""
    text = _read_text(Path(path), error)
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as cause:  # also nested too deeply, or a number of thousands of digits
        raise error(f"{path}: not valid JSON ({cause}); export the file again") from cause


def read_yaml(path: Path | str, error: type[Exception] = FileError) -> Any:
    """Reads a YAML file of plain values; raises `error` with a sentence when it is missing, unreadable or malformed."""
    text = _read_text(Path(path), error)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as cause:
        mark = getattr(cause, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        reason = getattr(cause, "problem", None) or cause
        raise error(f"{path}: not valid YAML{line} ({reason}); correct it there") from cause


MAX_TEXT = 2**29
"""Bytes. COCO's largest annotation file has 469 MB; parsed, text takes about eight times its size."""


def _read_text(path: Path, error: type[Exception]) -> str:
    try:
        if path.stat().st_size > MAX_TEXT:
            size = f"{path.stat().st_size / 1e9:.1f} GB"
            raise error(f"{path}: is {size}, the limit is {MAX_TEXT / 1e9:.1f} GB; divide it into several files")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise error(f"{path}: no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as cause:
        raise error(f"{path}: cannot be read ({cause}); give a text file that this user may read") from cause


def write_csv(path: Path | str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Writes rows atomically under `columns`, or all that they have; a missing value is an empty cell."""
    text = io.StringIO()
    columns = columns or list(dict.fromkeys(column for row in rows for column in row))
    writer = csv.DictWriter(text, fieldnames=columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_csv(path: Path | str) -> list[dict[str, str]]:
    """Reads a CSV file as a list of rows; an absent file is an empty list."""
    path = Path(path)
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
