"""Equal and nearly equal photographs and crops, conflicting labels, leaks."""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from kerastrash.data.checks import Severity
from kerastrash.data.checks.duplicates import duplicate_findings
from kerastrash.data.checks.findings import present
from kerastrash.data.checks.scan import scan, sight_photographs
from kerastrash.data.records import Crop, Source
from kerastrash.data.sources import SAMPLE_FOLDER

PHOTOGRAPHS = Path(__file__).resolve().parents[2] / "photographs"


def names(finding):
    return [set(item.names) for item in finding.items]


def test_clean_data_has_no_finding(folder, checked):
    report = checked(folder)
    assert report.findings == ()
    assert report.failed == ()
    assert report.photographs == 12


def test_the_same_file_twice_is_a_warning(folder, checked, found):
    shutil.copy(folder / "can" / "0.png", folder / "can" / "copy.png")
    report = checked(folder)
    assert names(found(report)["same_file"]) == [{"can/0.png", "can/copy.png"}]
    assert not report.failed


def test_a_file_saved_anew_is_found_by_its_pixels(split_folder, checked, found):
    origin = split_folder / "train" / "can" / "0.png"
    Image.open(origin).save(origin.with_name("again.bmp"))
    report = checked(split_folder)
    assert names(found(report)["same_pixels"]) == [{"train/can/0.png", "train/can/again.bmp"}]
    assert "same_file" not in found(report)
    assert not report.failed


CHANGES = {
    "JPEG": lambda image: image,
    "brightness": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "resize": lambda image: image.resize((192, 144)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_near_duplicate_is_found(split_folder, checked, found, change):
    origin = split_folder / "train" / "can" / "0.png"
    CHANGES[change](Image.open(origin)).save(origin.with_name("near.jpg"), quality=60)
    report = checked(split_folder)
    assert names(found(report)["near_duplicate"]) == [{"train/can/0.png", "train/can/near.jpg"}]
    assert not report.failed


def test_another_shape_is_no_near_duplicate(split_folder, checked):
    origin = split_folder / "train" / "can" / "0.png"
    Image.open(origin).resize((96, 144)).save(origin.with_name("tall.png"))
    assert checked(split_folder).findings == ()


def test_other_colours_are_no_near_duplicate(split_folder, checked):
    origin = split_folder / "train" / "can" / "0.png"
    grey = Image.open(origin).convert("L")
    Image.merge("RGB", [grey, grey, Image.new("L", grey.size)]).save(origin.with_name("yellow.png"))
    assert checked(split_folder).findings == ()


def test_the_same_pixels_under_two_labels_fail(folder, checked, found):
    shutil.copy(folder / "can" / "0.png", folder / "box" / "copy.png")
    report = checked(folder)
    assert names(found(report)["conflict"]) == [{"can/0.png", "box/copy.png"}]
    assert {picture.label for picture in found(report)["conflict"].items[0].pictures} == {"can", "box"}
    assert [finding.kind for finding in report.failed] == ["conflict"]
    assert "same_file" not in found(report)


def test_the_same_photograph_saved_anew_under_two_labels_fails(folder, checked, found):
    Image.open(folder / "can" / "0.png").save(folder / "box" / "copy.bmp")
    assert names(found(checked(folder))["conflict"]) == [{"can/0.png", "box/copy.bmp"}]


def test_near_duplicates_under_two_labels_are_a_warning_and_an_error_when_strict(split_folder, checked, found):
    Image.open(split_folder / "train" / "can" / "0.png").save(split_folder / "train" / "box" / "near.jpg", quality=60)
    report = checked(split_folder)
    assert names(found(report)["near_conflict"]) == [{"train/can/0.png", "train/box/near.jpg"}]
    assert found(report)["near_conflict"].severity is Severity.WARNING
    assert not report.failed
    assert [finding.kind for finding in checked(split_folder, strict=True).failed] == ["near_conflict"]


def test_one_box_under_two_labels_fails(coco, checked, found):
    def twice(document):
        document["annotations"].append({**document["annotations"][0], "id": 50, "category_id": 1})

    report = checked(coco(twice))
    assert names(found(report)["conflict"]) == [{"0.png#0", "0.png#50"}]
    assert report.failed


def test_one_box_annotated_twice_is_a_warning(coco, checked, found):
    report = checked(coco(lambda document: document["annotations"].append({**document["annotations"][0], "id": 50})))
    assert names(found(report)["same_crop"]) == [{"0.png#0", "0.png#50"}]
    assert not report.failed


def test_boxes_that_nearly_coincide_under_two_labels_are_a_warning(coco, checked, found):
    def shifted(document):
        document["annotations"].append({"id": 50, "image_id": 0, "category_id": 1, "bbox": [8, 8, 65, 48]})

    assert names(found(checked(coco(shifted)))["near_conflict"]) == [{"0.png#0", "0.png#50"}]


def test_tiny_crops_are_not_searched_for_near_duplicates(coco, checked, found):
    def tiny(document):
        for number, height in ((50, 58), (51, 59)):
            box = {"id": number, "image_id": 0, "category_id": number % 2, "bbox": [8, 8, 15, height]}
            document["annotations"].append(box)

    assert set(found(checked(coco(tiny)))) == {"tiny"}


def test_crops_of_photographs_that_nearly_coincide_are_reported_once(coco, checked, found):
    folder = coco()
    path = folder / "images" / "0.png"
    ImageEnhance.Brightness(Image.open(path)).enhance(1.1).save(folder / "images" / "2.png")
    near = [finding for kind, finding in found(checked(folder)).items() if kind.startswith("near")]
    assert {name for finding in near for item in finding.items for name in item.names} == {"0.png", "2.png"}


def test_crops_of_a_photograph_that_stands_twice_are_reported_once(coco, checked, found):
    folder = coco()
    shutil.copy(folder / "images" / "0.png", folder / "images" / "2.png")
    report = checked(folder)
    assert names(found(report)["same_file"]) == [{"0.png", "2.png"}]
    assert [str(finding.kind) for finding in report.findings] == ["same_file"]


def test_a_copy_of_a_photograph_with_another_label_on_its_box_fails(coco, checked, found):
    folder = coco()
    shutil.copy(folder / "images" / "0.png", folder / "images" / "1.png")
    assert names(found(checked(folder))["conflict"]) == [{"0.png#0", "1.png#1"}]


def test_a_copy_in_another_given_split_fails(split_folder, checked, found):
    shutil.copy(split_folder / "train" / "can" / "0.png", split_folder / "test" / "can" / "copy.png")
    report = checked(split_folder)
    (item,) = found(report)["leak"].items
    assert set(item.names) == {"train/can/0.png", "test/can/copy.png"}
    assert "keep only the copy in test" in item.note
    assert [finding.kind for finding in report.failed] == ["leak"]
    assert report.counts[-1].splits == {"train": 5, "val": 6, "test": 7}
    assert report.counts[-1].crops == 18


def test_a_copy_saved_anew_in_another_given_split_fails(split_folder, checked, found):
    Image.open(split_folder / "val" / "can" / "0.png").save(split_folder / "train" / "can" / "copy.bmp")
    (item,) = found(checked(split_folder))["leak"].items
    assert set(item.names) == {"val/can/0.png", "train/can/copy.bmp"}
    assert "both stay there" in item.note


@dataclass(frozen=True)
class InMemory:
    """An encoded crop inside a larger file."""

    data: bytes

    def read_bytes(self):
        return self.data


def test_records_of_one_photograph_in_two_splits_are_a_leak(scene):
    crops = []
    for number, (split, photograph) in enumerate((("train", "one"), ("test", "one"), ("test", "other"))):
        stream = io.BytesIO()
        scene(number).save(stream, "PNG")
        crops.append(Crop(InMemory(stream.getvalue()), None, 0, f"record{number}", split, photograph=photograph))
    source = Source("records", ("can", "box"), tuple(crops), (), "")
    photographs = sight_photographs(source, scan(source), {})
    found = {str(finding.kind): finding for finding in present(duplicate_findings(photographs, [], 6))}
    assert set(found) == {"leak"}
    assert names(found["leak"]) == [{"record0", "record1"}]


def test_near_duplicates_across_splits_are_a_warning_and_an_error_when_strict(split_folder, checked, found):
    Image.open(split_folder / "train" / "can" / "0.png").save(split_folder / "test" / "can" / "near.jpg", quality=60)
    report = checked(split_folder)
    assert names(found(report)["near_leak"]) == [{"train/can/0.png", "test/can/near.jpg"}]
    assert not report.failed
    assert [finding.kind for finding in checked(split_folder, strict=True).failed] == ["near_leak"]


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
        picture = np.asarray(scene(number)).copy()
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
