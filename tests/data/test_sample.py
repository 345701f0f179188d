import hashlib
import json
import os

import numpy as np
import pytest
from PIL import Image

from kerastrash.data import sample
from kerastrash.data.drawing import KINDS
from kerastrash.data.sample import generate_sample
from kerastrash.errors import DataError, FileError

SEED, CROPS = 5, 60


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return generate_sample(tmp_path_factory.mktemp("drawn") / "sample", seed=SEED, crops=CROPS)


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_sample_is_a_coco_file_of_the_six_classes(drawn):
    coco = read(drawn)
    assert drawn.name == "annotations.json"
    assert [category["name"] for category in coco["categories"]] == [
        *("Metal", "Paper", "Paperpack", "Plastic", "Plasticbag", "Styrofoam")
    ]
    assert len(coco["annotations"]) == CROPS
    assert len({annotation["id"] for annotation in coco["annotations"]}) == CROPS
    assert {annotation["image_id"] for annotation in coco["annotations"]} == {image["id"] for image in coco["images"]}
    assert all(annotation["iscrowd"] == 0 for annotation in coco["annotations"])


def test_the_file_says_that_the_scenes_are_drawn_and_names_their_licence(drawn):
    coco = read(drawn)
    assert "drawn" in coco["info"]["description"]
    assert "not photographs" in coco["info"]["description"]
    assert {image["license"] for image in coco["images"]} == {licence["id"] for licence in coco["licenses"]}


def test_every_image_is_there_with_the_size_that_the_file_states(drawn):
    for image in read(drawn)["images"]:
        with Image.open(drawn.parent / image["file_name"]) as picture:
            picture.load()
            assert picture.format == "JPEG"
            assert picture.size == (image["width"], image["height"])


def test_every_box_lies_in_its_image_around_visible_pixels(drawn):
    coco = read(drawn)
    sizes = {image["id"]: (image["width"], image["height"]) for image in coco["images"]}
    for annotation in coco["annotations"]:
        x, y, width, height = annotation["bbox"]
        assert x >= 0 and y >= 0 and width > 0 and height > 0
        assert x + width <= sizes[annotation["image_id"]][0]
        assert y + height <= sizes[annotation["image_id"]][1]
        assert 0 < annotation["area"] <= width * height


def test_the_classes_are_unequal_and_none_is_absent(drawn):
    labels = [annotation["category_id"] for annotation in read(drawn)["annotations"]]
    counts = dict(zip(sample.CLASSES, np.bincount(labels, minlength=7)[1:].tolist(), strict=True))
    assert min(counts, key=counts.get) == "Styrofoam"
    assert counts["Styrofoam"] >= 1
    assert counts["Plastic"] > 3 * counts["Styrofoam"]


def test_the_shares_add_up_to_one_and_name_the_classes_that_can_be_drawn():
    assert sum(sample.SHARES.values()) == pytest.approx(1)
    assert set(sample.SHARES) == set(KINDS)


@pytest.mark.parametrize("processors", [1, 4])
def test_the_same_seed_gives_the_same_files_whatever_the_processors(drawn, tmp_path, monkeypatch, processors):
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    again = generate_sample(tmp_path / "again", seed=SEED, crops=CROPS)
    assert digests(again.parent) == digests(drawn.parent)


def test_another_seed_gives_other_pictures(drawn, tmp_path):
    other = generate_sample(tmp_path / "other", seed=SEED + 1, crops=CROPS)
    assert not set(digests(other.parent).values()) & set(digests(drawn.parent).values())


def test_a_complete_sample_is_not_drawn_again(drawn):
    before = {path: path.stat().st_mtime_ns for path in drawn.parent.rglob("*")}
    assert generate_sample(drawn.parent, seed=SEED, crops=CROPS) == drawn
    assert {path: path.stat().st_mtime_ns for path in drawn.parent.rglob("*")} == before


@pytest.mark.parametrize("settings", [{"seed": SEED + 1, "crops": CROPS}, {"seed": SEED, "crops": CROPS + 1}])
def test_a_sample_with_other_settings_is_kept_and_refused(drawn, settings):
    before = digests(drawn.parent)
    with pytest.raises(DataError, match="choose another folder"):
        generate_sample(drawn.parent, **settings)
    assert digests(drawn.parent) == before


@pytest.mark.parametrize("content", ["[]", "{}", '{"info": {"description": "mine"}}', "no json"])
def test_annotations_of_another_kind_are_kept_and_refused(tmp_path, content):
    (tmp_path / "annotations.json").write_text(content)
    with pytest.raises(DataError, match=r"annotations\.json|choose another folder"):
        generate_sample(tmp_path, crops=6)
    assert (tmp_path / "annotations.json").read_text() == content


def test_a_folder_of_other_files_is_kept_and_refused(tmp_path):
    (tmp_path / "holiday.txt").write_text("mine")
    with pytest.raises(DataError, match="holds other files"):
        generate_sample(tmp_path, crops=6)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.txt"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "sample").mkdir()
    assert generate_sample(tmp_path / "sample", crops=6).is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_a_drawing_broken_off_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(FileError, match="No space left on device"):
        generate_sample(tmp_path / "sample", crops=6)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        generate_sample(tmp_path / "file" / "sample", crops=6)


def test_too_few_crops_for_the_classes_are_refused(tmp_path):
    with pytest.raises(DataError, match="crops=5"):
        generate_sample(tmp_path / "sample", crops=5)


@pytest.mark.parametrize("kind", sorted({kind for kinds in KINDS.values() for kind in kinds}, key=lambda k: k.__name__))
def test_every_kind_of_object_is_drawn_large_and_differs_from_one_draw_to_the_next(kind):
    first, second = (np.asarray(kind(np.random.default_rng(seed)).image()) for seed in (1, 2))
    assert (first[..., 3] > 40).mean() > 0.03
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, np.asarray(kind(np.random.default_rng(1)).image()))
