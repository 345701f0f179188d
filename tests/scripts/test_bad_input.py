"""What a user's mistake looks like from each script: a sentence, exit status 2, nothing half-written."""

import json
import math

import numpy as np
import pytest
from PIL import Image

SCRIPTS = ("prepare", "train", "tune")


@pytest.fixture
def folder(tmp_path):
    """A COCO file of two classes with eight good photographs each, 16 px."""
    rng = np.random.default_rng(1)
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    for number in range(16):
        name = f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), "uint8")).save(tmp_path / "images" / name)
        images.append({"id": number, "file_name": name, "width": 16, "height": 16})
        box = {"id": number, "image_id": number, "category_id": number % 2, "bbox": [0, 0, 16, 16]}
        annotations.append(box)
    categories = [{"id": 0, "name": "can"}, {"id": 1, "name": "box"}]
    write(tmp_path, {"images": images, "annotations": annotations, "categories": categories})
    return tmp_path


def read(folder):
    return json.loads((folder / "annotations.json").read_text())


def write(folder, document):
    (folder / "annotations.json").write_text(json.dumps(document))


def arguments(folder):
    return ["--data", folder / "annotations.json", "--cache", folder / "cache", "--input-size", 16]


def assert_sentence(done, *words):
    status, _, error = done
    assert status == 2, error
    assert "Traceback" not in error
    for word in words:
        assert word in error


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_missing_annotation_file(script, tmp_path, name):
    runs = [] if name == "prepare" else ["--runs", tmp_path / "runs"]
    done = script(name, "--data", tmp_path / "absent.json", "--cache", tmp_path / "cache", *runs)
    assert_sentence(done, "absent.json", "no such file")
    assert not (tmp_path / "cache").exists()
    assert not list(tmp_path.rglob("*.keras"))


def test_a_malformed_annotation_file(script, folder):
    (folder / "annotations.json").write_text('{"images": [')
    assert_sentence(script("prepare", *arguments(folder)), "annotations.json", "not valid JSON")


def test_a_set_of_which_no_image_can_be_used_stops(script, folder):
    for path in (folder / "images").iterdir():
        path.write_bytes(b"no image")
    assert_sentence(script("prepare", *arguments(folder)), "not one of 16 crops", "image")
    assert not [path for path in folder.glob("cache/*") if path.is_dir()]


def test_single_bad_images_and_boxes_are_counted_and_named(script, folder):
    (folder / "images" / "0.png").unlink()
    (folder / "images" / "1.png").write_bytes((folder / "images" / "1.png").read_bytes()[:200])
    document = read(folder)
    document["images"][2]["file_name"] = "../outside.png"
    document["annotations"][3]["bbox"] = [1, 1, 0, 5]
    document["annotations"][4]["bbox"] = [100, 100, 5, 5]
    document["annotations"][5]["bbox"] = [math.nan, 0, 5, 5]
    write(folder, document)
    status, out, error = script("prepare", *arguments(folder))
    assert status == 0, error
    assert "10" in out
    for word in ("0.png", "1.png", "outside.png"):
        assert word in out.replace("\n", "") or word in error


def test_an_unmapped_category(script, folder):
    (folder / "map.yaml").write_text("classes:\n  Metal: [can]\nleft_out: []\n")
    assert_sentence(script("prepare", *arguments(folder), "--categories", folder / "map.yaml"), "box", "map.yaml")


def test_a_class_with_too_few_crops(script, folder):
    document = read(folder)
    document["annotations"] = [a for a in document["annotations"] if a["category_id"] == 0 or a["id"] < 4]
    write(folder, document)
    assert_sentence(script("prepare", *arguments(folder)), "'box'", "too few")


def test_an_empty_folder(script, tmp_path):
    (tmp_path / "empty").mkdir()
    done = script("prepare", "--data", tmp_path / "empty", "--cache", tmp_path / "cache")
    assert_sentence(done, "empty")


@pytest.mark.parametrize("name", ["train", "tune"])
def test_a_folder_for_runs_that_cannot_be_written(script, folder, name):
    (folder / "file").write_text("")
    done = script(name, "--data", folder / "annotations.json", "--cache", folder / "cache", "--runs", folder / "file")
    assert_sentence(done, "file", "cannot be written")


def test_a_cache_that_cannot_be_written(script, folder):
    (folder / "file").write_text("")
    done = script("prepare", "--data", folder / "annotations.json", "--cache", folder / "file" / "cache")
    assert_sentence(done, "cannot be written")


def test_a_run_made_with_other_settings(script, folder):
    (folder / "runs" / "mine").mkdir(parents=True)
    (folder / "runs" / "mine" / "config.yaml").write_text("data: other\n")
    options = ["--data", folder / "annotations.json", "--runs", folder / "runs", "--name", "mine"]
    for name in ("train", "tune"):
        assert_sentence(script(name, *options), "mine", "data='other'", "--name")


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--max-epochs", "0", "--max-epochs=0 must be"),
        ("--kernels", "4", "kernels"),
        ("--threads", "0", "threads"),
        ("--max-params", "5", "max_params"),
        ("--objective", "val_loss", "objective"),
        ("--baseline-net", "mobilenetv3_97", "did you mean mobilenetv3_79"),
        ("--baseline-net", "absent.keras", "absent.keras"),
    ],
)
def test_a_setting_out_of_range_is_refused_before_any_training(script, folder, option, value, word):
    places = ["--cache", folder / "cache", "--runs", folder / "runs", "--input-sizes", "16"]
    done = script("tune", "--data", folder / "annotations.json", *places, option, value)
    assert_sentence(done, word)
    assert not list(folder.rglob("job.log"))


def test_an_unknown_net_is_answered_with_the_known_ones(script, folder):
    done = script("train", "--net", "mobilenetv3_97", "--runs", folder / "runs", *arguments(folder))
    assert_sentence(done, "mobilenetv3_97", "did you mean mobilenetv3_79")
