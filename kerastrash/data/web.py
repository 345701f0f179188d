"""What is asked of the web, and how: anonymously, nowhere but where it is allowed, no server holding a thread."""

import importlib.metadata
import socket
import threading
import time
from collections.abc import Iterable
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool


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
