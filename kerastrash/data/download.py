"""Photographs from the web, fetched in parallel: each whole and in its place, or named with the reason why not.

A file is asked for anonymously, nowhere but where it is allowed, and no server holds a thread.
"""

import contextlib
import errno
import functools
import hashlib
import importlib.metadata
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import filelock
import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, SSLError
from urllib3 import HTTPConnectionPool, Retry
from urllib3.exceptions import HTTPError, InvalidHeader, LocationValueError

from kerastrash.data.config import FetchConfig
from kerastrash.data.images import MAX_BYTES, ImageError, Track, decode, read_bytes, untracked
from kerastrash.data.records import Frame
from kerastrash.errors import ConfigError, FileError
from kerastrash.files import read_json, write_json

REDIRECTS = 5
CHUNK = 2**16


class Unavailable(Exception):
    """A file that cannot be had; the text is the reason, the same for every file with the same fault.

    `wait` is None where asking again is of no use, else how many seconds the server wants to be left alone.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class AnonymousSession(requests.Session):
    """A pool of connections for any number of threads, without cookies, credentials or redirects of its own.

    Proxies and certificates are taken from the environment, as users behind a company's proxy need.
    """

    def __init__(self, connections: int) -> None:
        super().__init__()
        agent = f"kerastrash/{importlib.metadata.version('kerastrash')} (python-requests/{requests.__version__})"
        self.headers.update({"User-Agent": agent, "Accept-Encoding": "identity"})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.auth = lambda request: request  # keeps requests from looking in ~/.netrc
        for scheme in ("http://", "https://"):
            self.mount(scheme, _PunctualAdapter(pool_maxsize=connections))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None. Even told not to follow a redirect, requests would read its body, however long it is."""


class _PunctualAdapter(HTTPAdapter):
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _Punctual):
            pool.ConnectionCls = type("Punctual", (_Punctual, pool.ConnectionCls), {})
        return pool


class _Punctual:
    """A connection whose timeout holds for all headers of an answer together; elsewhere it is one for each read."""

    def getresponse(self) -> HTTPResponse:
        until = time.monotonic() + self.timeout
        timer = threading.Timer(self.timeout, self.sock.shutdown, [socket.SHUT_RDWR])
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()
        finally:
            timer.cancel()
        if time.monotonic() >= until:  # http.client takes headers that were cut off for whole ones
            raise TimeoutError
        return response


def redirected(origin: str, location: str, hosts: Iterable[str]) -> str:
    """The address to which a redirect leads; raises Unavailable where it is not followed.

    It may lead to the same host, or to one of `hosts` (subdomains included), and never from https down to http. There
    is no guess at which names belong together: under `co.uk` or `amazonaws.com` neighbours are strangers.
    """
    try:
        target = urljoin(origin, location)
        here, there = urlsplit(origin), urlsplit(target)
    except ValueError:
        raise Unavailable("redirect is malformed") from None
    if there.scheme not in (here.scheme, "https"):
        raise Unavailable(f"redirected from {here.scheme} to {there.scheme}")
    named = any(f".{there.hostname}".endswith(f".{host.lower()}") for host in hosts)
    if there.hostname != here.hostname and not named:
        raise Unavailable(f"redirected to another host ({there.hostname})")
    return target


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


STATE = ".download"
"""Folder of the downloader's own files, inside the target folder."""
PARTS = "parts"
"""Folder in it of the files on their way: a photograph that breaks off is fetched anew, whole."""
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
    client = Client(config, stop)

    def obtain(download: WantedPhotograph) -> WantedPhotograph:
        try:
            return _obtain(client, state / PARTS, download)
        except BaseException:
            stop.set()  # before the next one is begun
            raise

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


def _obtain(client: Client, parts: Path, download: WantedPhotograph) -> WantedPhotograph:
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
