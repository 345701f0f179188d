"""How one file is fetched from a server that misbehaves."""

import socket
import threading
import time
from dataclasses import replace

import pytest

from kerastrash.data.download import client as client_module
from kerastrash.data.download.addresses import redirect_fault
from kerastrash.data.download.client import Client, Stopped, Unavailable, Unfit
from kerastrash.data.download.part import Part

BODY = bytes(range(256)) * 40


@pytest.fixture
def fetch(tmp_path, fast):
    """`fetch(address)` -> the bytes that the part holds in the end."""
    part = Part(tmp_path / "parts" / "file.part")

    def run(address, config=fast, check=lambda path: None, stop=None, seconds=10.0):
        Client(config, stop or threading.Event()).download(address, part, check, time.monotonic() + seconds)
        return part.path.read_bytes()

    run.part = part
    return run


def assert_unavailable(fetch, address, reason, **options):
    with pytest.raises(Unavailable, match=reason):
        fetch(address, **options)


def test_a_file_is_fetched_without_cookies_or_credentials(site, answer, fetch, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    address = site.add("/a", answer(status=302, headers={"Location": "/b", "Set-Cookie": "a=1"}))
    site.add("/b", answer(BODY))
    assert fetch(address) == BODY
    for _, headers in site.asked:
        assert not {"Cookie", "Authorization"} & set(headers)
        assert headers["User-Agent"].startswith("kerastrash/")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_passing_fault_is_tried_again(site, answer, fetch, status):
    assert fetch(site.add("/a", answer(status=status), answer(BODY))) == BODY
    assert len(site.asked) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 410, 204])
def test_a_final_answer_is_not_asked_for_again(site, answer, fetch, status):
    assert_unavailable(fetch, site.add("/a", answer(status=status)), f"server answered {status}")
    assert len(site.asked) == 1


def test_a_server_that_fails_for_ever_is_given_up(site, answer, fetch, fast):
    assert_unavailable(fetch, site.add("/a", answer(status=500)), "server answered 500")
    assert len(site.asked) == fast.retries + 1


def test_a_server_that_is_not_there_is_named(fetch):
    assert_unavailable(fetch, "http://127.0.0.1:9/a", "connection failed")


def test_retry_after_is_waited_for(site, answer, fetch, fast):
    address = site.add("/a", answer(status=429, headers={"Retry-After": "1"}), answer(BODY))
    started = time.monotonic()
    assert fetch(address, config=replace(fast, longest_wait=5)) == BODY
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("asked", ["86400", "Fri, 31 Dec 2100 23:59:59 GMT", "soon", "9" * 400])
def test_retry_after_cannot_hold_the_client(site, answer, fetch, asked):
    assert fetch(site.add("/a", answer(status=429, headers={"Retry-After": asked}), answer(BODY))) == BODY


def test_a_wait_beyond_the_deadline_is_not_begun(site, answer, fetch, fast):
    address = site.add("/a", answer(status=429, headers={"Retry-After": "50"}), answer(BODY))
    assert_unavailable(fetch, address, "429", config=replace(fast, longest_wait=60), seconds=5)
    assert len(site.asked) == 1


def test_a_short_body_is_fetched_again_from_its_beginning(site, answer, fetch):
    assert fetch(site.add("/a", answer(BODY, cut=5000), answer(BODY))) == BODY
    assert "Range" not in site.asked[1][1]


def test_a_short_body_is_gone_on_with_where_the_server_can(site, answer, fetch):
    tag = {"ETag": '"one"'}
    assert fetch(site.add("/a", answer(BODY, cut=5000, headers=tag), answer(BODY, headers=tag))) == BODY
    assert site.asked[1][1]["Range"] == "bytes=5000-"
    assert site.asked[1][1]["If-Range"] == '"one"'


def test_another_client_goes_on_with_the_part_of_a_stalled_one(site, answer, fetch, fast):
    tag = {"ETag": '"one"'}
    address = site.add("/a", answer(BODY, cut=5000, stall=True, headers=tag), answer(BODY, headers=tag))
    assert_unavailable(fetch, address, "stalled", config=replace(fast, retries=0))
    assert fetch.part.size == 5000
    assert fetch(address) == BODY
    assert site.asked[1][1]["Range"] == "bytes=5000-"


def test_a_file_that_has_changed_is_fetched_from_its_beginning(site, answer, fetch):
    old = answer(b"x" * 9000, cut=5000, headers={"ETag": '"one"'})
    assert fetch(site.add("/a", old, answer(BODY, headers={"ETag": '"two"'}))) == BODY


def test_a_weak_etag_is_no_ground_to_go_on(site, answer, fetch):
    tag = {"ETag": 'W/"one"'}
    assert fetch(site.add("/a", answer(BODY, cut=5000, headers=tag), answer(BODY, headers=tag))) == BODY
    assert "Range" not in site.asked[1][1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"Content-Range": "bytes 4000-10239/10240"},
        {"Content-Range": "nonsense"},
        {},
        {"Content-Range": "bytes 5000-10239/10240", "ETag": '"two"'},
    ],
)
def test_a_wrong_range_is_not_appended(site, answer, fetch, wrong):
    first = answer(BODY, cut=5000, headers={"ETag": '"one"'})
    assert fetch(site.add("/a", first, answer(BODY[4000:], status=206, headers=wrong), answer(BODY))) == BODY


def test_a_part_beyond_the_end_is_begun_again(site, answer, fetch):
    first = answer(BODY, cut=5000, headers={"ETag": '"one"'})
    assert fetch(site.add("/a", first, answer(status=416), answer(BODY))) == BODY


def test_a_stalled_download_is_tried_again(site, answer, fetch):
    assert fetch(site.add("/a", answer(BODY, cut=100, stall=True), answer(BODY))) == BODY


def test_a_trickle_is_given_up_at_the_deadline(site, answer, fetch):
    address = site.add("/a", answer(BODY, pause=0.05))
    assert_unavailable(fetch, address, "took longer", seconds=0.3)
    assert len(site.asked) == 1


def test_headers_that_trickle_are_given_up(fetch, fast):
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        try:
            assert_unavailable(fetch, address, "stalled", config=replace(fast, retries=0))
        finally:
            stop.set()
            thread.join()


def test_a_redirect_on_the_host_is_followed(site, answer, fetch):
    site.add("/b", answer(BODY))
    assert fetch(site.add("/a", answer(status=301, headers={"Location": "b"}))) == BODY


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("file:///etc/passwd", "neither http nor https"),
        ("ftp://127.0.0.1/a", "neither http nor https"),
        ("http://localhost:{port}/b", "another host"),
        ("//example.org/b", "another host"),
        ("http://127.0.0.1@example.org/b", "user name"),
        ("http://[::1/b", "malformed"),
    ],
)
def test_a_redirect_elsewhere_is_not_followed(site, answer, fetch, target, reason):
    target = target.format(port=site.address.rpartition(":")[2])
    site.add("/b", answer(BODY))
    assert_unavailable(fetch, site.add("/a", answer(status=302, headers={"Location": target})), reason)
    assert site.paths() == ["/a"]


def test_a_redirect_to_a_named_host_is_followed(site, answer, fetch, fast):
    site.add("/b", answer(BODY))
    target = site.address.replace("127.0.0.1", "localhost") + "/b"
    address = site.add("/a", answer(status=302, headers={"Location": target}))
    assert fetch(address, config=replace(fast, redirect_hosts=("localhost",))) == BODY


def test_a_circle_of_redirects_is_left(site, answer, fetch):
    address = site.add("/a", answer(status=302, headers={"Location": "/a"}))
    assert_unavailable(fetch, address, "redirected more than 5 times")
    assert len(site.asked) == 6


@pytest.mark.parametrize(
    ("origin", "target", "reason"),
    [
        ("https://farm66.staticflickr.com/a", "https://live.staticflickr.com/a", None),
        ("https://farm66.staticflickr.com/a", "http://live.staticflickr.com/a", "https to http"),
        ("https://farm66.staticflickr.com/a", "https://staticflickr.com.example.org/a", "another host"),
        ("https://farm66.staticflickr.com/a", "https://evilstaticflickr.com/a", "another host"),
        ("http://93.184.216.34/a", "http://127.0.0.1/a", "private"),
        ("http://93.184.216.34/a", "http://169.254.169.254/a", "private"),
        ("http://93.184.216.34/a", "http://[::1]/a", "private"),
        ("http://93.184.216.34/a", "http://2130706433/a", "private"),
        ("http://127.0.0.1/a", "http://10.0.0.1/a", None),
    ],
)
def test_where_a_redirect_may_lead(origin, target, reason):
    hosts = ("staticflickr.com", "127.0.0.1", "169.254.169.254", "::1", "2130706433", "10.0.0.1")
    fault = redirect_fault(origin, target, hosts)
    assert fault is None if reason is None else reason in fault


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://127.0.0.1/a", "a.jpg", "", "http://", "http://127.0.0.1:99999/", "data:,x"]
)
def test_nothing_but_http_and_https_is_asked(fetch, address):
    assert_unavailable(fetch, address, "address")
    assert not fetch.part.path.exists()


@pytest.mark.parametrize("address", ["http://" + "a" * 300 + ".org/", "http://*.org/", "http://.org/"])
def test_a_host_that_is_no_name_is_named(fetch, address):
    assert_unavailable(fetch, address, "malformed|connection failed")


@pytest.mark.parametrize("length", [True, False])
def test_a_file_that_is_too_large_is_refused(site, answer, fetch, monkeypatch, length):
    monkeypatch.setattr(client_module, "MAX_BYTES", 5000)
    assert_unavailable(fetch, site.add("/a", answer(BODY, length=length)), "larger than")
    assert not fetch.part.path.exists()


def test_a_coded_body_that_was_not_asked_for_is_refused(site, answer, fetch):
    assert_unavailable(fetch, site.add("/a", answer(BODY, headers={"Content-Encoding": "gzip"})), "content encoding")


def unfit(path):
    if path.read_bytes() != BODY:
        raise Unfit("is no such thing")


def test_a_whole_body_that_is_unfit_is_final_and_described(site, answer, fetch):
    page = answer(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"})
    reason = r"is no such thing \(server sent text/html\)"
    assert_unavailable(fetch, site.add("/a", page, answer(BODY)), reason, check=unfit)
    assert not fetch.part.path.exists()


def test_an_unfit_body_of_unstated_length_may_have_been_cut(site, answer, fetch):
    address = site.add("/a", answer(BODY[:5000], length=False), answer(BODY, length=False))
    assert fetch(address, check=unfit) == BODY


def test_an_unfit_body_put_together_of_two_is_fetched_whole(site, answer, fetch):
    tag = {"ETag": '"one"'}
    first = answer(b"x" * len(BODY), cut=5000, headers=tag)
    assert fetch(site.add("/a", first, answer(BODY, headers=tag)), check=unfit) == BODY
    assert len(site.asked) == 3


def test_stopping_leaves_what_has_come(site, answer, fetch):
    stop = threading.Event()
    address = site.add("/a", answer(BODY, pause=0.01, headers={"ETag": '"one"'}))
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped):
        fetch(address, stop=stop)
    assert fetch.part.resumable


def test_stopping_ends_a_wait(site, answer, fetch, fast):
    stop = threading.Event()
    address = site.add("/a", answer(status=503, headers={"Retry-After": "60"}))
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Stopped):
        fetch(address, config=replace(fast, longest_wait=60), stop=stop, seconds=600)


def test_the_body_of_a_redirect_is_not_read(site, answer, fetch):
    site.add("/b", answer(BODY))
    endless = answer(BODY, status=302, headers={"Location": "/b"}, pause=0.05)
    assert fetch(site.add("/a", endless), seconds=5) == BODY


def test_a_length_that_is_no_number_is_not_believed(site, answer, fetch):
    nonsense = answer(BODY, headers={"Content-Length": "9" * 5000}, length=False)
    assert fetch(site.add("/a", nonsense)) == BODY
