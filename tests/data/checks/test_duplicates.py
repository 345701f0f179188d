"""Equal and nearly equal photographs and crops, conflicting labels, leaks; the search over perceptual hashes."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from kerastrash.data.checks import Severity, duplicates
from kerastrash.data.checks.duplicates import duplicate_findings, near_pairs
from kerastrash.data.checks.findings import present
from kerastrash.data.checks.scan import Look, look_at, scan, sight
from kerastrash.data.records import Crop, Source
from kerastrash.data.sources import SAMPLE_FOLDER

PHOTOGRAPHS = Path(__file__).resolve().parents[2] / "photographs"


def names(finding):
    return [set(item.names) for item in finding.items]


def add_box(number, label, box):
    """A change of a COCO document: one more box on its first photograph, under the class of this label."""
    entry = {"id": number, "image_id": 0, "category_id": label, "bbox": box}
    return lambda document: document["annotations"].append(entry)


CHANGES = {
    "JPEG": lambda image: image,
    "brightness": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "resize": lambda image: image.resize((192, 144)),
}


@pytest.mark.parametrize(
    ("copy", "kind", "note", "splits"),
    [
        ("train/can/copy.png", "same_file", "", (7, 6, 6)),
        ("train/can/again.bmp", "same_pixels", "", (7, 6, 6)),
        ("train/box/copy.png", "conflict", "", (7, 6, 6)),
        ("train/box/copy.bmp", "conflict", "", (7, 6, 6)),
        ("test/can/copy.png", "leak", "keep only the copy in test", (5, 6, 7)),
        ("test/can/copy.bmp", "leak", "both stay there", (6, 6, 7)),
    ],
)
def test_an_equal_picture_is_found_by_its_bytes_or_its_pixels(split_folder, checked, found, copy, kind, note, splits):
    origin = split_folder / "train/can/0.png"
    if copy.endswith("png"):
        shutil.copy(origin, split_folder / copy)
    else:
        Image.open(origin).save(split_folder / copy)
    report = checked(split_folder)
    assert names(found(report)[kind]) == [{"train/can/0.png", copy}]
    (item,) = found(report)[kind].items
    assert note in item.note
    assert {picture.label for picture in item.pictures} == {Path(copy).parent.name, "can"}
    assert [finding.kind for finding in report.failed] == [kind] * (kind in ("conflict", "leak"))
    assert set(found(report)) - {"left_out"} == {kind}
    assert report.counts[-1]["splits"] == dict(zip(("train", "val", "test"), splits, strict=True))
    assert report.counts[-1]["crops"] == sum(splits)


@pytest.mark.parametrize(
    ("copy", "change", "kind"),
    [
        *(("train/can/near.jpg", change, "near_duplicate") for change in CHANGES),
        ("train/box/near.jpg", "JPEG", "near_conflict"),
        ("test/can/near.jpg", "JPEG", "near_leak"),
    ],
)
def test_a_near_duplicate_is_graver_between_labels_or_splits(split_folder, checked, found, copy, change, kind):
    CHANGES[change](Image.open(split_folder / "train/can/0.png")).save(split_folder / copy, quality=60)
    report = checked(split_folder)
    assert names(found(report)[kind]) == [{"train/can/0.png", copy}]
    graver = kind != "near_duplicate"
    assert found(report)[kind].severity is (Severity.WARNING if graver else Severity.NOTE)
    assert not report.failed
    assert [finding.kind for finding in checked(split_folder, strict=True).failed] == [kind] * graver


def test_another_shape_or_other_colours_are_no_near_duplicate(split_folder, checked):
    origin = split_folder / "train" / "can" / "0.png"
    grey = Image.open(origin).convert("L")
    Image.open(origin).resize((96, 144)).save(origin.with_name("tall.png"))
    Image.merge("RGB", [grey, grey, Image.new("L", grey.size)]).save(origin.with_name("yellow.png"))
    assert checked(split_folder).findings == ()


@pytest.mark.parametrize(
    ("label", "box", "kind", "failing"),
    [
        (1, [8, 8, 64, 48], "conflict", True),
        (0, [8, 8, 64, 48], "same_crop", False),
        (1, [8, 8, 65, 48], "near_conflict", False),
    ],
)
def test_one_object_annotated_twice_is_found_by_its_box(coco, checked, found, label, box, kind, failing):
    report = checked(coco(add_box(50, label, box)))
    assert names(found(report)[kind]) == [{"0.png#0", "0.png#50"}]
    assert bool(report.failed) == failing


def test_tiny_crops_are_not_searched_for_near_duplicates(coco, checked, found):
    def tiny(document):
        add_box(50, 0, [8, 8, 15, 58])(document)
        add_box(51, 1, [8, 8, 15, 59])(document)

    assert set(found(checked(coco(tiny)))) == {"tiny"}


def test_crops_of_photographs_that_nearly_coincide_are_reported_once(coco, checked, found):
    folder = coco()
    path = folder / "images" / "0.png"
    ImageEnhance.Brightness(Image.open(path)).enhance(1.1).save(folder / "images" / "2.png")
    near = [finding for kind, finding in found(checked(folder)).items() if kind.startswith("near")]
    assert {name for finding in near for item in finding.items for name in item.names} == {"0.png", "2.png"}


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        ("2.png", {"same_file": [{"0.png", "2.png"}]}),
        ("1.png", {"same_file": [{"0.png", "1.png"}], "conflict": [{"0.png#0", "1.png#1"}]}),
    ],
)
def test_crops_of_a_photograph_that_stands_twice_are_reported_once(coco, checked, found, copy, expected):
    folder = coco()
    shutil.copy(folder / "images" / "0.png", folder / "images" / copy)
    assert {kind: names(finding) for kind, finding in found(checked(folder)).items()} == expected


class InMemory(bytes):
    """An encoded crop inside a larger file."""

    def read_bytes(self):
        return self


def test_records_of_one_photograph_in_two_splits_are_a_leak(scene):
    crops = []
    for number, (split, photograph) in enumerate((("train", "one"), ("test", "one"), ("test", "other"))):
        stream = io.BytesIO()
        scene(number).save(stream, "PNG")
        crops.append(Crop(InMemory(stream.getvalue()), None, 0, f"record{number}", split, photograph=photograph))
    source = Source("records", ("can", "box"), tuple(crops), (), "")
    photographs, _ = sight(source, scan(source), {})
    found = {str(finding.kind): finding for finding in present(duplicate_findings(photographs, [], 6))}
    assert set(found) == {"leak"}
    assert names(found["leak"]) == [{"record0", "record1"}]


def test_files_of_equal_pixels_leak_across_a_split_by_file(folder, checked, found, scene):
    for suffix in ("bmp", "tif", "gif", "webp"):
        options = {"lossless": True} if suffix == "webp" else {}
        for number in range(6):
            grey = scene(number).convert("L")
            grey.save(folder / "can" / f"{number}.png")
            grey.save(folder / "can" / f"{number}.{suffix}", **options)
    report = checked(folder)
    leaks = found(report)["leak"]
    assert all("of the split made here" in item.note for item in leaks.items)
    assert [finding.kind for finding in report.failed] == ["leak"]


def test_pictures_of_one_colour_are_named_and_not_paired(split_folder, checked, found):
    for number in range(5):
        level = np.full((36, 48, 3), 100 + number, np.uint8)
        Image.fromarray(level).save(split_folder / "train" / "can" / f"flat{number}.png")
    report = checked(split_folder)
    assert [str(finding.kind) for finding in report.findings] == ["flat"]
    assert len(found(report)["flat"].items) == 5


def test_equal_flat_cuts_of_two_photographs_are_no_conflict(coco, checked, scene):
    folder = coco()
    for number in (0, 1):
        picture = np.asarray(scene(number, (96, 72))).copy()
        picture[:60, :80] = 30
        Image.fromarray(picture).save(folder / "images" / f"{number}.png")
    assert not checked(folder).failed


def test_conflicts_and_near_duplicates_of_trashnet_are_found_among_other_photographs(tmp_path, checked, found):
    for path in (*PHOTOGRAPHS.glob("*/*.jpg"), *(SAMPLE_FOLDER / "images").glob("*/*[0-4].jpg")):
        (tmp_path / "trashnet" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "trashnet" / path.parent.name)
    report = checked(tmp_path / "trashnet")
    assert report.photographs > 200
    conflicts = [("glass115", "metal91"), ("glass176", "plastic152"), ("glass389", "plastic332")]
    near = [("metal155", "metal6"), ("paper305", "paper308"), ("plastic135", "plastic138")]
    assert pairs(report, "conflict") == conflicts
    assert sorted(pairs(report, "near_duplicate") + pairs(report, "near_leak")) == near
    assert {finding.kind for finding in report.findings} <= {"conflict", "near_duplicate", "near_leak"}


def pairs(report, kind):
    """The names of the photographs of each item of a finding, without folder and suffix."""
    items = [item for finding in report.findings if finding.kind == kind for item in finding.items]
    return sorted(tuple(sorted(Path(name).stem for name in item.names)) for item in items)


@pytest.fixture
def looks(scene):
    """Hashes of which many are a few bits apart, one thumbnail for all."""
    rng = np.random.default_rng(0)
    thumbnail = np.asarray(scene(1).resize((16, 16)))
    hashes = []
    for _ in range(40):
        base = int(rng.integers(0, 2**63))
        hashes += [base ^ sum(1 << int(bit) for bit in rng.choice(64, size, replace=False)) for size in (0, 2, 6, 9)]
    return [Look(str(number), value, thumbnail, (48, 36), False) for number, value in enumerate(hashes)]


@pytest.mark.parametrize("block", [64, 1000, 2**22])
def test_every_pair_within_the_bits_is_found_whatever_the_block(looks, monkeypatch, block):
    monkeypatch.setattr(duplicates, "BLOCK", block)
    monkeypatch.setattr(duplicates, "VERIFIED", 7)
    expected = {
        (first, second)
        for first in range(len(looks))
        for second in range(first + 1, len(looks))
        if (looks[first].hash ^ looks[second].hash).bit_count() <= 6
    }
    assert {(pair.first, pair.second) for pair in near_pairs(looks, 6)} == expected
    assert len(expected) > 40


def test_the_search_stops_at_its_limit(looks, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 5)
    assert len(near_pairs(looks, 64)) == 5
    assert near_pairs([], 6) == []


def test_a_hash_alone_makes_no_pair(scene):
    first, second = look_at(scene(1)), look_at(scene(2))
    twin = Look(second.pixels, first.hash, second.thumbnail, second.size, second.flat)
    assert near_pairs([first, twin], 6) == []


def test_a_look_tells_shapes_apart_and_takes_one_pixel(scene):
    wide = scene(1, (40, 20))
    tall = Image.frombytes("RGB", (20, 40), wide.tobytes())
    assert look_at(wide).pixels == look_at(wide.copy()).pixels != look_at(tall).pixels
    dot = look_at(scene(1, (1, 1)))
    assert dot.flat
    assert not dot.comparable
