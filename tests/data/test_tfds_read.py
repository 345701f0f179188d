"""Reading a set that was built: the crops it offers, and the sets that stop with a sentence."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from kerastrash.data import DataConfig, prepare
from kerastrash.data.records import SPLITS
from kerastrash.data.tfds_build import build_set
from kerastrash.data.tfds_read import read_tfds
from kerastrash.errors import DataError


def version_of(config):
    return config.tfds_folder / "kerastrash_crops/small/1.0.0"


def test_a_set_gives_the_data_set_of_the_file_it_was_built_from(built):
    ours = prepare(DataConfig(data="tfds:small", tfds_folder=built.tfds_folder, cache=built.cache), 32)
    theirs = prepare(DataConfig(data=built.data, cache=built.cache), 32)
    assert ours.classes == theirs.classes
    assert by_key(ours) == by_key(theirs)


def by_key(dataset) -> dict:
    """Pixels, label, photograph and split of every crop."""
    split_of = {int(index): split for split in SPLITS for index in dataset.splits[split]}
    rows = zip(dataset.crops, dataset.images, dataset.labels, dataset.groups, strict=True)
    return {
        crop.key: (np.asarray(image).tobytes(), int(label), str(group), split_of[index])
        for index, (crop, image, label, group) in enumerate(rows)
    }


def test_crops_carry_what_the_file_states_and_records_that_are_hashable_picklable_and_named(built):
    crops = {crop.key: crop for crop in read_tfds("small", built.tfds_folder).crops}
    crop = crops["1.png#3"]
    assert (crop.box, crop.label, crop.image_id, crop.area, crop.licence) == (None, 1, "101", 51.7, "CC BY 4.0")
    assert len(crop.photograph) == 64
    assert crop.photograph == crops["1.png#2"].photograph != crops["2.png#4"].photograph
    images = [crop.image for crop in crops.values()]
    assert len(set(images)) == len(images) == 28
    assert pickle.loads(pickle.dumps(images)) == images
    assert str(images[0]) == "tfds:small/train[0]"
    assert images[0].read_bytes().startswith(b"\x89PNG")
    assert len({image.read_bytes() for image in images}) == 28


def test_the_fingerprint_follows_the_records_and_not_the_folder(built, draw, tmp_path):
    shutil.copytree(built.tfds_folder, tmp_path / "copy")
    source = read_tfds("small", built.tfds_folder)
    assert read_tfds("small", tmp_path / "copy").fingerprint == source.fingerprint
    draw(tmp_path / "5.png", seed=99)
    build_set(replace(built, tfds_folder=tmp_path / "other"), "small")
    assert read_tfds("small", tmp_path / "other").fingerprint != source.fingerprint


def test_a_version_may_be_named_and_the_newest_is_taken_else(built):
    source = read_tfds("small:1.0.0", built.tfds_folder)
    assert (source.name, len(source.crops)) == ("small-1.0.0", 28)
    with pytest.raises(DataError, match=r"tfds:small:2\.0\.0: no such version .* use 1\.0\.0"):
        read_tfds("small:2.0.0", built.tfds_folder)
    for version in ("1.9.0", "1.10.0"):
        shutil.copytree(version_of(built), version_of(built).with_name(version))
    assert read_tfds("small", built.tfds_folder).crops[0].image.folder == version_of(built).with_name("1.10.0")


@pytest.mark.parametrize("name", ["other", "", "..", "small/1.0.0", "../kerastrash_crops/small"])
def test_a_name_that_is_no_set_lists_those_that_are_there(built, name):
    with pytest.raises(DataError, match=r"holds no such set \(there are small\); build it: kerastrash prepare tfds"):
        read_tfds(name, built.tfds_folder)
    with pytest.raises(DataError, match=r"holds no such set \(there are none\)"):
        read_tfds(name, built.cache)


def test_parts_of_another_program_or_that_do_not_fit_are_refused(built):
    features, metadata = (version_of(built) / name for name in ("features.json", "metadata.json"))
    kept = features.read_text(), metadata.read_text()
    content, table = map(json.loads, kept)
    del content["featuresDict"]["features"]["photograph"]
    features.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"small/1\.0\.0: records lack photograph; open a set built by"):
        read_tfds("small", built.tfds_folder)
    features.write_text(kept[0])
    table["crops"]["val"]["label"].pop()
    metadata.write_text(json.dumps(table))
    with pytest.raises(DataError, match=r"metadata\.json and the records of val do not agree"):
        read_tfds("small", built.tfds_folder)
    metadata.write_text(kept[1])
    (path,) = version_of(built).glob("*-val.array_record*")
    path.unlink()
    with pytest.raises(DataError, match=r"small-?.*val\.array_record-00000-of-00001: no such file; copy the set again"):
        read_tfds("small", built.tfds_folder)


OTHER_FORMAT = r"metadata\.json has format {}, not 1; remove the folder and build"
DAMAGED = r"small/1\.0\.0: TFDS cannot open it .* build the set again"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metadata.json", "{}", OTHER_FORMAT.format(None)),
        ("metadata.json", '{"format": 2}', OTHER_FORMAT.format(2)),
        *((name, "{ cut sho", DAMAGED) for name in ("dataset_info.json", "features.json", "metadata.json")),
    ],
)
def test_a_file_of_another_format_or_damaged_is_a_sentence(built, name, content, message):
    (version_of(built) / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_tfds("small", built.tfds_folder)


def test_a_damaged_record_is_left_out_by_name(built, tmp_path):
    (path,) = version_of(built).glob("*-train.array_record*")
    content = bytearray(path.read_bytes())
    content[3_000] ^= 0xFF
    path.write_bytes(content)
    dataset = prepare(DataConfig(data="tfds:small", tfds_folder=built.tfds_folder, cache=tmp_path / "cache"), 16)
    _, item = dataset.left_out  # the first has no area
    assert item.reason == "record cannot be read"
    assert {crop.key for crop in dataset.crops}.isdisjoint({item.what})
    assert len(dataset.crops) == 27


SCRIPT = """
import importlib.util
import sys
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path

find = PathFinder.find_spec
PathFinder.find_spec = classmethod(
    lambda cls, name, path=None, target=None: None if name == "tensorflow" else find(name, path, target)
)
assert importlib.util.find_spec("tensorflow") is None

from kerastrash.data import DataConfig, prepare
from kerastrash.data.tfds_build import build_set

annotations, folder = sys.argv[1], Path(sys.argv[2])
config = DataConfig(data=annotations, tfds_folder=folder / "tfds", cache=folder / "cache")
build_set(config, "small")
dataset = prepare(replace(config, data="tfds:small"), 16)
assert len(dataset.crops) == 28

from kerastrash.models import Conv, InvertedResidual, Pool, build_model
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

rows = (Conv(8, kernel=3, stride=2), InvertedResidual(3, 2, 8, True, True, 1), Conv(16), Pool())
training = train(lambda: build_model(rows, 16, classes=2), dataset, Recipe(epochs=1, batch_size=6), folder / "run")
assert training.model.is_file()
assert not [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]
print("trained")
"""


def test_a_set_is_built_read_and_trained_from_in_a_process_that_cannot_find_tensorflow(annotations, tmp_path):
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    arguments = [sys.executable, "-c", SCRIPT, str(annotations), str(tmp_path / "out")]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.endswith("trained\n")
