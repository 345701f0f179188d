"""Photographs from the web, fetched in parallel: each whole and in its place, or named with the reason why not."""

import contextlib
import errno
import functools
import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.pool import ThreadPool
from pathlib import Path

import filelock
import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, SSLError
from urllib3 import Retry
from urllib3.exceptions import HTTPError, InvalidHeader, LocationValueError

from kerastrash.data.config import FetchConfig
from kerastrash.data.decoding import Track, untracked
from kerastrash.data.images import MAX_BYTES, ImageError, decode, read_bytes
from kerastrash.data.records import Frame
from kerastrash.data.web import AnonymousSession, Unavailable, redirected
from kerastrash.errors import ConfigError, FileError
from kerastrash.files import read_json, write_json

STATE = ".download"
"""Folder of the downloader's own files, inside the target folder."""
PARTS = "parts"
"""Folder in it of the files on their way: a photograph that breaks off is fetched anew, whole."""
REDIRECTS = 5
CHUNK = 2**16
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

    Args:
        state: the folder that `claim` yields.
    """
    checked = _read_checked(state / "checked.json")
    missing = [download for download in downloads if download.reason]
    wanted = [one for one in downloads if not one.reason and checked.get(one.file_name, "never") != _state_of(one)]
    before, stop = len(downloads) - len(missing) - len(wanted), threading.Event()
    obtain = functools.partial(_obtain, Client(config, stop), state / PARTS)
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


def _read_checked(path: Path) -> dict[str, list]:
    """The state in which each file was found whole; without it they are decoded again, and not fetched."""
    with contextlib.suppress(FileError):
        return read_json(path)
    return {}


def _state_of(download: WantedPhotograph) -> list | None:
    try:
        status = download.path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, download.frame and list(download.frame)]


def _obtain(client: "Client", parts: Path, download: WantedPhotograph) -> WantedPhotograph:
    """Takes the file that is there and fits, else fetches it; the download as it ended."""
    check = functools.partial(_check, download.frame)
    part = parts / hashlib.sha256(download.file_name.encode()).hexdigest()
    try:
        if download.path.is_file():
            with contextlib.suppress(Unavailable):
                check(download.path)
                return download
        client.fetch(download.addresses, part, check, download.path)
        return download
    except Unavailable as fault:
        return replace(download, reason=str(fault))
    except OSError as error:
        if error.errno not in NAME_FAULTS:
            raise
        return replace(download, reason=f"cannot have its name on this disk ({error.strerror})")


def _check(frame: Frame | None, path: Path) -> None:
    """Decodes the file and compares its size, as displayed or as stored, with the annotated one."""
    try:
        with DECODERS:
            decode(path, read_bytes(path), frame)
    except ImageError as fault:
        raise Unavailable(fault.reason) from fault


class Client:
    """Fetches files from any number of threads. Setting `stop` ends what they do, at the next bytes or in a wait."""

    def __init__(self, config: FetchConfig, stop: threading.Event) -> None:
        self._config, self._stop = config, stop
        self._session = AnonymousSession(config.connections)
        # Not mounted on the session: there it would read the whole of a 503's body, and miss one that is cut short.
        self._retry = Retry(config.retries, backoff_factor=config.backoff, backoff_jitter=config.backoff)

    def fetch(self, addresses: Iterable[str], part: Path, check: Callable[[Path], None], path: Path) -> None:
        """Fetches a file from the first of the addresses that has it, checks it, and renames it into its place.

        Args:
            part: where it is written until it is whole; nothing is left there.
            check: takes the path of the whole file; raises Unavailable where it is not what was asked for.

        Raises:
            Unavailable: with the reasons.
            OSError: the file cannot be written.
        """
        until, reasons = time.monotonic() + self._config.deadline, []
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            for address in addresses:
                try:
                    self._download(address, part, check, until)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    part.replace(path)
                    return
                except Unavailable as fault:
                    reasons.append(str(fault))
        finally:
            part.unlink(missing_ok=True)
        raise Unavailable("; then ".join(reasons))

    def _download(self, address: str, part: Path, check: Callable[[Path], None], until: float) -> None:
        retry = self._retry
        while True:
            try:
                return self._attempt(address, part, check, until)
            except Unavailable as fault:
                if fault.wait is None or not retry.total:
                    raise
                retry = retry.increment(error=fault)
                wait = min(max(fault.wait, retry.get_backoff_time()), self._config.longest_wait)
                if time.monotonic() + wait >= until or self._stop.wait(wait):
                    raise

    def _attempt(self, address: str, part: Path, check: Callable[[Path], None], until: float) -> None:
        try:
            with self._open(address) as response:
                self._read_body(response, part, until)
        except (InvalidSchema, InvalidURL, MissingSchema, LocationValueError) as error:
            raise Unavailable("address is malformed, or neither http nor https") from error
        except SSLError as error:
            raise Unavailable("certificate or TLS failed", wait=0) from error
        except (requests.RequestException, HTTPError) as error:
            raise Unavailable("server does not answer, or not to the end", wait=0) from error
        try:
            check(part)
        except Unavailable as fault:  # without a stated length it may have been cut short
            raise Unavailable(str(fault), wait=0 if _length(response) is None else None) from fault

    def _open(self, address: str) -> requests.Response:
        """The answer at the end of the redirects."""
        for _ in range(REDIRECTS + 1):
            response = self._session.get(address, stream=True, timeout=self._config.timeout)
            if response.status_code == 200:
                return response
            response.close()
            if not response.is_redirect:
                raise Unavailable(f"server answered {response.status_code}", self._wait(response))
            address = redirected(address, response.headers["Location"], self._config.redirect_hosts)
        raise Unavailable(f"redirected more than {REDIRECTS} times")

    def _wait(self, response: requests.Response) -> float | None:
        if response.status_code not in (408, 425, 429) and response.status_code < 500:
            return None
        try:
            return self._retry.get_retry_after(response.raw) or 0
        except (InvalidHeader, ValueError, OverflowError):
            return 0

    def _read_body(self, response: requests.Response, part: Path, until: float) -> None:
        size, stated = 0, _length(response) or 0
        with part.open("wb") as stream:
            while True:
                if max(size, stated) > MAX_BYTES:
                    raise Unavailable(f"larger than {MAX_BYTES // 2**20} MiB")
                # One read of the socket, not CHUNK bytes: a trickle comes back here and is seen.
                chunk = response.raw.read1(CHUNK, decode_content=False)
                if self._stop.is_set() or time.monotonic() > until:
                    raise Unavailable(f"took longer than {self._config.deadline:g} s")
                if not chunk:
                    return
                size += stream.write(chunk)


def _length(response: requests.Response) -> int | None:
    """Bytes of the body as the server states them; urllib3 raises where fewer come."""
    stated = response.headers.get("Content-Length", "")
    return int(stated) if stated.isdecimal() and len(stated) < 19 else None
