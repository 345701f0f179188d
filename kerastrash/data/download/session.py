"""An HTTP session that carries nothing of the user's and in which no server can hold a thread for ever.

`requests` reads the environment's proxies and certificates, as users behind a company's proxy need. Its timeout is
one for each read: a server that sends its headers a byte at a time never meets it. Hence the timer here.
"""

import contextlib
import importlib.metadata
import socket
import threading
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

AGENT = f"kerastrash/{importlib.metadata.version('kerastrash')} (python-requests/{requests.__version__})"


def open_session(timeout: float) -> requests.Session:
    """A session of persistent connections, for one thread: no cookies, no credentials, no retries of its own.

    Args:
        timeout: seconds in which a connection must stand, and in which all headers of an answer must have come.
    """
    session = _Session()
    session.headers.update({"User-Agent": AGENT, "Accept-Encoding": "identity"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.auth = _no_credentials  # keeps requests from looking in ~/.netrc
    for scheme in ("http://", "https://"):
        session.mount(scheme, _PunctualAdapter(timeout))
    return session


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """No redirect is followed here. Even told not to, requests would read a redirect's body, however long it is."""
        return None


class _PunctualAdapter(HTTPAdapter):
    """Gives every connection, also those through a proxy, the time in which it must stand and answer."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._make_punctual(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:
        manager = super().proxy_manager_for(*args, **kwargs)
        self._make_punctual(manager)
        return manager

    def _make_punctual(self, manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {
            "http": _punctual(HTTPConnectionPool, HTTPConnection, self.seconds),
            "https": _punctual(HTTPSConnectionPool, HTTPSConnection, self.seconds),
        }


def _punctual(pool: type, connection: type, limit: float) -> type:
    """The pool, its connections cut off where they take more than `limit` seconds to stand or to answer."""

    class Punctual(connection):
        def connect(self) -> None:
            with _cut_after(limit, self):
                super().connect()

        def getresponse(self) -> Any:
            with _cut_after(limit, self):
                return super().getresponse()

    return type(pool.__name__, (pool,), {"ConnectionCls": Punctual})


@contextlib.contextmanager
def _cut_after(seconds: float, connection: HTTPConnection) -> Iterator[None]:
    late = threading.Event()
    timer = threading.Timer(seconds, _cut, [connection, late])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if late.is_set():  # http.client takes headers that were cut off for whole ones
            raise TimeoutError(f"no answer within {seconds:g} s")


def _cut(connection: HTTPConnection, late: threading.Event) -> None:
    late.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
