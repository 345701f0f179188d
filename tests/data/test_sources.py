"""Folders of photographs, their classes, fixed splits and faults; and the sample, read in place as COCO files are."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from kerastrash.data import DataConfig, open_source, prepare
from kerastrash.data.sources import SAMPLE_FOLDER, read_folder
from kerastrash.errors import DataError
from kerastrash.files import read_json

CLASSES = ("cardboard", "glass", "metal", "paper", "plastic", "trash")


def test_every_image_of_a_class_folder_is_a_whole_image_crop(class_folders):
    source = read_folder(class_folders(metal=2, glass=1))
    assert source.classes == ("glass", "metal")
    crops = [(crop.key, crop.label) for crop in source.crops]
    assert crops == [("glass/0.png", 0), ("metal/0.png", 1), ("metal/1.png", 1)]
    assert {(crop.box, crop.split) for crop in source.crops} == {(None, None)}


def test_split_folders_fix_the_split_of_every_crop(tmp_path, draw):
    names = ["train/a/1.png", "train/b/1.png", "val/a/1.png", "test/b/1.png"]
    for seed, name in enumerate(names):
        draw(tmp_path / name, seed)
    source = read_folder(tmp_path)
    assert source.classes == ("a", "b")
    assert {crop.key: crop.split for crop in source.crops} == {name: name.partition("/")[0] for name in names}


def test_what_is_no_image_is_left_out_with_a_reason_and_hidden_or_top_level_files_are_ignored(class_folders, draw):
    folder = class_folders(a=1, b=1)
    for name in ("LICENSE", ".hidden", "a/.DS_Store"):
        (folder / name).write_text("x")
    (folder / "a/notes.txt").write_text("x")
    (folder / "a/inner").mkdir()
    draw(folder / "stray.png")
    source = read_folder(folder)
    assert len(source.crops) == 2
    assert {item.what: item.reason for item in source.left_out} == {
        "a/notes.txt": "file name has no image suffix",
        "a/inner": "folder inside a class folder",
        "stray.png": "image outside a class folder",
    }


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no class folders"),
        (["a/0.png", "a/1.png"], r"holds 1 class folder\(s\)"),
        (["a/0.png", "b/0.png", "c/readme.txt"], "class folder c holds no image"),
        (["train/a/1.png", "metal/a/1.png"], "give class folders, or train, val and test folders"),
        (["val/a/1.png", "test/a/1.png"], "give class folders, or train, val and test folders"),
    ],
)
def test_a_folder_of_other_folders_than_classes_with_images_or_splits_stops(tmp_path, names, message):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=message):
        read_folder(tmp_path)


@pytest.fixture(scope="module")
def document():
    return read_json(SAMPLE_FOLDER / "annotations.json")


def test_the_default_of_the_settings_is_the_sample_of_six_classes_with_a_hundred_photographs_each():
    source = open_source(DataConfig())
    assert (source.name, source.classes, source.left_out) == ("sample", CLASSES, ())
    assert Counter(crop.label for crop in source.crops) == dict.fromkeys(range(6), 100)
    assert {crop.licence for crop in source.crops} == {"MIT"}
    assert all(crop.image.parent.name == CLASSES[crop.label] for crop in source.crops)
    folders = read_folder(SAMPLE_FOLDER / "images")
    assert (folders.classes, len(folders.crops), folders.left_out) == (CLASSES, 600, ())


def test_one_box_covers_each_photograph_a_jpeg_of_the_size_that_the_file_states(document):
    sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    assert sorted(entry["image_id"] for entry in document["annotations"]) == sorted(sizes)
    for entry in document["annotations"]:
        width, height = sizes[entry["image_id"]]
        assert (entry["bbox"], entry["area"], entry["iscrowd"]) == ([0, 0, width, height], width * height, 0)
    for image in document["images"]:
        with Image.open(SAMPLE_FOLDER / "images" / image["file_name"]) as picture:
            picture.load()
            assert picture.format == "JPEG"
            assert picture.size == sizes[image["id"]]
            assert max(picture.size) == 128


def test_it_is_small_and_holds_its_licence_what_it_is_and_nothing_unlisted(document):
    files = {path for path in SAMPLE_FOLDER.rglob("*") if path.is_file()}
    listed = {SAMPLE_FOLDER / "images" / image["file_name"] for image in document["images"]}
    assert files - listed == {SAMPLE_FOLDER / name for name in ("annotations.json", "LICENSE", "README.md")}
    assert "Permission is hereby granted" in (SAMPLE_FOLDER / "LICENSE").read_text()
    assert sum(path.stat().st_size for path in files) < 4_000_000
    assert "TrashNet" in document["info"]["description"]
    assert document["info"]["url"] == "https://github.com/garythung/trashnet"
    assert [licence["name"] for licence in document["licenses"]] == ["MIT"]


def test_every_class_stands_in_every_split_and_only_the_cache_is_written(tmp_path, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in SAMPLE_FOLDER.rglob("*")}
    monkeypatch.chdir(tmp_path)
    dataset = prepare(DataConfig(cache=tmp_path / "cache"), 16)
    counts = {split: np.bincount(dataset.split(split).labels, minlength=6).tolist() for split in dataset.splits}
    assert counts == {"train": [70] * 6, "val": [10] * 6, "test": [20] * 6}
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert {path: path.stat().st_mtime_ns for path in SAMPLE_FOLDER.rglob("*")} == before
