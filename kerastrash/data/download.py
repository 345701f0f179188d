"""Photographs fetched in parallel: each whole and in its place, or named with the reason why not."""

import contextlib
import errno
import functools
import hashlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.pool import ThreadPool
from pathlib import Path

import filelock

from kerastrash.data.config import FetchConfig
from kerastrash.data.images import ImageError, Track, decode, read_bytes, untracked
from kerastrash.data.records import Frame
from kerastrash.data.web import Client, Unavailable
from kerastrash.errors import ConfigError, FileError
from kerastrash.files import read_json, write_json

STATE, PARTS = ".download", "parts"
"""Folder of the downloader's own files in the target folder; and in it, of files on their way, each fetched whole."""
DECODERS = threading.BoundedSemaphore(4)
"""Bounds the memory: a photograph of 24 megapixels takes 72 MB, whatever the number of connections."""
NAME_FAULTS = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EINVAL, errno.EILSEQ)
"""Errors of a single path. Every other one, a full disk first of all, ends the run."""


@dataclass(frozen=True)
class WantedPhotograph:
    """A photograph to be had; `reason` says why it is not, and is empty where nothing speaks against it."""

    file_name: str
    path: Path
    addresses: tuple[str, ...]
    frame: Frame | None
    """Width and height in pixels that it must have, as displayed or as stored."""
    reason: str = ""


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[Path]:
    """Claims the folder for this process, making it where it is absent; yields a folder for the downloader's state.

    Raises:
        FileError: the folder cannot be written or the disk is full; every file in its place is whole.
        ConfigError: another process is downloading into it.
    """
    state = folder / STATE
    try:
        state.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(state / "lock", timeout=0):
            shutil.rmtree(state / PARTS, ignore_errors=True)  # of a killed run
            yield state
    except filelock.Timeout:
        message = f"{folder}: another process is downloading there; wait for it or choose another --folder"
        raise ConfigError(message) from None
    except OSError as error:
        raise FileError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); "
            "free the disk or choose another --folder: the same command goes on where this one stopped"
        ) from error


def fetch_all(
    downloads: Sequence[WantedPhotograph], state: Path, config: FetchConfig, track: Track = untracked
) -> tuple[WantedPhotograph, ...]:
    """Fetches what is not there yet and returns what could not be had, each with its reason.

    A file that is there is taken where it is as an earlier run checked it, or else where it decodes to its frame.
    `state` is the folder that `claim` yields.
    """
    checked: dict[str, list] = {}
    with contextlib.suppress(FileError):  # without it files are decoded again, and not fetched
        checked = read_json(state / "checked.json")
    missing = [download for download in downloads if download.reason]
    wanted = [one for one in downloads if not one.reason and checked.get(one.file_name, "never") != _state_of(one)]
    before, stop = len(downloads) - len(missing) - len(wanted), threading.Event()
    obtain = functools.partial(_obtain, Client(config, stop), stop, state / PARTS)
    try:
        with ThreadPool(config.connections) as pool:
            outcomes = pool.imap_unordered(obtain, wanted)
            for ended in track(outcomes, "Fetching", "photographs", len(wanted) + before, before):
                if ended.reason:
                    missing.append(ended)
                else:
                    checked[ended.file_name] = _state_of(ended)
    finally:
        stop.set()
        write_json(state / "checked.json", checked)
    return tuple(sorted(missing, key=lambda download: download.file_name))


def _state_of(download: WantedPhotograph) -> list | None:
    with contextlib.suppress(OSError):
        status = download.path.stat()
        return [status.st_size, status.st_mtime_ns, download.frame and list(download.frame)]
    return None


def _obtain(client: Client, stop: threading.Event, parts: Path, download: WantedPhotograph) -> WantedPhotograph:
    """Takes the file that is there and fits, else fetches it; the download as it ended."""
    part = parts / hashlib.sha256(download.file_name.encode()).hexdigest()

    def check(path: Path) -> None:
        try:
            with DECODERS:
                decode(path, read_bytes(path), download.frame)
        except ImageError as fault:
            raise Unavailable(fault.reason) from fault

    try:
        if download.path.is_file():
            with contextlib.suppress(Unavailable):
                check(download.path)
                return download
        client.fetch(download.addresses, part, check, download.path)
        return download
    except Unavailable as fault:
        return replace(download, reason=str(fault))
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in NAME_FAULTS:
            return replace(download, reason=f"cannot have its name on this disk ({error.strerror})")
        stop.set()  # before the next one is begun
        raise
