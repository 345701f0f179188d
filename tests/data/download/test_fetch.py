"""Photographs fetched in parallel: each one whole and of the right size in its place, or named with its reason."""

import contextlib
import os
from dataclasses import replace

import pytest
from PIL import Image

from kerastrash.data.download.fetch import claim, fetch_all
from kerastrash.data.download.journal import Journal
from kerastrash.data.download.plan import Photograph
from kerastrash.errors import ConfigError, FileError


@pytest.fixture
def photograph(site, tmp_path):
    def make(name, size=(40, 30), **fields):
        return Photograph(name, tmp_path / "taco" / name, (f"{site.address}/{name}",), size, **fields)

    return make


@pytest.fixture
def fetch(tmp_path, fast):
    """`fetch(photographs)` -> {file name: reason} of the missing ones."""

    def run(*photographs, config=fast):
        with claim(tmp_path / "taco") as state:
            return {item.file_name: item.reason for item in fetch_all(photographs, state, config)}

    return run


def test_many_photographs_come_in_parallel(site, answer, picture, photograph, fetch):
    wanted = [photograph(f"batch_{number % 3}/{number}.png") for number in range(30)]
    for number, item in enumerate(wanted):
        site.add(f"/{item.file_name}", answer(picture(colour=number)))
    assert fetch(*wanted) == {}
    for number, item in enumerate(wanted):
        assert item.path.read_bytes() == picture(colour=number)
    assert not list(wanted[0].path.parents[1].rglob("*.part"))


def test_a_second_run_asks_for_nothing_and_decodes_nothing(site, answer, picture, photograph, fetch, tmp_path):
    wanted = [photograph("a.png"), photograph("b.png")]
    site.otherwise = lambda path: answer(picture())
    fetch(*wanted)
    asked = len(site.asked)
    damaged = bytearray(wanted[0].path.read_bytes())
    state = wanted[0].path.stat()
    damaged[40:60] = bytes(20)
    wanted[0].path.write_bytes(damaged)
    os.utime(wanted[0].path, ns=(state.st_atime_ns, state.st_mtime_ns))  # only a decoder could tell
    assert fetch(*wanted) == {}
    assert len(site.asked) == asked


def test_a_file_that_was_there_before_is_checked_and_kept(site, picture, photograph, fetch):
    item = photograph("a.png")
    item.path.parent.mkdir(parents=True)
    item.path.write_bytes(picture())
    assert fetch(item) == {}
    assert site.asked == []


@pytest.mark.parametrize("spoil", ["cut", "size", "time", "frame"])
def test_a_file_that_is_not_as_it_was_is_fetched_again(site, answer, picture, photograph, fetch, spoil):
    item = photograph("a.png")
    site.add("/a.png", answer(picture()))
    fetch(item)
    if spoil == "cut":
        item.path.write_bytes(picture()[:-40])
    elif spoil == "size":
        item.path.write_bytes(picture((30, 40)))
    elif spoil == "time":
        item.path.write_bytes(b"x" * len(picture()))
    else:
        item = replace(item, frame=(30, 41))
        site.add("/a.png", answer(picture((30, 41))))
    assert fetch(item) == {}
    assert len(site.asked) == 2
    with Image.open(item.path) as image:
        assert image.size == item.frame


@pytest.mark.parametrize("whole", [0, 1])
def test_a_journal_cut_short_by_a_kill_is_gone_on_with(site, answer, picture, photograph, fetch, tmp_path, whole):
    wanted = [photograph("a.png"), photograph("b.png"), photograph("c.png")]
    site.otherwise = lambda path: answer(picture())
    fetch(*wanted[: whole + 1])
    journal = tmp_path / "taco" / ".download" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10] + b"\xff")
    assert fetch(*wanted) == {}
    assert len(site.asked) == 3
    with contextlib.closing(Journal(journal)) as read_again:
        assert all(read_again.holds(item.file_name, item.path, item.frame) for item in wanted)


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"<html>gone</html>", {"Content-Type": "text/html"}, "is no image (server sent text/html)"),
        (b"<html>gone</html>", {"Content-Type": "image/png"}, "is no image"),
        (b"", {}, "file is empty"),
    ],
)
def test_what_is_no_image_is_named_and_not_put_in_place(site, answer, photograph, fetch, body, headers, reason):
    item = photograph("a.png")
    site.add("/a.png", answer(body, headers=headers))
    assert fetch(item) == {"a.png": reason}
    assert not item.path.exists()


def test_an_image_of_another_size_is_named(site, answer, picture, photograph, fetch):
    site.add("/a.png", answer(picture((640, 480))))
    assert fetch(photograph("a.png")) == {"a.png": "size differs from the one annotated"}


def test_a_damaged_image_is_named(site, answer, picture, photograph, fetch):
    site.add("/a.png", answer(picture()[:-30]))
    assert fetch(photograph("a.png")) == {"a.png": "image is damaged or cut short"}


def test_a_wrong_file_in_place_stays_until_a_right_one_has_come(site, answer, picture, photograph, fetch):
    item = photograph("a.png")
    item.path.parent.mkdir(parents=True)
    item.path.write_bytes(picture((20, 20)))
    assert fetch(item) == {"a.png": "server answered 404"}
    assert item.path.read_bytes() == picture((20, 20))


@pytest.mark.parametrize("frame", [(40, 30), (30, 40)])
def test_a_turned_photograph_fits_as_displayed_or_as_stored(site, answer, picture, photograph, fetch, frame):
    exif = Image.Exif()
    exif[0x0112] = 6
    site.add("/a.jpg", answer(picture((40, 30), kind="JPEG", exif=exif)))
    assert fetch(photograph("a.jpg", frame)) == {}


def test_the_second_address_is_tried_where_the_first_fails(site, answer, picture, photograph, fetch):
    both = ("ftp://127.0.0.1/a.png", site.add("/gone.png", answer(status=404)), site.add("/c.png", answer(picture())))
    assert fetch(replace(photograph("a.png"), addresses=both)) == {}
    assert fetch(replace(photograph("b.png"), addresses=both[:2])) == {
        "b.png": "address is neither http nor https; then server answered 404"
    }


def test_a_fault_of_the_entry_is_named_and_not_asked_for(site, photograph, fetch):
    assert fetch(photograph("a.png", fault="file_name is absolute")) == {"a.png": "file_name is absolute"}
    assert site.asked == []


def test_a_name_that_the_disk_refuses_is_named(site, answer, picture, photograph, fetch):
    site.otherwise = lambda path: answer(picture())
    fetch(photograph("a.png"))
    (photograph("folder.png").path).mkdir()
    missing = fetch(photograph("a.png/b.png"), photograph("folder.png"))
    assert set(missing) == {"a.png/b.png", "folder.png"}
    assert all("name on this disk" in reason for reason in missing.values())


def test_a_stalled_photograph_does_not_hold_up_the_others(site, answer, picture, photograph, fetch, fast):
    wanted = [photograph(f"{number}.png") for number in range(12)]
    site.otherwise = lambda path: answer(picture(), cut=10, stall=True) if path == "/3.png" else answer(picture())
    assert fetch(*wanted, config=replace(fast, retries=0)) == {"3.png": "server stalled"}


def test_a_part_of_an_earlier_run_is_gone_on_with(site, answer, picture, photograph, fetch, fast):
    body, tag = picture((400, 300), kind="BMP"), {"ETag": '"one"'}
    site.add("/a.bmp", answer(body, cut=100_000, headers=tag), answer(body, headers=tag))
    assert fetch(photograph("a.bmp", (400, 300)), config=replace(fast, retries=0)) == {"a.bmp": "body was cut short"}
    assert fetch(photograph("a.bmp", (400, 300))) == {}
    assert site.asked[1][1]["Range"] == "bytes=100000-"


def test_a_second_process_is_told_that_the_folder_is_taken(tmp_path):
    with claim(tmp_path), pytest.raises(ConfigError, match="another process"), claim(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"file.*cannot be written"), claim(tmp_path / "file" / "taco"):
        pass
