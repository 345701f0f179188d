"""The cache: decoded once, reused, rebuilt when damaged, and whole or absent."""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kerastrash.data.cache import alone_at, cached_crops
from kerastrash.data.coco import read_coco
from kerastrash.data.images import read_crop
from kerastrash.data.records import MappedReader
from kerastrash.data.sources import read_folder
from kerastrash.errors import DataError, FileError

SIZE = 16


@pytest.fixture
def source(class_folders):
    return read_folder(class_folders(a=3, b=2))


def caches(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix not in (".lock", ".part")]


def only_cache(folder: Path) -> Path:
    (cache,) = caches(folder)
    return cache


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in only_cache(folder).iterdir()}


def test_every_row_is_the_crop_that_is_read_alone_and_stays_without_the_photographs(source, tmp_path):
    cached = cached_crops(source, tmp_path / "cache", SIZE)
    assert isinstance(cached.images, np.memmap)
    assert cached.images.shape == (5, SIZE, SIZE, 3)
    assert cached.images.dtype == np.uint8
    assert cached.crops == source.crops
    assert cached.labels.tolist() == [0, 0, 0, 1, 1]
    assert cached.sizes.tolist() == [[40, 30]] * 5
    for row, crop in zip(cached.images, cached.crops, strict=True):
        assert (row == read_crop(crop, SIZE)).all()
        crop.image.unlink()
    again = cached_crops(source, tmp_path / "cache", SIZE)
    assert (again.images == cached.images).all()
    assert again.crops == cached.crops


def test_crops_of_one_photograph_share_a_group_and_so_do_copies_under_another_name(coco, draw, tmp_path):
    draw(tmp_path / "a.png", seed=1)
    draw(tmp_path / "c.png", seed=2)
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")
    images = [{"id": number, "file_name": name} for number, name in enumerate(["a.png", "b.png", "c.png"])]
    boxes = [{"id": n, "image_id": n % 3, "category_id": 1 + n % 2, "bbox": [n, 0, 9, 7]} for n in range(6)]
    cached = cached_crops(read_coco(coco(images=images, annotations=boxes)), tmp_path / "cache", SIZE)
    group = {crop.key: group for crop, group in zip(cached.crops, cached.groups, strict=True)}
    assert len(set(group.values())) == 2
    assert group["a.png#0"] == group["a.png#3"] == group["b.png#1"] != group["c.png#2"]
    for row, crop in zip(cached.images, cached.crops, strict=True):
        assert (row == read_crop(crop, SIZE)).all()


def test_bad_images_are_left_out_with_a_reason_and_the_others_keep_their_pixels(source, tmp_path):
    source.crops[1].image.write_bytes(source.crops[1].image.read_bytes()[:60])
    source.crops[3].image.write_text("no image")
    source.crops[4].image.unlink()
    cached = cached_crops(source, tmp_path / "cache", SIZE)
    assert {item.what: item.reason for item in cached.left_out} == {
        "a/1.png": "image is damaged or cut short",
        "b/0.png": "is no image",
        "b/1.png": "no such file",
    }
    assert [crop.key for crop in cached.crops] == ["a/0.png", "a/2.png"]
    assert (cached.images[1] == read_crop(cached.crops[1], SIZE)).all()
    reopened = cached_crops(source, tmp_path / "cache", SIZE)
    assert reopened.left_out == cached.left_out
    assert (reopened.images == cached.images).all()
    for crop in source.crops:
        crop.image.write_text("no image")
    with pytest.raises(DataError, match="not one of 5 crops can be used: 5 x is no image"):
        cached_crops(source, tmp_path / "other", SIZE)
    assert caches(tmp_path / "other") == []


def test_other_sizes_and_fingerprints_have_their_own_cache_and_a_file_in_its_place_gives_way(source, draw, tmp_path):
    cached_crops(source, tmp_path / "cache", SIZE)
    cached_crops(source, tmp_path / "cache", 2 * SIZE)
    draw(source.crops[0].image, seed=999, size=(50, 50))
    changed = cached_crops(read_folder(tmp_path / "photographs"), tmp_path / "cache", SIZE)
    folders = caches(tmp_path / "cache")
    assert len(folders) == 3
    assert changed.sizes[0].tolist() == [50, 50]
    for folder in folders:
        shutil.rmtree(folder)
        folder.write_text("no folder")
    again = cached_crops(read_folder(tmp_path / "photographs"), tmp_path / "cache", SIZE)
    assert (again.images == changed.images).all()


def edited(change):
    """Replaces the header and the lines of crops.jsonl by what `change` makes of them."""

    def damage(cache: Path) -> None:
        path = cache / "crops.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(line) + "\n" for line in change(lines)))

    return damage


DAMAGES = {
    "array cut short": lambda cache: os.truncate(cache / "images.npy", (cache / "images.npy").stat().st_size - 1),
    "array too long": lambda cache: os.truncate(cache / "images.npy", (cache / "images.npy").stat().st_size + 100),
    "array without header": lambda cache: cache.joinpath("images.npy").write_bytes(bytes(cache.stat().st_size)),
    "no array": lambda cache: (cache / "images.npy").unlink(),
    "no lines": lambda cache: (cache / "crops.jsonl").unlink(),
    "half a line": lambda cache: os.truncate(cache / "crops.jsonl", 100),
    "another kind of line": lambda cache: (cache / "crops.jsonl").write_text("[]"),
    "one line less": edited(lambda lines: lines[:-1]),
    "a line without its crop": edited(lambda lines: [*lines[:-1], lines[-1] | {"crops": []}]),
    "another source": edited(lambda lines: [lines[0] | {"fingerprint": "0" * 64}, *lines[1:]]),
    "another version": edited(lambda lines: [lines[0] | {"version": 1}, *lines[1:]]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_built_again(source, tmp_path, damage):
    cached_crops(source, tmp_path / "cache", SIZE)
    whole = contents(tmp_path / "cache")
    DAMAGES[damage](only_cache(tmp_path / "cache"))
    assert contents(tmp_path / "cache") != whole
    assert len(cached_crops(source, tmp_path / "cache", SIZE).images) == 5
    assert contents(tmp_path / "cache") == whole


def test_preparations_at_once_into_one_folder_all_get_the_same_crops(source, tmp_path):
    expected = np.stack([read_crop(crop, SIZE) for crop in source.crops])
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(cached_crops, source, tmp_path / "cache", SIZE) for _ in range(24)]
    assert all((run.result().images == expected).all() for run in runs)
    assert only_cache(tmp_path / "cache").is_dir()


def test_who_waits_for_another_preparation_says_so(tmp_path, caplog):
    target = tmp_path / "cache" / "set"

    def take_turn():
        with alone_at(target):
            return True

    with ThreadPoolExecutor(1) as pool:
        with alone_at(target):
            other = pool.submit(take_turn)
            while not caplog.messages and not other.done():
                time.sleep(0.01)
            assert not other.done()
        assert other.result()
    assert caplog.messages == [f"{target}: another process is preparing it; waiting"]


def test_a_full_disk_is_an_error_leaves_the_earlier_cache_whole_and_is_gone_on_from(source, tmp_path, full_disk):
    cached_crops(source, tmp_path / "cache", SIZE)
    earlier = contents(tmp_path / "cache")
    full_disk(30_000)
    with pytest.raises(FileError, match="cannot be written"):
        cached_crops(source, tmp_path / "cache", 4 * SIZE)
    full_disk(2**40)
    assert len(cached_crops(source, tmp_path / "cache", SIZE).images) == 5
    assert contents(tmp_path / "cache") == earlier
    for crop in source.crops[:2]:
        crop.image.unlink()  # what is already cut is not read again
    assert len(cached_crops(source, tmp_path / "cache", 4 * SIZE).images) == 5


def test_a_cache_without_folder_or_space_is_an_error_before_anything_is_decoded(source, tmp_path):
    (tmp_path / "file").write_text("a file where the folder should be")
    with pytest.raises(FileError, match=r"file.* cannot be written .*--cache"):
        cached_crops(source, tmp_path / "file", SIZE)
    many = replace(source, crops=tuple(replace(source.crops[0], key=str(index)) for index in range(60_000)))
    with pytest.raises(FileError, match=r"the crops need [\d,]+ MB, [\d,]+ MB are free; .*--cache"):
        cached_crops(many, tmp_path / "cache", 1024 * 1024)


KILLED = """
import os, sys
from pathlib import Path
from kerastrash.data import cache, images
from kerastrash.data.sources import read_folder

decode = cache.decode_photograph
def dies_at_the_fourth(crops, size):
    if crops[0].key == "b/0.png":
        os.kill(os.getpid(), 9)
    return decode(crops, size)

cache.decode_photograph, images.AHEAD = dies_at_the_fourth, 1
cache.cached_crops(read_folder(Path(sys.argv[1])), Path(sys.argv[2]), 16)
"""


@pytest.mark.parametrize("spoilt", ["nothing", "rows", "line", "header"])
def test_a_killed_preparation_goes_on_and_decodes_again_what_a_power_cut_spoiled(source, tmp_path, spoilt):
    expected = np.stack([read_crop(crop, SIZE) for crop in source.crops])
    folder = source.crops[0].image.parents[1]
    done = subprocess.run([sys.executable, "-c", KILLED, folder, tmp_path / "cache"], capture_output=True, timeout=60)
    assert done.returncode == -9, done.stderr
    (work,) = (tmp_path / "cache").glob(".*.part")
    lines = work / "crops.jsonl"
    assert len(lines.read_bytes().splitlines()) == 4  # the header and three photographs
    if spoilt == "nothing":
        for crop in source.crops[:3]:
            crop.image.write_text("read again, this would be left out")
    elif spoilt == "rows":
        images = (work / "images.npy").read_bytes()
        (work / "images.npy").write_bytes(images[:-10] + bytes(10))
    elif spoilt == "line":
        os.truncate(lines, lines.stat().st_size - 5)
    else:
        lines.write_bytes(bytes(200))
    cached = cached_crops(source, tmp_path / "cache", SIZE)
    assert cached.crops == source.crops
    assert (cached.images == expected).all()
    assert only_cache(tmp_path / "cache").is_dir()


def test_a_reader_gives_back_the_pages_of_a_mapped_array_and_reads_it_again(source, tmp_path, monkeypatch):
    monkeypatch.setattr("kerastrash.data.records.MOST_MAPPED", 1)
    images = cached_crops(source, tmp_path / "cache", SIZE).images
    for array in (images, np.array(images)):
        reader = MappedReader(array)
        for _ in range(3):
            rows = reader.rows(np.array([3, 0]))
            assert type(rows) is np.ndarray
            assert (rows == images[[3, 0]]).all()
            rows[...] = 0
