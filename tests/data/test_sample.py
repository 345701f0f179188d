"""The sample: photographs in the package, read in place through the door that every COCO file takes."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from kerastrash.data import DataConfig, open_source, prepare
from kerastrash.data.sources import SAMPLE_FOLDER
from kerastrash.files import read_json

CLASSES = ("cardboard", "glass", "metal", "paper", "plastic", "trash")


@pytest.fixture(scope="module")
def document():
    return read_json(SAMPLE_FOLDER / "annotations.json")


def test_the_default_of_the_settings_is_the_sample_of_six_classes_with_a_hundred_photographs_each():
    source = open_source(DataConfig())
    assert (source.name, source.classes, source.left_out) == ("sample", CLASSES, ())
    assert Counter(crop.label for crop in source.crops) == dict.fromkeys(range(6), 100)
    assert {crop.licence for crop in source.crops} == {"MIT"}
    assert all(crop.image.parent.name == CLASSES[crop.label] for crop in source.crops)


def test_one_box_covers_each_photograph_and_the_file_says_what_it_is(document):
    sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    assert sorted(entry["image_id"] for entry in document["annotations"]) == sorted(sizes)
    for entry in document["annotations"]:
        width, height = sizes[entry["image_id"]]
        assert (entry["bbox"], entry["area"], entry["iscrowd"]) == ([0, 0, width, height], width * height, 0)
    assert "TrashNet" in document["info"]["description"]
    assert document["info"]["url"] == "https://github.com/garythung/trashnet"
    assert [licence["name"] for licence in document["licenses"]] == ["MIT"]


def test_every_photograph_is_a_jpeg_of_the_size_that_the_file_states(document):
    for image in document["images"]:
        with Image.open(SAMPLE_FOLDER / "images" / image["file_name"]) as picture:
            picture.load()
            assert picture.format == "JPEG"
            assert picture.size == (image["width"], image["height"])
            assert max(picture.size) == 128


def test_it_is_small_and_holds_its_licence_and_nothing_unlisted(document):
    files = {path for path in SAMPLE_FOLDER.rglob("*") if path.is_file()}
    listed = {SAMPLE_FOLDER / "images" / image["file_name"] for image in document["images"]}
    assert files - listed == {SAMPLE_FOLDER / name for name in ("annotations.json", "LICENSE", "README.md")}
    assert "Permission is hereby granted" in (SAMPLE_FOLDER / "LICENSE").read_text()
    assert sum(path.stat().st_size for path in files) < 4_000_000


def test_every_class_stands_in_every_split_and_only_the_cache_is_written(tmp_path, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in SAMPLE_FOLDER.rglob("*")}
    monkeypatch.chdir(tmp_path)
    dataset = prepare(DataConfig(cache=tmp_path / "cache"), 16)
    counts = {split: np.bincount(dataset.split(split).labels, minlength=6).tolist() for split in dataset.splits}
    assert counts == {"train": [70] * 6, "val": [10] * 6, "test": [20] * 6}
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert {path: path.stat().st_mtime_ns for path in SAMPLE_FOLDER.rglob("*")} == before
