"""Fetches one file over HTTP into a part file: retried, resumed in the middle, checked, and given up in time."""

import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import requests
import urllib3
from urllib3.util import Retry

from kerastrash.data.download.addresses import address_fault, redirect_fault
from kerastrash.data.download.config import FetchConfig
from kerastrash.data.download.part import Part
from kerastrash.data.download.session import open_session
from kerastrash.data.images import MAX_BYTES

REDIRECTS = 5
CHUNK = 2**16
BUSY = (408, 425, 429)
"""What is tried again, beside every 5xx."""


class Unavailable(Exception):
    """The file cannot be had from this address; the text is the reason, the same for every file with the same fault."""


class Unfit(Exception):
    """Raised by the check of a file whose bytes are not what was asked for; the text says what they are."""


class Stopped(Exception):
    """The run is being stopped; what has come stays in the part."""


class _TryAgain(Exception):
    """A fault that may pass: the reason, and the seconds that the server asks to wait."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Client:
    """A session of one thread. Setting `stop` ends what it does, at the next bytes or in the midst of a wait."""

    def __init__(self, config: FetchConfig, stop: threading.Event) -> None:
        self._config = config
        self._stop = stop
        self._session = open_session(config.timeout)

    def download(self, address: str, part: Part, check: Callable[[Path], None], until: float) -> None:
        """Fetches the address into the part and checks it there.

        Args:
            check: takes the path of the whole file; raises Unfit where it is not what was asked for.
            until: when to give up, in seconds of `time.monotonic`.

        Raises:
            Unavailable: with the reason; a part that a later run can go on with stays.
            Stopped: `stop` was set.
            OSError: the part cannot be written.
        """
        if fault := address_fault(address):
            raise Unavailable(fault)
        for attempt in range(self._config.retries + 1):
            try:
                return self._try(address, part, check, until)
            except _TryAgain as fault:
                wait = min(max(fault.wait, self._backoff(attempt)), self._config.longest_wait)
                if attempt == self._config.retries or time.monotonic() + wait >= until:
                    raise Unavailable(str(fault)) from fault
                if self._stop.wait(wait):
                    raise Stopped from fault

    def _backoff(self, attempt: int) -> float:
        return self._config.backoff * 2**attempt * (1 + random.random())  # by chance: threads must not return as one

    def _try(self, address: str, part: Part, check: Callable[[Path], None], until: float) -> None:
        try:
            with self._follow(address, part.range_headers(address)) as response:
                resumed = self._open_part(address, part, response)
                self._read_body(response, part, until)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _fault_of(error) from error
        try:
            check(part.path)
        except Unfit as fault:
            part.discard()
            if resumed or _length(response) is None:  # perhaps put together wrongly, or cut short
                raise _TryAgain(str(fault)) from fault
            raise Unavailable(f"{fault}{_described(response)}") from fault

    def _follow(self, address: str, headers: dict[str, str]) -> requests.Response:
        """The answer at the end of the redirects: 200, 206 or 416."""
        for _ in range(REDIRECTS + 1):
            response = self._session.get(
                address, headers=headers, stream=True, allow_redirects=False, timeout=self._config.timeout
            )
            if not response.is_redirect:
                return self._accept(response)
            response.close()
            address = self._redirected(address, response.headers["Location"])
        raise Unavailable(f"redirected more than {REDIRECTS} times")

    def _redirected(self, address: str, location: str) -> str:
        try:
            target = urljoin(address, location)
        except ValueError:
            raise Unavailable("redirected: address is malformed") from None
        if fault := redirect_fault(address, target, self._config.redirect_hosts):
            raise Unavailable(fault)
        return target

    def _accept(self, response: requests.Response) -> requests.Response:
        if response.status_code in (200, 206, 416):
            return response
        response.close()
        reason = f"server answered {response.status_code}"
        if response.status_code in BUSY or response.status_code >= 500:
            raise _TryAgain(reason, _wait_asked(response))
        raise Unavailable(reason)

    def _open_part(self, address: str, part: Part, response: requests.Response) -> bool:
        """Makes the part ready for the body; True where the body goes on with it."""
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Unavailable("server answered in a content encoding that was not asked for")
        if response.status_code == 200:
            part.begin(address, response.headers)
            return False
        if not _goes_on(response, part.size):
            part.discard()
            raise _TryAgain("server answered with another range than was asked for")
        return True

    def _read_body(self, response: requests.Response, part: Part, until: float) -> None:
        size = part.size
        expected = size + (_length(response) or 0)
        with part.path.open("ab") as stream:
            while True:
                if max(size, expected) > MAX_BYTES:
                    part.discard()
                    raise Unavailable(f"larger than {MAX_BYTES // 2**20} MiB")
                # One read of the socket, not CHUNK bytes: a trickle comes back here and is seen.
                chunk = response.raw.read1(CHUNK, decode_content=False)
                if not chunk:
                    break
                stream.write(chunk)
                size += len(chunk)
                if self._stop.is_set():
                    raise Stopped
                if time.monotonic() > until:
                    raise Unavailable(f"took longer than {self._config.deadline:g} s")


def _length(response: requests.Response) -> int | None:
    """Bytes of the body as the server states them; urllib3 raises where fewer come."""
    stated = re.fullmatch(r"[0-9]{1,18}", response.headers.get("Content-Length", ""))
    return int(stated[0]) if stated else None


def _goes_on(response: requests.Response, size: int) -> bool:
    """Whether a 206 holds the file's bytes from `size` on, and is of the file that was asked for."""
    match = re.match(r"bytes ([0-9]{1,18})-", response.headers.get("Content-Range", ""))
    if response.status_code != 206 or not match or int(match[1]) != size:
        return False
    asked = response.request.headers.get("If-Range")
    return asked is not None and asked in (response.headers.get("ETag", asked), response.headers.get("Last-Modified"))


def _wait_asked(response: requests.Response) -> float:
    """Seconds of a Retry-After header in either of its forms; 0 where there is none."""
    try:
        return Retry().get_retry_after(response.raw) or 0.0
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0


def _described(response: requests.Response) -> str:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return "" if not kind or kind.startswith(("image/", "application/octet")) else f" (server sent {kind})"


def _fault_of(error: Exception) -> Exception:
    """What a library's exception means: tried again, unless the address itself is at fault."""
    if isinstance(error, requests.exceptions.InvalidURL | urllib3.exceptions.LocationValueError):
        return Unavailable("address is malformed")
    if isinstance(error, requests.exceptions.SSLError):
        return _TryAgain("certificate or TLS failed")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return _TryAgain("server stalled")
    if isinstance(error, urllib3.exceptions.ProtocolError):  # raised by the body alone: requests wraps the others
        return _TryAgain("body was cut short")
    return _TryAgain("connection failed")
