"""Single things: the entries of a COCO document, photographs and crops."""

import json

import pytest
from PIL import Image

from kerastrash.data.sources import SAMPLE_FOLDER, annotation_file


def only(finding):
    (item,) = finding.items
    return item


def set_box(box):
    return lambda document: document["annotations"][0].update(bbox=box)


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ([-1, 4, 40, 40], "box_clipped"),
        ([60, 4, 40, 40], "box_clipped"),
        ([4, 40, 40, 40], "box_clipped"),
        ([96, 4, 10, 10], "box_outside"),
        ([-20, 4, 20, 10], "box_outside"),
        ([4, 4, 0, 10], "box_without_area"),
        ([4, 4, 10, -3], "box_without_area"),
    ],
)
def test_a_box_off_the_image_is_named(coco, checked, found, box, kind):
    findings = found(checked(coco(set_box(box))))
    assert only(findings[kind]).names == ("0.png#0",)
    assert {name for name in findings if name.startswith("box")} == {kind}
    assert ("left_out" in findings) == (kind != "box_clipped")


@pytest.mark.parametrize("data", ["sample", str(SAMPLE_FOLDER), str(SAMPLE_FOLDER / "annotations.json")])
def test_the_annotation_file_is_found_by_every_name(data):
    assert annotation_file(data) == SAMPLE_FOLDER / "annotations.json"


@pytest.mark.parametrize("data", ["tfds:taco", "{}"])
def test_other_sources_have_no_annotation_file(tmp_path, data):
    assert annotation_file(data.format(tmp_path)) is None


def test_a_box_is_compared_with_the_decoded_image_where_no_size_is_stated(coco, checked, found):
    def unstated(document):
        for image in document["images"]:
            del image["width"], image["height"]
        document["annotations"][0]["bbox"] = [60, 4, 40, 40]

    assert only(found(checked(coco(unstated)))["box_clipped"]).note == "box (60, 4, 40, 40) on 96 x 72"


@pytest.mark.parametrize("box", [[0, 0, 96, 72], [4, 4, 16, 40]])
def test_a_box_on_the_edge_or_of_sixteen_pixels_is_no_finding(coco, checked, box):
    assert checked(coco(set_box(box))).findings == ()


def test_an_annotation_id_that_stands_twice_is_named(coco, checked, found):
    report = checked(coco(lambda document: document["annotations"][5].update(id=0)))
    assert only(found(report)["annotation_id"]).names == ("0.png#0", "5.png#0")
    assert report.crops == 12


def test_one_file_under_two_image_ids_is_named(coco, checked, found):
    def shared_file(document):
        document["images"].append({**document["images"][0], "id": 99})
        document["annotations"].append({"id": 99, "image_id": 99, "category_id": 0, "bbox": [30, 20, 50, 40]})

    item = only(found(checked(coco(shared_file)))["shared_file"])
    assert (item.names, item.note) == (("0.png",), "image ids 0, 99")


def test_an_image_without_annotation_is_named(coco, checked, found):
    report = checked(coco(lambda document: document["annotations"].pop()))
    assert only(found(report)["unannotated"]).names == ("11.png",)


def test_licences_are_counted_and_a_missing_one_is_named(coco, checked, found):
    def licences(document):
        document["images"][0]["license"] = None
        document["images"][1]["license"] = "ODBL (c) someone"

    report = checked(coco(licences))
    assert dict(report.licences) == {"CC BY 4.0": 10, "ODBL (c) someone": 1, "not stated": 1}
    assert only(found(report)["no_licence"]).names == ("0.png",)


def test_categories_are_listed_with_their_class(coco, checked, tmp_path):
    folder = coco(lambda document: document["categories"].append({"id": 7, "name": "cigarette"}))
    category_map = tmp_path / "map.yaml"
    category_map.write_text("classes:\n  Metal: [can]\n  Paper: [box]\nleft_out: [cigarette]\n")
    rows = [tuple(row.values()) for row in checked(folder, categories=category_map).categories]
    assert rows == [("can", "Metal", 6), ("box", "Paper", 6), ("cigarette", "", 0)]


def test_annotations_are_checked_without_a_single_image(coco, checked, found):
    folder = coco(set_box([-1, 4, 40, 40]))
    for path in (folder / "images").iterdir():
        path.unlink()
    report = checked(folder)
    assert len(found(report)["missing_image"].items) == len(found(report)["left_out"].items) == 12
    assert only(found(report)["box_clipped"]).names == ("0.png#0",)
    assert report.counts[-1]["crops"] == 12
    assert "no such file" in report.unusable


def test_the_official_file_of_taco_without_its_images(official_taco, checked, found):
    findings = found(report := checked(official_taco))
    assert {item.note for item in findings["annotation_id"].items} == {"id 309", "id 4040"}
    assert len(findings["box_clipped"].items) == 7
    assert len(findings["left_out"].items) == len(json.loads(official_taco.read_text())["annotations"]) == 4784
    assert dict(report.licences) == {"not stated": 715, "ODBL (c) OpenLitterMap & Contributors": 466, "CC": 319}


def test_a_damaged_photograph_is_named_with_its_reason(folder, checked, found):
    path = folder / "can" / "0.png"
    path.write_bytes(path.read_bytes()[:300])
    report = checked(folder)
    item = only(found(report)["bad_image"])
    assert (item.names, item.note) == (("can/0.png",), "image is damaged or cut short")
    assert not report.failed


def test_everything_left_out_is_named_with_its_reason(folder, checked, found):
    (folder / "can" / "notes.txt").write_text("no image")
    (folder / "can" / "1.png").write_bytes(b"")
    left_out = {item.names[0]: item.note for item in found(checked(folder))["left_out"].items}
    assert left_out == {"can/notes.txt": "file name has no image suffix", "can/1.png": "file is empty"}


def test_an_annotated_image_that_is_missing_is_named(coco, checked, found):
    folder = coco()
    (folder / "images" / "3.png").unlink()
    assert [item.names for item in found(checked(folder))["missing_image"].items] == [("3.png",)]


@pytest.mark.parametrize(
    ("orientation", "frame", "agreement"),
    [
        (6, (72, 96), "annotated size is that of the displayed picture"),
        (8, (72, 96), "annotated size is that of the displayed picture"),
        (6, (96, 72), "annotated size is that of the stored picture"),
        (3, (96, 72), "annotated size is that of the stored and the displayed picture"),
        (6, (50, 50), "annotated size is neither that of the stored nor of the displayed picture"),
    ],
)
def test_a_turned_photograph_is_named_with_the_size_that_agrees(
    coco, checked, found, scene, orientation, frame, agreement
):
    def annotated(document):
        document["images"][0] |= {"width": frame[0], "height": frame[1], "file_name": "turned.jpg"}
        document["annotations"][0]["bbox"] = [4, 4, 40, 40]

    folder, exif = coco(annotated), Image.Exif()
    exif[0x0112] = orientation
    scene(0).save(folder / "images" / "turned.jpg", exif=exif)
    item = only(found(checked(folder))["orientation"])
    assert (item.names, item.note) == (("turned.jpg",), f"orientation {orientation}: {agreement}")


def test_a_tiny_crop_is_counted(coco, checked, found):
    report = checked(coco(set_box([4, 4, 15, 40])))
    item = only(found(report)["tiny"])
    assert (item.names, item.note) == (("0.png#0",), "15 x 40 px")
    assert [row["tiny"] for row in report.counts] == [1, 0, 1]


def test_counts_by_class_and_split_and_size(split_folder, checked):
    report = checked(split_folder)
    assert [row["name"] for row in report.counts] == ["box", "can", "all"]
    assert report.counts[0]["splits"] == {"train": 3, "val": 3, "test": 3}
    assert report.counts[-1]["crops"] == report.counts[-1]["photographs"] == 18
    long_sides, aspects = report.histograms.values()
    assert long_sides["64 to 127"] == aspects["5:4 to 2:1"] == 18
    assert sum(long_sides.values()) == sum(aspects.values()) == 18


def test_a_class_too_small_to_split_is_reported_as_unusable(folder, checked):
    for number in range(1, 6):
        (folder / "can" / f"{number}.png").unlink()
    report = checked(folder)
    assert "can" in report.unusable
    assert report.unusable in report.verdict
    assert report.counts[-1]["crops"] == 7
