"""The command `prepare_data.py taco` against a site on loopback: every annotation is accounted for."""

import io
import json
import math
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerastrash.data import DataConfig, open_source, read_crop
from kerastrash.data.download import TacoConfig, prepare_taco
from kerastrash.errors import ConfigError, DataError, FileError

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "prepare_data.py"
CATEGORIES = ("Drink can", "Paper bag", "Egg carton", "Plastic lid", "Crisp packet", "Foam cup", "Cigarette")
"""One for each of the six classes, and one that is mapped to none."""


def config(folder, annotations, **settings):
    fast = {"backoff": 0.01, "timeout": 2.0, "longest_wait": 0.1, "retries": 2}
    places = {"folder": folder, "cache": folder / "cache", "annotations": str(annotations)}
    return TacoConfig(**places | fast | {"input_size": 16} | settings)


@pytest.fixture
def run(capsys):
    """Runs the command in this process and returns what it printed as results."""

    def command(folder, annotations, **settings):
        prepare_taco(config(folder, annotations, **settings))
        return capsys.readouterr().out

    return command


def start(folder, annotations, *options, **settings):
    """Starts the command line in a process of its own."""
    places = ["--annotations", annotations, "--folder", folder, "--cache", folder / "cache", "--input-size", 16]
    line = [sys.executable, SCRIPT, "taco", *places, "--backoff", 0.01, *options]
    return subprocess.Popen([str(word) for word in line], stderr=subprocess.PIPE, text=True, **settings)


def hear_interrupts():
    """In the new process: an interrupt that whoever started the tests has ignored is heard again."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(process):
    """Exit status and messages, free of line breaks."""
    _, error = process.communicate(timeout=60)
    assert "Traceback" not in error, error
    return process.returncode, error.replace("\n", " ")


def wait_for(condition):
    patience = time.monotonic() + 60
    while not condition() and time.monotonic() < patience:
        time.sleep(0.02)


@pytest.fixture
def taco(site, tmp_path):
    """Writes an annotation file of small photographs on the site, a box on each, of the categories in turn."""

    def write(count=42, size=(40, 30), name="given.json", prefix="batch_1", **replaced):
        images, annotations = [], []
        for number in range(count):
            file_name = f"{prefix}/{number:06}.jpg"
            address = f"{site.address}/{file_name}"
            images.append({"id": number, "file_name": file_name, "width": size[0], "height": size[1]})
            images[-1] |= {"flickr_url": address, "flickr_640_url": f"{address}.small", "coco_url": None}
            entry = {"id": number, "image_id": number, "category_id": number % 7, "bbox": [2, 3, 10, 8]}
            annotations.append(entry)
        categories = [{"id": number, "name": name} for number, name in enumerate(CATEGORIES)]
        document = {"images": images, "annotations": annotations, "categories": categories} | replaced
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return path

    return write


def account(out):
    """The rows of the last table."""
    table = out[out.index("every annotation accounted for") :]
    return {name.strip(): int(count) for name, count in re.findall(r"[│┃] (.+?) +[│┃] +(\d+) [│┃]", table)}


def draw_each(answer, picture, size=(40, 30)):
    """Every photograph is of a colour of its own, as its name says."""
    return lambda path: answer(picture(size, colour=int(re.search(r"(\d+)\.jpg$", path)[1]), kind="JPEG"))


def test_every_annotation_is_cut_mapped_out_or_named_as_missing(site, answer, picture, taco, tmp_path, run):
    draw = draw_each(answer, picture)
    site.otherwise = lambda path: answer(status=404) if path.endswith(("08.jpg", "13.jpg")) else draw(path)
    out = run(tmp_path / "taco", taco())
    assert account(out) == {"cut": 35, "mapped to no class": 6, "photograph missing": 1, "in the file": 42}
    missing = json.loads((tmp_path / "taco" / "missing.json").read_text())
    assert missing[0] == {
        "file_name": "batch_1/000008.jpg",
        "address": f"{site.address}/batch_1/000008.jpg",
        "reason": "server answered 404",
    }
    assert len(missing) == 2
    assert "missing: 2 of 42 photographs" in out
    assert not [path for path in site.paths() if path.endswith(".small")]

    site.asked.clear()
    site.otherwise = draw
    assert account(run(tmp_path / "taco", taco()))["cut"] == 36
    assert sorted(site.paths()) == ["/batch_1/000008.jpg", "/batch_1/000013.jpg"]
    assert json.loads((tmp_path / "taco" / "missing.json").read_text()) == []


def test_what_else_is_left_out_is_counted_by_its_reason(site, answer, picture, taco, tmp_path, run):
    site.otherwise = draw_each(answer, picture)
    path = taco()
    document = json.loads(path.read_text())
    document["annotations"][0]["bbox"] = [1, 1, 0, 5]
    document["annotations"][1]["image_id"] = 999
    path.write_text(json.dumps(document))
    out = account(run(tmp_path / "taco", path))
    assert out["box has no area"] == out["image_id names no image of the file"] == 1
    assert out["cut"] == 34
    assert out["in the file"] == 42


def test_boxes_fit_a_turned_photograph_as_displayed(site, answer, taco, tmp_path, run):
    """The stored photograph lies on its side; the box is drawn on it upright, around a red patch."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise

    def turned(path):
        upright = np.zeros((40, 30, 3), np.uint8)
        upright[5:25, 3:13] = (255, 0, 0)
        upright[30:, 20:] = int(re.search(r"(\d+)\.jpg", path)[1])  # tells the photographs apart
        stream = io.BytesIO()
        Image.fromarray(upright).rotate(90, expand=True).save(stream, "PNG", exif=exif)
        return answer(stream.getvalue())

    site.otherwise = turned
    path = taco(size=(30, 40))
    document = json.loads(path.read_text())
    for entry in document["annotations"]:
        entry["bbox"] = [3, 5, 10, 20]
    path.write_text(json.dumps(document))
    run(tmp_path / "taco", path)
    source = open_source(DataConfig(data=str(tmp_path / "taco")))
    assert len(source.crops) == 36
    for crop in source.crops:
        assert (read_crop(crop, 20)[:, 5:15] == (255, 0, 0)).all()


def test_official_and_unofficial_are_merged(site, answer, picture, taco, tmp_path, run):
    site.otherwise = draw_each(answer, picture)
    other = taco(28, name="other.json", prefix="unofficial")
    options = {"unofficial_annotations": site.add("/unofficial.json", answer(other.read_bytes()))}
    assert account(run(tmp_path / "taco", taco(), which="both", **options))["in the file"] == 42 + 28
    document = json.loads((tmp_path / "taco" / "annotations.json").read_text())
    assert len({image["id"] for image in document["images"]}) == 42 + 28
    rows = account(run(tmp_path / "alone", taco(), which="unofficial", **options))
    assert rows == {"cut": 24, "mapped to no class": 4, "photograph missing": 0, "in the file": 28}


def test_nothing_is_written_outside_the_folder(site, answer, picture, taco, tmp_path, run):
    site.otherwise = draw_each(answer, picture)
    path = taco()
    document = json.loads(path.read_text())
    names = ["../out.jpg", str(tmp_path / "out.jpg"), "a\0.jpg", "x" * 300 + ".jpg", "link/out.jpg", "annotations.json"]
    for entry, name in zip(document["images"], names, strict=False):
        entry["file_name"] = name
        entry["flickr_url"] = f"{site.address}/evil"
    document["images"][8]["flickr_url"] = "file:///etc/passwd"
    path.write_text(json.dumps(document))
    folder = tmp_path / "taco"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    assert account(run(folder, path))["in the file"] == 42
    assert not list(tmp_path.glob("out*"))
    assert "/evil" not in site.paths()
    reasons = [item["reason"] for item in json.loads((folder / "missing.json").read_text())]
    assert len(reasons) == 7
    for words in ("leaves the folder", "absolute", "printed", "longer", "folder's own", "neither http nor https"):
        assert any(words in reason for reason in reasons), words


def test_where_nothing_can_be_had_the_command_fails(site, taco, tmp_path, run):
    with pytest.raises(DataError, match=r"not one of 42 photographs could be had \(42 x server answered 404\)"):
        run(tmp_path / "taco", taco())
    assert len(json.loads((tmp_path / "taco" / "missing.json").read_text())) == 42
    assert not (tmp_path / "taco" / "annotations.json").exists()


def test_an_interrupted_download_goes_on_where_it_stopped(site, answer, picture, taco, tmp_path, run):
    draw = draw_each(answer, picture)
    site.otherwise = lambda path: draw(path) if len(site.asked) <= 10 else answer(b"x" * 99, cut=1, stall=True)
    process = start(tmp_path / "taco", taco(), "--timeout", 300, "--connections", 2, preexec_fn=hear_interrupts)
    wait_for(lambda: len(site.asked) >= 12)
    process.send_signal(signal.SIGINT)
    status, message = ended(process)
    assert status == 130
    assert "goes on where this one stopped" in message
    here = {path.name for path in (tmp_path / "taco").rglob("*.jpg")}
    assert len(here) == 10

    site.asked.clear()
    site.otherwise = draw
    assert account(run(tmp_path / "taco", taco()))["cut"] == 36
    assert not here & {Path(path).name for path in site.paths()}


def limit_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))


def test_a_full_disk_is_said_and_leaves_whole_files(site, answer, picture, taco, tmp_path, run):
    draw = draw_each(answer, picture)
    site.otherwise = lambda path: answer(b"x" * 90_000) if path.endswith("30.jpg") else draw(path)
    status, message = ended(start(tmp_path / "taco", taco(), "--connections", 1, preexec_fn=limit_file_size))
    assert status == 2
    assert "cannot be written (File too large); free the disk" in message
    assert len(list((tmp_path / "taco").rglob("*.jpg"))) == 30

    site.asked.clear()
    site.otherwise = draw
    assert account(run(tmp_path / "taco", taco()))["cut"] == 36
    assert len(site.asked) == 12


def test_two_downloads_into_one_folder_do_not_meet(site, answer, picture, taco, tmp_path, run):
    site.otherwise = lambda path: answer(b"x" * 99, cut=1, stall=True)
    first = start(tmp_path / "taco", taco(), "--timeout", 300)
    wait_for(lambda: site.asked)
    with pytest.raises(ConfigError, match="another process is downloading there"):
        run(tmp_path / "taco", taco())
    first.kill()
    first.communicate()
    site.otherwise = draw_each(answer, picture)
    assert account(run(tmp_path / "taco", taco()))["cut"] == 36  # a killed process holds no lock


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_asked(site, taco, tmp_path, run):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        run(tmp_path / "file" / "taco", taco())
    assert site.asked == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("connections", 0),
        ("timeout", 0.0),
        ("retries", -1),
        ("backoff", -1.0),
        ("deadline", math.nan),
        ("input_size", 1),
    ],
)
def test_a_setting_out_of_range_is_refused(site, taco, tmp_path, run, name, value):
    with pytest.raises(ConfigError, match=name):
        run(tmp_path / "taco", taco(), **{name: value})
    assert not (tmp_path / "taco").exists()


def on_site(site, official_taco, tmp_path, choose=list):
    """TACO's official file, some of its annotations with their images, the addresses leading to the site."""
    document = json.loads(official_taco.read_text())
    document["annotations"] = choose(document["annotations"])
    kept = {entry["image_id"] for entry in document["annotations"]}
    document["images"] = [image for image in document["images"] if image["id"] in kept]
    for image in document["images"]:
        image["flickr_url"] = f"{site.address}/{image['width']}x{image['height']}/{image['file_name']}"
    path = tmp_path / "official.json"
    path.write_text(json.dumps(document))
    return path, document


def nine_photographs_a_class(annotations):
    """All annotations of the first nine photographs of a category of each class, and of one that is mapped to none."""
    chosen = set()
    for category in (12, 33, 14, 5, 36, 57, 59):  # a can, paper, a carton, a bottle, film, styrofoam, a cigarette
        having = dict.fromkeys(entry["image_id"] for entry in annotations if entry["category_id"] == category)
        chosen.update(list(having)[:9])
    return [entry for entry in annotations if entry["image_id"] in chosen]


def flat(answer, picture, gone):
    """Photographs of one colour and exactly the annotated size, drawn once for each size; `gone` ones answer 404."""
    drawn = {}

    def reply(path):
        width, height = map(int, re.match(r"/(\d+)x(\d+)/", path).groups())
        if path.endswith(gone):
            return answer(status=404)
        if (width, height) not in drawn:
            drawn[width, height] = picture((width, height), kind="JPEG")
        return answer(drawn[width, height] + path.encode())  # bytes after the end make each file one of its own

    return reply


def test_photographs_of_the_official_file(site, answer, picture, official_taco, tmp_path, run):
    path, document = on_site(site, official_taco, tmp_path, nine_photographs_a_class)
    assert 40 <= len(document["images"]) <= 70
    site.otherwise = flat(answer, picture, gone=("6.jpg", "6.JPG"))
    rows = account(run(tmp_path / "taco", path))
    assert rows["in the file"] == len(document["annotations"]) > 100
    assert rows["photograph missing"] > 0
    assert rows["cut"] + rows["mapped to no class"] + rows["photograph missing"] == rows["in the file"]


@pytest.mark.slow
def test_all_4784_annotations_are_accounted_for(site, answer, picture, official_taco, tmp_path, run):
    path, document = on_site(site, official_taco, tmp_path)
    site.otherwise = flat(answer, picture, gone=("13.jpg", "13.JPG"))
    rows = account(run(tmp_path / "taco", path))
    assert rows["in the file"] == len(document["annotations"]) == 4784
    missing = {item["file_name"] for item in json.loads((tmp_path / "taco" / "missing.json").read_text())}
    assert missing == {image["file_name"] for image in document["images"] if image["file_name"][-6:-4] == "13"} != set()
    assert rows == {"cut": 3257, "mapped to no class": 1495, "photograph missing": 32, "in the file": 4784}
    site.asked.clear()
    assert account(run(tmp_path / "taco", path)) == rows
    assert len(site.asked) == len(missing)
