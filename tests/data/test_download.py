"""Photographs to be had: which are asked for, and each one whole and in its place, or named with its reason."""

import gzip
import os
from dataclasses import replace

import pytest

from kerastrash.data.config import FetchConfig
from kerastrash.data.download import WantedPhotograph, claim, fetch_all
from kerastrash.data.taco import plan_downloads
from kerastrash.errors import DataError
from kerastrash.files import read_json

FAST = FetchConfig(connections=4, timeout=0.5, retries=2, backoff=0.01, longest_wait=0.2, deadline=10)


def entry(name="batch_1/a.jpg", **fields):
    return {"file_name": name, "width": 40, "height": 30, "flickr_url": "http://127.0.0.1/a"} | fields


def test_the_original_is_asked_for_never_the_small_copy_and_no_two_photographs_of_one_name(tmp_path):
    fields = {"coco_url": "http://127.0.0.1/c", "flickr_640_url": "http://127.0.0.1/small"}
    (download,) = plan_downloads([entry(**fields), entry(**fields)], tmp_path)  # twice the same is one photograph
    assert download.addresses == ("http://127.0.0.1/a", "http://127.0.0.1/c")
    assert download.path == tmp_path / "batch_1" / "a.jpg"
    assert download.frame == (40, 30)
    assert not download.reason
    for other in ({"flickr_url": "http://127.0.0.1/b"}, {"width": 41}):
        for name in ("batch_1/a.jpg", "batch_1/../batch_1/a.jpg"):
            with pytest.raises(DataError, match=r"a\.jpg.*twice"):
                plan_downloads([entry(), entry(name, **other)], tmp_path)


@pytest.mark.parametrize(
    ("field", "values", "reason"),
    [
        ("file_name", ["/etc/passwd", "../a.jpg", "b/../../a.jpg", "out/a.jpg", "loop/a.jpg"], "leaves the folder"),
        ("file_name", ["a\0.jpg", "a\x1b[31m.jpg", "\ud800.jpg"], "cannot be printed"),
        ("file_name", ["", ".", "annotations.json", "./missing.json", "b/../.download/lock"], "folder's own"),
        ("flickr_url", [None, "", 5, ["http://127.0.0.1/a"]], "no address"),
    ],
)
def test_an_entry_that_cannot_be_asked_for_has_a_reason(tmp_path, field, values, reason):
    folder = tmp_path / "taco"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    for value in values:
        (download,) = plan_downloads([entry() | {field: value}], folder)
        assert reason in download.reason


@pytest.fixture
def wanted(site, tmp_path):
    def make(name, size=(40, 30), **fields):
        return WantedPhotograph(name, tmp_path / "taco" / name, (f"{site.address}/{name}",), size, **fields)

    return make


@pytest.fixture
def fetch_them(tmp_path):
    """`fetch_them(downloads)` -> {file name: reason} of the missing ones."""

    def run(*downloads, **settings):
        with claim(tmp_path / "taco") as state:
            return {one.file_name: one.reason for one in fetch_all(downloads, state, replace(FAST, **settings))}

    return run


def test_many_photographs_come_in_parallel_and_are_counted(site, answer, picture, wanted, tmp_path):
    downloads = [wanted(f"batch_{number % 3}/{number}.png") for number in range(30)]
    for number, item in enumerate(downloads[:28]):
        site.add(f"/{item.file_name}", answer(picture(colour=number)))
    site.add(f"/{downloads[28].file_name}", answer(picture(), cut=10, stall=True))  # does not hold up the others
    gone, told = ["server answered 404", "server does not answer, or not to the end"], []
    parts = tmp_path / "taco" / ".download" / "parts"
    parts.mkdir(parents=True)
    (parts / "half").write_text("of a killed run")

    def track(ended, description, unit, total, before):
        told.append((total, before))
        for item in ended:
            told.append(item.reason)
            yield item

    with claim(tmp_path / "taco") as state:
        missing = fetch_all(downloads, state, FAST, track)
        assert [item.file_name for item in missing] == ["batch_1/28.png", "batch_2/29.png"]
        assert told.pop(0) == (30, 0)
        assert sorted(told) == [""] * 28 + gone
        told.clear()
        fetch_all(downloads, state, FAST, track)
        assert told.pop(0) == (30, 28)
        assert sorted(told) == gone
    for number, item in enumerate(downloads[:28]):
        assert item.path.read_bytes() == picture(colour=number)
    assert not list(parts.iterdir())


def test_what_was_checked_is_neither_asked_for_nor_decoded_again(site, answer, picture, wanted, fetch_them, tmp_path):
    downloads = [wanted("a.png"), wanted("b.png")]
    downloads[0].path.parent.mkdir(parents=True)
    downloads[0].path.write_bytes(picture())  # there before: checked and kept
    site.otherwise = lambda path: answer(picture())
    note = tmp_path / "taco" / ".download" / "checked.json"
    for content in ("{", None):  # whatever becomes of the note
        assert fetch_them(*downloads) == {}
        assert site.paths() == ["/b.png"]
        assert set(read_json(note)) == {"a.png", "b.png"}
        if content:
            note.write_text(content)
    damaged, state = bytearray(picture()), downloads[1].path.stat()
    damaged[40:60] = bytes(20)
    downloads[1].path.write_bytes(damaged)
    os.utime(downloads[1].path, ns=(state.st_atime_ns, state.st_mtime_ns))  # only a decoder could tell
    assert fetch_them(*downloads) == {}
    assert site.paths() == ["/b.png"]


def test_a_file_that_is_not_as_it_was_is_fetched_again(site, answer, picture, wanted, fetch_them):
    item = wanted("a.png")
    site.add("/a.png", answer(picture()))
    fetch_them(item)
    for spoilt in (picture()[:-40], picture((30, 40)), b"x" * len(picture())):
        item.path.write_bytes(spoilt)
        assert fetch_them(item) == {}
        assert item.path.read_bytes() == picture()
    site.add("/a.png", answer(picture((30, 41))))
    assert fetch_them(replace(item, frame=(30, 41))) == {}
    assert item.path.read_bytes() == picture((30, 41))
    assert len(site.asked) == 5


def test_what_is_no_whole_image_is_named_and_not_put_in_place(site, answer, picture, wanted, fetch_them):
    bodies = {"a": b"<html>gone</html>", "b": gzip.compress(picture()), "c": b"", "d": picture()[:-30]}
    for name, body in bodies.items():
        site.add(f"/{name}", answer(body, headers={"Content-Encoding": "gzip"}))
    wrong = wanted("d").path  # stays until a right one has come
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(picture((20, 20)))
    reasons = ("is no image", "is no image", "file is empty", "image is damaged or cut short")
    assert fetch_them(*map(wanted, bodies)) == dict(zip(bodies, reasons, strict=True))
    assert [path for path in wrong.parent.iterdir() if path.is_file()] == [wrong]
    assert wrong.read_bytes() == picture((20, 20))


def test_other_addresses_are_tried_and_refused_names_and_reasons_named(site, answer, picture, wanted, fetch_them):
    site.otherwise = lambda path: answer(picture())
    refused = wanted("d.png", reason="file_name leaves the folder")
    assert fetch_them(wanted("a.png"), refused) == {"d.png": refused.reason}
    assert site.paths() == ["/a.png"]
    wanted("folder.png").path.mkdir()
    long = "é" * 128 + ".png"
    missing = fetch_them(wanted("a.png/b.png"), wanted("folder.png"), wanted(long))
    assert set(missing) == {"a.png/b.png", "folder.png", long}
    assert all("name on this disk" in reason for reason in missing.values())
    three = ("ftp://127.0.0.1/a.png", site.add("/gone.png", answer(status=404)), site.address + "/c.png")
    missing = fetch_them(replace(wanted("e.png"), addresses=three), replace(wanted("f.png"), addresses=three[:2]))
    assert missing == {"f.png": "address is malformed, or neither http nor https; then server answered 404"}
