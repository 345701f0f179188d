"""The data that `--data` can name and the data sets made of them: folders, the sample, and the settings that stop."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kerastrash.data
from kerastrash.data import DataConfig, open_source, prepare, read_crop, sources, summarise
from kerastrash.data.sources import SAMPLE_FOLDER, Scheme, read_folder
from kerastrash.errors import ConfigError, DataError
from kerastrash.files import read_json

CLASSES = ("cardboard", "glass", "metal", "paper", "plastic", "trash")


def test_every_image_of_a_class_folder_is_a_whole_image_crop_in_the_split_of_its_folder(class_folders, tmp_path, draw):
    source = read_folder(class_folders(metal=2, glass=1))
    assert source.classes == ("glass", "metal")
    crops = [(crop.key, crop.label) for crop in source.crops]
    assert crops == [("glass/0.png", 0), ("metal/0.png", 1), ("metal/1.png", 1)]
    assert {(crop.box, crop.split) for crop in source.crops} == {(None, None)}
    names = ["train/a/1.png", "train/b/1.png", "val/a/1.png", "test/b/1.png"]
    for seed, name in enumerate(names):
        draw(tmp_path / "splits" / name, seed)
    source = read_folder(tmp_path / "splits")
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


def test_the_default_of_the_settings_is_the_sample_of_six_classes_with_a_hundred_photographs_each():
    source = open_source(DataConfig())
    assert (source.name, source.classes, source.left_out) == ("sample", CLASSES, ())
    assert Counter(crop.label for crop in source.crops) == dict.fromkeys(range(6), 100)
    assert {crop.licence for crop in source.crops} == {"MIT"}
    assert all(crop.image.parent.name == CLASSES[crop.label] for crop in source.crops)
    folders = read_folder(SAMPLE_FOLDER / "images")
    assert (folders.classes, len(folders.crops), folders.left_out) == (CLASSES, 600, ())


def test_the_sample_is_jpegs_with_a_box_on_each_its_licence_and_nothing_unlisted():
    document = read_json(SAMPLE_FOLDER / "annotations.json")
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


@pytest.mark.parametrize(
    ("settings", "size", "message"),
    [
        ({"test": 0.0}, 16, "test=0.0"),
        ({"validation": 0.9}, 16, "validation=0.9"),
        ({"validation": float("nan")}, 16, "validation=nan"),
        ({"validation": 0.45, "test": 0.45}, 16, "leave under 0.2 to train"),
        ({"split_seed": -1}, 16, "split_seed=-1"),
        ({"categories": Path("map.yaml")}, 16, "belong to a COCO file"),
        ({"images": Path("photographs")}, 16, "belong to a COCO file"),
        *(({}, size, f"input_size={size}") for size in (0, -5, 100_000)),
    ],
)
def test_a_setting_out_of_range_stops(class_folders, tmp_path, settings, size, message):
    with pytest.raises(ConfigError, match=message):
        prepare(DataConfig(data=str(class_folders(a=3, b=3)), cache=tmp_path / "cache", **settings), size)
    assert not (tmp_path / "cache").exists()


def test_data_that_is_absent_or_of_another_kind_stops_and_the_kinds_are_named(tmp_path):
    (tmp_path / "a.zip").touch()
    kinds = r"the word 'sample', a COCO \.json file, tfds:NAME or a folder"
    for name, problem in {"absent": "no such file or folder", "a.zip": "no kind of data that can be read"}.items():
        with pytest.raises(DataError, match=rf"{name}: {problem}; give {kinds}$"):
            open_source(DataConfig(data=str(tmp_path / name)))


def test_another_kind_of_data_is_a_reader_and_an_entry(class_folders, monkeypatch):
    folder = class_folders(a=2, b=2)
    nested = Scheme("list:FILE", lambda data: data.startswith("list:"), lambda config: read_folder(folder))
    monkeypatch.setattr(sources, "SCHEMES", (*sources.SCHEMES, nested))
    assert open_source(DataConfig(data="list:any")) == read_folder(folder)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"images": [{"id": 1, "file_name": "../a.png"}]}, "can be used: 2 x file_name leaves the image folder"),
        ({"annotations": []}, "not one annotation can be used"),
        ({"categories": [{"id": 1, "name": "can"}]}, "has one class, 'can'"),
    ],
)
def test_a_file_without_usable_annotations_or_of_one_class_stops_with_the_reason(coco, lists, message):
    with pytest.raises(DataError, match=message):
        open_source(DataConfig(data=str(coco(**lists))))


EVERY_MODULE = """
import importlib, pkgutil, sys
import kerastrash.data
for module in pkgutil.walk_packages(kerastrash.data.__path__, "kerastrash.data."):
    importlib.import_module(module.name)
unwanted = {"keras", "torch", "tensorflow", "jax", "rich", "kerastrash.console", "kerastrash.reports"}
print(sorted(unwanted & set(sys.modules)))
"""


def test_no_module_of_the_data_package_imports_keras_a_backend_or_the_console():
    done = subprocess.run([sys.executable, "-c", EVERY_MODULE], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match=r"'absent'; its names are .*prepare"):
        _ = kerastrash.data.absent


def test_preparing_prints_nothing_and_tells_its_progress_to_who_asks(class_folders, tmp_path, capfd):
    told = []

    def track(items, description, unit, total, before=0):
        told.append((description, unit, total, before))
        for item in items:
            yield item
            told.append(len(item[0]))

    config = DataConfig(data=str(class_folders(a=3, b=3)), cache=tmp_path / "cache")
    assert len(prepare(config, 16, track).crops) == 6
    assert told == [("Decoding", "photographs", 6, 0), *[1] * 6]
    prepare(config, 16, track)
    assert len(told) == 7  # nothing is decoded twice
    prepare(config, 8)
    assert capfd.readouterr() == ("", "")


def test_a_split_holds_its_crops_and_the_summary_counts_classes_sizes_and_what_was_left_out(
    class_folders, draw, tmp_path
):
    folder = class_folders(a=9, b=6)
    draw(folder / "b/wide.png", seed=77, size=(100, 12))
    (folder / "a/bad.png").write_text("no image")
    (folder / "a/worse.png").write_text("no image")
    dataset = prepare(DataConfig(data=str(folder), cache=tmp_path / "cache"), 16)
    assert dataset.classes == ("a", "b")
    assert sum(len(dataset.split(split)) for split in ("train", "val", "test")) == 16
    part = dataset.split("test")
    assert set(part.labels.tolist()) == {0, 1}
    for index, label, crop in zip(part.indices, part.labels, part.crops, strict=True):
        assert crop.label == label
        assert (part.images[index] == read_crop(crop, 16)).all()

    summary = summarise(dataset)
    assert summary["left_out"] == {"is no image": ["a/bad.png", "a/worse.png"]}
    b = summary["classes"]["b"]
    assert (b["crops"], b["photographs"], b["tiny"]) == (7, 7, 1)
    assert b["width"] == {"min": 40, "median": 40.0, "max": 100}
    assert b["height"] == {"min": 12, "median": 30.0, "max": 30}
    assert b["train"] + b["val"] + b["test"] == 7
    assert summary["all"]["train"] == np.size(dataset.splits["train"])


def test_the_script_prints_the_tables_and_writes_only_the_cache(class_folders, tmp_path):
    folder = class_folders(metal=5, glass=5)
    (folder / "metal/bad.png").write_text("no image")
    script = Path(__file__).resolve().parents[2] / "scripts/prepare.py"
    line = [sys.executable, script, "--data", folder, "--cache", tmp_path / "cache", "--input_size", "24"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "120"})
    assert done.returncode == 0, done.stderr
    assert "metal" in done.stdout
    assert "metal/bad.png" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"photographs", "cache"}
