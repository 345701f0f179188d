"""Files from the web: each whole and in its place, or refused with the reason.

A file is asked for anonymously, nowhere but where it is allowed, and no server holds a thread.
"""

import importlib.metadata
import socket
import threading
import time
from collections.abc import Callable, Iterable
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, SSLError
from urllib3 import HTTPConnectionPool, Retry
from urllib3.exceptions import HTTPError, InvalidHeader, LocationValueError

from kerastrash.data.config import FetchConfig
from kerastrash.data.images import MAX_BYTES

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
    """A pool of connections without cookies, credentials or redirects of its own; the environment's proxies serve."""

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


class _PunctualAdapter(HTTPAdapter):
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _Punctual):
            pool.ConnectionCls = type("Punctual", (_Punctual, pool.ConnectionCls), {})
        return pool


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
    """Fetches files from any number of threads; setting `stop` ends that, at the next bytes or in a wait."""

    def __init__(self, config: FetchConfig, stop: threading.Event) -> None:
        self._config, self._stop = config, stop
        self._session = AnonymousSession(config.connections)
        # Not mounted on the session: there it would read the whole of a 503's body, and miss one that is cut short.
        self._retry = Retry(config.retries, backoff_factor=config.backoff, backoff_jitter=config.backoff)

    def fetch(self, addresses: Iterable[str], part: Path, check: Callable[[Path], None], path: Path) -> None:
        """Fetches a file from the first address that has it into `part`, where nothing is left; renames it to `path`.

        Raises:
            Unavailable: with the reasons; `check`, given the whole file, raises it where that is not what was wanted.
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
                passing = response.status_code in (408, 425, 429) or response.status_code >= 500
                wait = self._retry_after(response) if passing else None
                raise Unavailable(f"server answered {response.status_code}", wait)
            address = redirected(address, response.headers["Location"], self._config.redirect_hosts)
        raise Unavailable(f"redirected more than {REDIRECTS} times")

    def _retry_after(self, response: requests.Response) -> float:
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
