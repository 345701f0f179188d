"""Files from a server that misbehaves: each one whole and in its place, or refused with the reason."""

import math
import threading
import time
from dataclasses import replace

import pytest

from kerastrash.data import web
from kerastrash.data.config import FetchConfig
from kerastrash.data.web import Client, Unavailable, redirected
from kerastrash.errors import ConfigError

BODY = bytes(range(256)) * 40
FAST = FetchConfig(connections=4, timeout=0.5, retries=2, backoff=0.01, longest_wait=0.2, deadline=10)


@pytest.fixture
def fetch(tmp_path):
    """`fetch(address)` -> the bytes that are in place in the end."""
    part, path = tmp_path / "parts" / "file", tmp_path / "file"

    def run(*addresses, check=lambda path: None, stop=None, **settings):
        Client(replace(FAST, **settings), stop or threading.Event()).fetch(addresses, part, check, path)
        return path.read_bytes()

    run.part, run.path = part, path
    return run


def assert_unavailable(fetch, address, reason, **options):
    with pytest.raises(Unavailable, match=reason):
        fetch(address, **options)
    assert not fetch.path.exists()
    assert not fetch.part.exists()


def test_a_file_is_fetched_without_cookies_or_credentials(site, answer, fetch, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    site.add("/a", answer(status=302, headers={"Location": "/b", "Set-Cookie": "a=1"}))
    site.add("/b", answer(BODY, headers={"Content-Length": "9" * 5000}, length=False))  # a length not to be believed
    assert fetch(site.address.replace("//", "//me:secret@") + "/a") == BODY
    assert site.paths() == ["/a", "/b"]
    for _, headers in site.asked:
        assert not {"Cookie", "Authorization"} & set(headers)
        assert headers["User-Agent"].startswith("kerastrash/")


def is_body(path):
    if path.read_bytes() != BODY:
        raise Unavailable("is no such thing")


BUSY = [{"status": status} for status in (408, 429, 500, 503)]
SPOILT = [{"body": BODY, "cut": 100}, {"body": BODY, "cut": 100, "stall": True}, {"body": BODY[:99], "length": False}]
WAITS = ("86400", "Fri, 31 Dec 2100 23:59:59 GMT", "soon", "9" * 400, "9" * 5000)
HOLDING = [{"status": 429, "headers": {"Retry-After": wait}} for wait in WAITS]
ENDLESS = [{"body": BODY, "status": status, "headers": {"Location": "/b"}, "pause": 0.05} for status in (302, 503)]


@pytest.mark.parametrize("first", BUSY + SPOILT + HOLDING + ENDLESS)
def test_a_passing_fault_is_tried_again_and_a_redirect_followed_without_being_held(site, answer, fetch, first):
    site.add("/b", answer(BODY))
    address = site.add("/a", answer(**first), answer(BODY, length=False))
    assert fetch(address, check=is_body, deadline=5) == BODY
    assert len(site.asked) == 2


LATER = {"status": 429, "headers": {"Retry-After": "50"}}


@pytest.mark.parametrize(
    ("first", "settings", "reason", "asked"),
    [
        ({"status": 500}, {}, "server answered 500", FAST.retries + 1),
        *(({"status": status}, {}, f"server answered {status}", 1) for status in (401, 403, 404, 410, 204)),
        (LATER, {"longest_wait": 60, "deadline": 5}, "429", 1),  # a wait beyond the deadline is not begun
        ({"body": BODY, "pause": 0.05}, {"deadline": 0.3}, "took longer", 1),
        ({"status": 302, "headers": {"Location": "/a"}}, {}, "redirected more than 5 times", 6),
        *(({"body": BODY * 2, "length": length}, {}, "larger than", 1) for length in (True, False)),
        ({"body": b"<html>"}, {"check": is_body}, "is no such thing", 1),
    ],
)
def test_what_cannot_be_had_is_given_up(site, answer, fetch, monkeypatch, first, settings, reason, asked):
    monkeypatch.setattr(web, "MAX_BYTES", len(BODY))
    assert_unavailable(fetch, site.add("/a", answer(**first)), reason, **settings)
    assert len(site.asked) == asked


def test_retry_after_is_waited_for(site, answer, fetch):
    address = site.add("/a", answer(status=429, headers={"Retry-After": "1"}), answer(BODY))
    started = time.monotonic()
    assert fetch(address, longest_wait=5) == BODY
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 2"])
def test_headers_that_trickle_are_given_up(site, answer, fetch, start):
    address = site.add("/a", answer(start + b"0" * 10_000, pause=0.01, bare=True))
    assert_unavailable(fetch, address, "does not answer", retries=0)
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):  # cancelled, and about to end
            thread.join(5)
            assert not thread.is_alive()


def test_a_redirect_elsewhere_is_followed_to_a_named_host_only(site, answer, fetch):
    target = site.add("/b", answer(BODY)).replace("127.0.0.1", "localhost")
    address = site.add("/a", answer(status=302, headers={"Location": target}))
    assert_unavailable(fetch, address, "another host")
    assert site.paths() == ["/a"]
    assert fetch(address, redirect_hosts=("localhost",)) == BODY


@pytest.mark.parametrize(
    ("origin", "target", "reason"),
    [
        ("https://farm66.staticflickr.com/a", "https://live.staticflickr.com/a", None),
        ("https://farm66.staticflickr.com/a", "http://live.staticflickr.com/a", "https to http"),
        ("https://farm66.staticflickr.com/a", "https://staticflickr.com.example.org/a", "another host"),
        ("https://farm66.staticflickr.com/a", "https://evilstaticflickr.com/a", "another host"),
        ("http://93.184.216.34/a", "http://127.0.0.1/a", "another host"),
        ("http://93.184.216.34/a", "http://169.254.169.254/a", "another host"),
        ("http://93.184.216.34/a", "http://[::1]/a", "another host"),
        ("http://93.184.216.34/a", "http://2130706433/a", "another host"),
        ("http://127.0.0.1/a", "http://10.0.0.1/a", None),
        ("http://127.0.0.1/a", "file:///etc/passwd", "http to file"),
        ("http://127.0.0.1/a", "ftp://127.0.0.1/a", "http to ftp"),
        ("http://127.0.0.1/a", "//example.org/b", "another host"),
        ("http://127.0.0.1/a", "http://127.0.0.1@example.org/b", "another host"),
        ("http://127.0.0.1/a", "http://[::1/b", "malformed"),
    ],
)
def test_where_a_redirect_may_lead(origin, target, reason):
    hosts = ("staticflickr.com", "10.0.0.1")
    if reason is None:
        assert redirected(origin, target, hosts) == target
    else:
        with pytest.raises(Unavailable, match=reason):
            redirected(origin, target, hosts)


NO_NAMES = ["http://127.0.0.1:9/a", "http://" + "a" * 300 + ".org/", "http://*.org/", "http://.org/"]
NO_WEB = ["file:///etc/passwd", "ftp://127.0.0.1/a", "a.jpg", "", "http://", "http://127.0.0.1:99999/", "data:,x"]


@pytest.mark.parametrize("address", [*NO_WEB, *NO_NAMES])
def test_nothing_but_http_and_https_is_asked(fetch, address):
    reason = "address is malformed|server does not answer" if address in NO_NAMES else "neither http nor https"
    assert_unavailable(fetch, address, reason)


def test_stopping_ends_a_body_and_a_wait(site, answer, fetch):
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    assert_unavailable(fetch, site.add("/a", answer(BODY, pause=0.01)), "took longer", stop=stop)
    stop.clear()
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    busy = site.add("/b", answer(status=503, headers={"Retry-After": "60"}))
    assert_unavailable(fetch, busy, "503", stop=stop, longest_wait=60, deadline=600)
    assert time.monotonic() - started < 30


def test_a_setting_out_of_range_is_refused():
    for setting in ({"connections": 0}, {"timeout": 0.0}, {"retries": -1}, {"backoff": -1.0}, {"deadline": math.nan}):
        with pytest.raises(ConfigError, match=next(iter(setting))):
            FetchConfig(**setting)
