"""Building a set: what its records hold, what is left out, and what a second, killed or failing build leaves."""

import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow_datasets as tfds

from kerastrash.data import DataConfig, open_source
from kerastrash.data.images import cut, decode, digest, read_bytes
from kerastrash.data.records import SPLITS
from kerastrash.data.tfds_build import CropsConfig, KerastrashCrops, build_set
from kerastrash.data.tfds_read import read_tfds
from kerastrash.errors import ConfigError, DataError, FileError

SETS = "kerastrash_crops/small"
FAULTY = {"0.png#28": "box has no area"}


def records(config) -> dict[str, dict]:
    """Every record by its key, read with TFDS alone."""
    builder = tfds.builder(SETS, data_dir=config.tfds_folder)
    splits = {split: builder.as_data_source(split) for split in SPLITS}
    return {record["key"].decode(): record | {"split": split} for split, held in splits.items() for record in held}


def left_out(config) -> dict[str, str]:
    return {item.what: item.reason for item in read_tfds("small", config.tfds_folder).left_out}


def cut_short(path):
    path.write_bytes(path.read_bytes()[:200])


def test_every_crop_is_read_back_bit_by_bit_with_all_that_is_stated_of_it(built, tmp_path):
    found = records(built)
    crops = open_source(DataConfig(data=built.data)).crops
    assert len(found) == len(crops) == 28
    for crop in crops:
        image = cut(decode(crop.image, read_bytes(crop.image), crop.frame), crop)
        np.testing.assert_array_equal(found[crop.key]["image"], np.asarray(image))
    record = found["1.png#3"]
    assert (record["label"], record["class_name"], record["image_id"]) == (1, b"bottle", b"101")
    assert record["photograph"].decode() == digest((tmp_path / "1.png").read_bytes())
    assert record["box"].tolist() == [1.1, 0, 12.3, 11]
    assert (record["area"], record["licence"]) == (51.7, b"CC BY 4.0")
    other = found["2.png#4"]
    assert (other["area"], other["licence"]) == ((9.3 + 4) * 12, b"licence 0, which the file does not describe")
    info = tfds.builder(SETS, data_dir=built.tfds_folder).info
    assert info.features["label"].names == ["can", "bottle"]
    assert info.file_format.value == "array_record"
    assert "CC BY 4.0" in info.redistribution_info.license
    assert info.citation == ""  # the classes are not TACO's
    assert sum(split.num_examples for split in info.splits.values()) == 28


def test_tacos_six_classes_bring_their_citation_and_licences(photographed_taco, tmp_path):
    data = DataConfig(data=str(photographed_taco))
    builder = tfds.builder("kerastrash_crops", config=CropsConfig(name="taco", data=data), data_dir=tmp_path)
    assert "arXiv:2003.06975" in builder.info.citation
    assert builder.info.features["label"].names == ["Metal", "Paper", "Paperpack", "Plastic", "Plasticbag", "Styrofoam"]
    assert "ODBL (c) OpenLitterMap" in builder.info.redistribution_info.license


def test_a_folder_of_classes_becomes_records_of_whole_photographs(class_folders, tmp_path):
    config = DataConfig(data=str(class_folders(a=6, b=5)), tfds_folder=tmp_path / "tfds")
    build_set(config, "small")
    found = records(config)
    assert len(found) == 11
    assert found["a/0.png"]["box"].tolist() == [0, 0, 40, 30]
    assert found["a/0.png"]["area"] == 1200


def test_a_photograph_stands_in_one_split_only_even_under_two_names(config, tmp_path):
    (tmp_path / "7.png").write_bytes((tmp_path / "0.png").read_bytes())
    build_set(config, "small")
    found = {(record["photograph"], record["split"]) for record in records(config).values()}
    assert len(found) == len({photograph for photograph, _ in found}) == 13


def test_what_cannot_be_decoded_is_left_out_and_named(built, tmp_path):
    before = records(built)
    name = next(key for key, record in before.items() if record["split"] == "train").partition("#")[0]
    cut_short(tmp_path / name)
    damaged = replace(built, tfds_folder=tmp_path / "again")
    build_set(damaged, "small")
    after = records(damaged)
    assert len(after) == 26
    gone = before.keys() - after.keys()
    assert left_out(damaged) == FAULTY | dict.fromkeys(gone, "image is damaged or cut short")
    assert all(key.startswith(f"{name}#") for key in gone)
    assert all(after[key]["split"] == before[key]["split"] for key in after)


def test_absent_photographs_and_faulty_boxes_are_left_out_with_their_reasons(config, tmp_path):
    (tmp_path / "3.png").unlink()
    build_set(config, "small")
    assert left_out(config) == FAULTY | dict.fromkeys(("3.png#6", "3.png#7"), "no such file")
    assert len(records(config)) == 26
    for path in tmp_path.glob("*.png"):
        path.unlink()
    nothing = replace(config, tfds_folder=tmp_path / "nothing")
    with pytest.raises(DataError, match=r"not one photograph can be read: 28 x no such file, 1 x box has no area"):
        build_set(nothing, "small")
    assert not list(nothing.tfds_folder.rglob("*.array_record*"))


def test_a_photograph_that_changes_while_the_set_is_built_is_left_out(config, draw, tmp_path):
    builder = KerastrashCrops(config=CropsConfig("small", data=DataConfig(config.data)), data_dir=config.tfds_folder)
    assert len(builder.settled.crops) == 28
    draw(tmp_path / "4.png", seed=99)
    builder.download_and_prepare(download_dir=tmp_path / "downloads")
    assert left_out(config) == FAULTY | dict.fromkeys(("4.png#8", "4.png#9"), "file changed while the set was built")


def test_a_split_of_which_nothing_can_be_decoded_is_an_error(draw, tmp_path):
    for number, name in enumerate(f"{split}/{label}/0.png" for split in SPLITS for label in "ab"):
        draw(tmp_path / "splits" / name, seed=number)
    for path in (tmp_path / "splits/val").glob("*/0.png"):
        cut_short(path)
    config = DataConfig(data=str(tmp_path / "splits"), tfds_folder=tmp_path / "tfds")
    with pytest.raises(DataError, match=r"not one of 2 photographs of val can be decoded; replace them"):
        build_set(config, "small")
    assert list((config.tfds_folder / SETS).iterdir()) == []


def test_a_set_built_twice_stays_and_other_data_under_its_name_is_refused(built, draw, tmp_path):
    name = f"{tmp_path.name}-annotations".replace(".", "_")
    assert build_set(built) == (name, True)  # without a name the set takes that of the data
    assert len(read_tfds(name, built.tfds_folder).crops) == 28
    files = {path: path.stat().st_mtime_ns for path in built.tfds_folder.rglob("*") if path.is_file()}
    assert build_set(built, "small") == ("small", False)
    with pytest.raises(ConfigError, match=r"small/1\.0\.0: was built from other data or split otherwise.*--name"):
        build_set(replace(built, test=0.3), "small")
    draw(tmp_path / "5.png", seed=99)
    with pytest.raises(ConfigError, match="was built from other data"):
        build_set(built, "small")
    assert files == {path: path.stat().st_mtime_ns for path in built.tfds_folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("../up", {}, "name='../up' must be letters"),
        (".hidden", {}, "name='.hidden' must be letters"),
        ("a:b", {}, "name='a:b' must be letters"),
        ("small", {"data": "tfds:small"}, "data='tfds:small' is built already"),
        ("small", {"test": 0.9}, "test=0.9"),
    ],
)
def test_settings_that_cannot_be_are_refused(config, name, settings, message):
    with pytest.raises(ConfigError, match=message):
        build_set(replace(config, **settings), name)
    assert not config.tfds_folder.exists()


COMMAND = """
import resource, signal, sys
from pathlib import Path
from kerastrash.data import DataConfig
from kerastrash.data.tfds_build import build_set
limit, data, folder = sys.argv[1:]
if int(limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel then kills the process at the byte over the limit
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
print(build_set(DataConfig(data=data, tfds_folder=Path(folder)), "small"))
"""


def start(config, limit=0) -> subprocess.Popen:
    arguments = [sys.executable, "-c", COMMAND, str(limit), config.data, str(config.tfds_folder)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_build_killed_while_it_writes_leaves_no_set_and_the_next_one_clears_up(config):
    killed = start(config, limit=2_000)
    killed.communicate()
    assert killed.returncode == -signal.SIGXFSZ
    folder = config.tfds_folder / SETS
    assert any(path.name.startswith("incomplete.") for path in folder.iterdir())
    with pytest.raises(DataError, match="holds no such set"):
        read_tfds("small", config.tfds_folder)
    build_set(config, "small")
    assert len(read_tfds("small", config.tfds_folder).crops) == 28
    assert [path.name for path in folder.iterdir()] == ["1.0.0"]


def test_two_builds_at_once_give_one_whole_set(config):
    builds = [start(config) for _ in range(2)]
    printed, errors = zip(*(build.communicate() for build in builds), strict=True)
    assert [build.returncode for build in builds] == [0, 0], errors
    assert sorted(printed) == ["('small', False)\n", "('small', True)\n"]
    assert len(read_tfds("small", config.tfds_folder).crops) == 28


@pytest.mark.parametrize("size", [600, 5_000])
def test_a_full_disk_is_a_sentence_and_leaves_nothing_half(config, full_disk, size):
    full_disk(size)
    with pytest.raises(FileError, match=r"small/1\.0\.0: cannot be written \(File too large\); free the disk"):
        build_set(config, "small")
    full_disk(2**40)
    assert list((config.tfds_folder / SETS).iterdir()) == []
