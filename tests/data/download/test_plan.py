"""Which photographs are asked for, and which names are refused."""

import pytest

from kerastrash.data.download.plan import plan_downloads
from kerastrash.errors import DataError


def entry(name="batch_1/a.jpg", **fields):
    return {"file_name": name, "width": 40, "height": 30, "flickr_url": "http://127.0.0.1/a"} | fields


def test_the_original_is_asked_for_and_never_the_small_copy(tmp_path):
    fields = {"coco_url": "http://127.0.0.1/c", "flickr_640_url": "http://127.0.0.1/small"}
    (photograph,) = plan_downloads([entry(**fields)], tmp_path)
    assert photograph.addresses == ("http://127.0.0.1/a", "http://127.0.0.1/c")
    assert photograph.path == tmp_path / "batch_1" / "a.jpg"
    assert photograph.frame == (40, 30)
    assert not photograph.fault


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("/etc/passwd", "absolute"),
        ("../a.jpg", "leaves the folder"),
        ("batch_1/../../a.jpg", "leaves the folder"),
        ("out/a.jpg", "leaves the folder"),
        ("loop/a.jpg", "no path"),
        ("a\0.jpg", "cannot be printed"),
        ("a\x1b[31m.jpg", "cannot be printed"),
        ("\ud800.jpg", "cannot be printed"),
        ("é" * 128 + ".jpg", "longer than 255 bytes"),
        ("", "folder's own"),
        (".", "folder's own"),
        ("annotations.json", "folder's own"),
        ("./missing.json", "folder's own"),
        ("batch_1/../.download/lock", "folder's own"),
    ],
)
def test_a_name_that_may_not_be_written_is_a_fault(tmp_path, name, fault):
    folder = tmp_path / "taco"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    (photograph,) = plan_downloads([entry(name)], folder)
    assert fault in photograph.fault


@pytest.mark.parametrize("nothing", [None, "", 5, ["http://127.0.0.1/a"]])
def test_an_entry_without_an_address_is_a_fault(tmp_path, nothing):
    (photograph,) = plan_downloads([entry(flickr_url=nothing)], tmp_path)
    assert "no address" in photograph.fault


def test_the_same_photograph_twice_is_asked_for_once(tmp_path):
    assert len(plan_downloads([entry(), entry()], tmp_path)) == 1


@pytest.mark.parametrize("other", [{"flickr_url": "http://127.0.0.1/b"}, {"width": 41}])
def test_two_photographs_of_one_name_are_refused(tmp_path, other):
    with pytest.raises(DataError, match=r"a\.jpg.*twice"):
        plan_downloads([entry(), entry(**other)], tmp_path)
    with pytest.raises(DataError, match=r"a\.jpg.*twice"):
        plan_downloads([entry(), entry("batch_1/../batch_1/a.jpg", **other)], tmp_path)
