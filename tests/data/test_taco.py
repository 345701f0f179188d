"""The command `prepare.py taco` against a site on loopback: every annotation is accounted for."""

import functools
import json
import math
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from kerastrash.data.config import FetchConfig, TacoConfig
from kerastrash.data.taco import merge, prepare_taco
from kerastrash.errors import ConfigError, DataError, FileError

CATEGORIES = ("Drink can", "Paper bag", "Egg carton", "Plastic lid", "Crisp packet", "Foam cup", "Cigarette")
"""One for each of the six classes, and one that is mapped to none."""
GONE = "photograph missing"


def settings(folder, annotations, **changed):
    fetch = FetchConfig(backoff=0.01, timeout=2.0, longest_wait=0.1, retries=2)
    paths = {"folder": folder, "cache": folder / "cache", "annotations": str(annotations)}
    return TacoConfig(**paths | {"input_size": 16, "fetch": fetch} | changed)


def prepare(folder, annotations, **changed):
    return prepare_taco(settings(folder, annotations, **changed))


def start(folder, annotations, first, *options):
    """Starts the command line in a process of its own, after a call there."""
    script = Path(__file__).resolve().parents[2] / "scripts" / "prepare.py"
    paths = ["--annotations", annotations, "--folder", folder, "--cache", folder / "cache", "--input-size", "16"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, script, "taco", *paths, *options], text=True, preexec_fn=first, **pipes)


def status_and_message(process):
    _, error = process.communicate(timeout=60)
    assert "Traceback" not in error, error
    return process.returncode, error.replace("\n", " ")


@pytest.fixture
def taco(site, tmp_path):
    """Writes an annotation file of small photographs on the site, a box on each, of the categories in turn."""

    def write(count=42, name="given.json", prefix="batch_1", change=lambda document: None):
        images, annotations = [], []
        for number in range(count):
            file_name = f"{prefix}/{number:06}.jpg"
            address = f"{site.address}/{file_name}"
            image = {"flickr_url": address, "flickr_640_url": f"{address}.small", "coco_url": None}
            images.append(image | {"id": number, "file_name": file_name, "width": 40, "height": 30})
            annotations.append({"id": number, "image_id": number, "category_id": number % 7, "bbox": [2, 3, 10, 8]})
        categories = [{"id": number, "name": name} for number, name in enumerate(CATEGORIES)]
        document = {"images": images, "annotations": annotations, "categories": categories}
        change(document)
        (tmp_path / name).write_text(json.dumps(document))
        return tmp_path / name

    return write


@pytest.fixture
def draw(answer, picture):
    """Every photograph is of a colour of its own, as its name says; that of number 1 is stored turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6

    def write(path):
        number = int(re.search(r"(\d+)\.jpg$", path)[1])
        stored = {"size": (30, 40), "exif": exif} if number == 1 else {"size": (40, 30)}
        return answer(picture(**stored, colour=number, kind="JPEG"))

    return write


def test_every_annotation_is_cut_mapped_out_or_named_as_missing(site, answer, draw, taco, tmp_path):
    folder = tmp_path / "taco"
    site.otherwise = lambda path: answer(status=404) if path.endswith(("08.jpg", "13.jpg")) else draw(path)
    process = start(folder, taco(), None)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert "Fetching: 42 of 42 photographs" in error.replace("\n", " ")
    assert "missing: 2 of 42 photographs" in out
    assert "every annotation accounted for" in " ".join(out.split())
    table = out[out.index(" annotations ") :]
    rows = {name: int(count) for name, count in re.findall(r"^ (\S.*?) +(\d+) *$", table, re.MULTILINE)}
    assert rows == {"cut": 35, "mapped to no class": 6, GONE: 1, "in the file": 42}
    missing = json.loads((folder / "missing.json").read_text())
    row = {"file_name": "batch_1/000008.jpg", "address": f"{site.address}/batch_1/000008.jpg"}
    assert missing[0] == row | {"reason": "server answered 404"}
    assert len(missing) == 2
    assert not [path for path in site.paths() if path.endswith(".small")]
    site.asked.clear()
    site.otherwise = draw
    prepared = prepare(folder, taco())
    assert prepared.account == {"cut": 36, "mapped to no class": 6, GONE: 0}
    assert (prepared.photographs, prepared.missing) == (42, [])
    assert sorted(site.paths()) == ["/batch_1/000008.jpg", "/batch_1/000013.jpg"]
    assert json.loads((folder / "missing.json").read_text()) == []


def test_official_and_unofficial_are_merged(site, answer, draw, taco, tmp_path):
    site.otherwise = draw
    other = taco(28, name="other.json", prefix="unofficial")
    options = {"unofficial_annotations": site.add("/unofficial.json", answer(status=503), answer(other.read_bytes()))}
    for _ in range(2):  # a file from an address is asked for once
        assert sum(prepare(tmp_path / "taco", taco(), which="both", **options).account.values()) == 42 + 28
        assert site.paths().count("/unofficial.json") == 2
    images = json.loads((tmp_path / "taco" / "annotations.json").read_text())["images"]
    assert len({image["id"] for image in images}) == 42 + 28
    alone = prepare(tmp_path / "alone", taco(), which="unofficial", **options)
    assert alone.account == {"cut": 24, "mapped to no class": 4, GONE: 0}


@pytest.mark.parametrize(
    ("body", "reason"), [(b"<html>", "is no JSON"), (b"", "is no JSON"), (None, "404"), (b"[]", "no COCO file")]
)
def test_an_annotation_file_that_cannot_be_had_or_used_is_named(site, answer, tmp_path, body, reason):
    address = site.add("/a.json", answer(status=404) if body is None else answer(body))
    with pytest.raises(DataError, match=reason) as fault:
        prepare(tmp_path / "taco", address)
    assert body == b"[]" or re.search(r"a\.json.*--annotations", str(fault.value))
    with pytest.raises(DataError, match="no such file"):
        prepare(tmp_path / "taco", tmp_path / "absent.json")
    assert site.paths() == ["/a.json"]


def test_a_faulty_entry_is_counted_by_its_reason_and_nothing_is_written_outside_the_folder(site, draw, taco, tmp_path):
    names = ["../out.jpg", str(tmp_path / "out.jpg"), "a\0.jpg", "x" * 300 + ".jpg", "link/out.jpg", "annotations.json"]

    def change(document):
        for entry, name in zip(document["images"], names, strict=False):
            entry |= {"file_name": name, "flickr_url": f"{site.address}/000007.jpg"}
        document["images"][8]["flickr_url"] = "file:///etc/passwd"
        document["annotations"][10]["bbox"] = [1, 1, 0, 5]
        document["annotations"][11]["image_id"] = 999

    folder = tmp_path / "taco"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    site.otherwise = draw
    prepared = prepare(folder, taco(change=change))
    faults = {"box has no area": 1, "image_id names no image of the file": 1, "file_name leaves the image folder": 4}
    assert prepared.account == {"cut": 27, "mapped to no class": 6, GONE: 3} | faults
    assert not list(tmp_path.rglob("*out*"))
    assert "/000007.jpg" not in site.paths()
    assert len(prepared.missing) == len({row["file_name"] for row in prepared.missing if row["reason"]}) == 7


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGKILL])
def test_a_download_that_was_ended_goes_on_where_it_stopped(site, answer, draw, taco, tmp_path, with_signal):
    site.otherwise = lambda path: draw(path) if len(site.asked) <= 10 else answer(b"x" * 99, cut=1, stall=True)
    hears = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # whoever started the tests may not
    process = start(tmp_path / "taco", taco(), hears, "--timeout", "300", "--connections", "2")
    patience = time.monotonic() + 60
    while len(site.asked) < 12 and time.monotonic() < patience:
        time.sleep(0.02)
    with pytest.raises(ConfigError, match="another process is downloading there"):
        prepare(tmp_path / "taco", taco())
    process.send_signal(with_signal)
    status, message = status_and_message(process)
    if with_signal == signal.SIGINT:
        assert status == 130
        assert "goes on where this one stopped" in message
    here = {path.name for path in (tmp_path / "taco").rglob("*.jpg")}
    assert len(here) == 10
    site.asked.clear()
    site.otherwise = draw
    assert prepare(tmp_path / "taco", taco()).account["cut"] == 36
    assert not here & {Path(path).name for path in site.paths()}


def test_a_full_disk_is_said_and_leaves_whole_files(site, answer, draw, taco, tmp_path):
    site.otherwise = lambda path: answer(b"x" * 90_000) if path.endswith("30.jpg") else draw(path)
    limited = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (40_000, 40_000))
    status, message = status_and_message(start(tmp_path / "taco", taco(), limited, "--connections", "1"))
    assert status == 2
    assert "cannot be written (File too large); free the disk" in message
    assert len(list((tmp_path / "taco").rglob("*.jpg"))) == 30
    site.asked.clear()
    site.otherwise = draw
    assert prepare(tmp_path / "taco", taco()).account["cut"] == 36
    assert len(site.asked) == 12


def test_what_cannot_be_is_said_before_anything_is_asked_and_so_it_is_where_nothing_can_be_had(site, taco, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"file.*cannot be written"):
        prepare(tmp_path / "file" / "taco", taco())
    with pytest.raises(ConfigError, match="input_size"):
        prepare(tmp_path / "taco", taco(), input_size=1)
    assert site.asked == []
    assert not (tmp_path / "taco").exists()
    with pytest.raises(DataError, match=r"not one of 42 photographs could be had \(42 x server answered 404\)"):
        prepare(tmp_path / "taco", taco())
    assert len(json.loads((tmp_path / "taco" / "missing.json").read_text())) == 42
    assert not (tmp_path / "taco" / "annotations.json").exists()


def document(*ids, name="can", licence=None, **fields):
    return {
        "images": [{"id": 0, "file_name": f"{name}.jpg", "license": licence}],
        "categories": [{"id": 7, "name": "box"}, {"id": 9, "name": name}],
        "annotations": [{"id": id, "image_id": 0, "category_id": 9, "bbox": [0, 0, 1, 1]} for id in ids],
    } | fields


def test_merging_keeps_every_annotation_on_its_photograph_and_in_its_category():
    astray = [{"id": 1, "image_id": 1, "category_id": 0, "bbox": [0, 0, 1, 1]}]  # its references lead nowhere
    other = document(3, name="bag", licence="ODbL")
    official = document(3, 3, 5, licence=1, licenses=[{"id": 1, "name": "CC BY 4.0"}])
    merged = merge({"official": official, "unofficial": other | {"annotations": other["annotations"] + astray}})
    images = {image["id"]: image["file_name"] for image in merged["images"]}
    names = {category["id"]: category["name"] for category in merged["categories"]}
    entries = merged["annotations"]
    assert [item["id"] for item in entries] == [0, 1, 2, 3, 4]
    assert [images.get(item["image_id"]) for item in entries] == ["can.jpg"] * 3 + ["bag.jpg", None]
    assert [names.get(item["category_id"]) for item in entries] == ["can"] * 3 + ["bag", None]
    assert (entries[4]["image_id"], entries[4]["category_id"]) == ("unofficial:1", "unofficial:0")
    assert [item["origin"] for item in entries[:4]] == [["official", 3]] * 2 + [["official", 5], ["unofficial", 3]]
    assert list(names.values()) == ["box", "can", "bag"]
    assert [image["license"] for image in merged["images"]] == ["CC BY 4.0", "ODbL"]


def test_all_annotations_of_the_official_file_are_accounted_for(site, answer, picture, official_taco, tmp_path):
    path, document = tmp_path / "official.json", json.loads(official_taco.read_text())
    smaller = 16  # so many times than annotated
    for entry in document["annotations"]:
        entry["bbox"] = [value / smaller for value in entry["bbox"]]
    for image in document["images"]:
        image |= {side: math.ceil(image[side] / smaller) for side in ("width", "height")}
        image["flickr_url"] = f"{site.address}/{image['width']}x{image['height']}/{image['file_name']}"
    path.write_text(json.dumps(document))
    drawn = functools.cache(lambda *size: picture(size, kind="JPEG"))

    def reply(path):
        if path.lower().endswith("00.jpg"):
            return answer(status=404)
        size = map(int, re.match(r"/(\d+)x(\d+)/", path).groups())
        return answer(drawn(*size) + path.encode())  # bytes after the end make each file one of its own

    site.otherwise = reply
    prepared = prepare(tmp_path / "taco", path)
    assert prepared.account == {"cut": 3255, "mapped to no class": 1495, GONE: 34}
    assert sum(prepared.account.values()) == len(document["annotations"]) == 4784
    gone = {image["file_name"] for image in document["images"] if image["file_name"][-6:-4] == "00"}
    assert {row["file_name"] for row in prepared.missing} == gone
