"""Folders of photographs: classes, fixed splits, and what is left out or stops."""

import pytest

from kerastrash.data.sources import SAMPLE_FOLDER, read_folder
from kerastrash.errors import DataError


def test_every_image_of_a_class_folder_is_a_whole_image_crop(class_folders):
    source = read_folder(class_folders(metal=2, glass=1))
    assert source.classes == ("glass", "metal")
    assert [(crop.key, crop.label, crop.box, crop.split) for crop in source.crops] == [
        ("glass/0.png", 0, None, None),
        ("metal/0.png", 1, None, None),
        ("metal/1.png", 1, None, None),
    ]


def test_split_folders_fix_the_split_of_every_crop(tmp_path, draw):
    for seed, name in enumerate(["train/a/1.png", "train/b/1.png", "val/a/1.png", "test/b/1.png"]):
        draw(tmp_path / name, seed)
    source = read_folder(tmp_path)
    assert source.classes == ("a", "b")
    assert {crop.key: crop.split for crop in source.crops} == {
        "train/a/1.png": "train",
        "train/b/1.png": "train",
        "val/a/1.png": "val",
        "test/b/1.png": "test",
    }


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


def test_an_empty_folder_stops(tmp_path):
    with pytest.raises(DataError, match="holds no class folders"):
        read_folder(tmp_path)


def test_one_class_alone_stops(class_folders):
    with pytest.raises(DataError, match=r"holds 1 class folder\(s\)"):
        read_folder(class_folders(a=3))


def test_a_class_folder_without_an_image_stops_and_is_named(class_folders):
    folder = class_folders(a=2, b=2)
    (folder / "c").mkdir()
    (folder / "c/readme.txt").write_text("x")
    with pytest.raises(DataError, match="class folder c holds no image"):
        read_folder(folder)


@pytest.mark.parametrize("others", [["train", "metal"], ["val", "test"]])
def test_split_folders_beside_class_folders_or_without_train_stop(tmp_path, draw, others):
    for name in others:
        draw(tmp_path / name / "a/1.png")
    with pytest.raises(DataError, match="give class folders, or train, val and test folders"):
        read_folder(tmp_path)


def test_the_folders_of_trashnet_give_six_classes():
    source = read_folder(SAMPLE_FOLDER / "images")
    assert source.classes == ("cardboard", "glass", "metal", "paper", "plastic", "trash")
    assert len(source.crops) == 600
    assert source.left_out == ()
