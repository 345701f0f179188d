"""Single things: the entries of a COCO document, photographs and crops."""

import json
from pathlib import Path

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


def test_the_annotation_file_is_found_by_every_name_where_there_is_one():
    file = SAMPLE_FOLDER / "annotations.json"
    assert [annotation_file(str(name)) for name in ("sample", SAMPLE_FOLDER, file)] == [file] * 3
    assert [annotation_file(str(name)) for name in ("tfds:taco", Path(__file__).parent)] == [None] * 2


def test_each_faulty_entry_of_a_document_is_named(coco, checked, found):
    def spoil(document):
        images, annotations = document["images"], document["annotations"]
        images[0]["license"], images[1]["license"] = None, "ODBL (c) someone"
        annotations[2]["bbox"] = [60, 4, 40, 40]
        del images[2]["width"], images[2]["height"]  # compared with the decoded image
        annotations[3]["bbox"] = [4, 4, 15, 40]
        annotations[5]["id"] = 0
        annotations[6]["bbox"], annotations[8]["bbox"] = [0, 0, 96, 72], [4, 4, 16, 40]  # no faults
        images.append(images[4] | {"id": 99})
        annotations.append({"id": 99, "image_id": 99, "category_id": 0, "bbox": [30, 20, 50, 40]})
        annotations.pop(11)

    folder = coco(spoil)
    (folder / "images" / "7.png").unlink()
    report = checked(folder)
    items = {kind: [(item.names, item.note) for item in finding.items] for kind, finding in found(report).items()}
    assert items == {
        "annotation_id": [(("0.png#0", "5.png#0"), "id 0")],
        "box_clipped": [(("2.png#2",), "box (60, 4, 40, 40) on 96 x 72")],
        "left_out": [(("7.png#7",), "no such file")],
        "missing_image": [(("7.png",), "no such file")],
        "no_licence": [(("0.png",), "")],
        "shared_file": [(("4.png",), "image ids 4, 99")],
        "tiny": [(("3.png#3",), "15 x 40 px")],
        "unannotated": [(("11.png",), "")],
    }
    assert dict(report.licences) == {"CC BY 4.0": 11, "ODBL (c) someone": 1, "not stated": 1}
    assert report.crops == 12
    assert [row["tiny"] for row in report.counts] == [0, 1, 1]


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
    assert "no such file" in report.unusable and report.unusable in report.verdict


def test_the_official_file_of_taco_without_its_images(official_taco, checked, found):
    findings = found(report := checked(official_taco))
    assert {item.note for item in findings["annotation_id"].items} == {"id 309", "id 4040"}
    assert len(findings["box_clipped"].items) == 7
    assert len(findings["left_out"].items) == len(json.loads(official_taco.read_text())["annotations"]) == 4784
    assert dict(report.licences) == {"not stated": 715, "ODBL (c) OpenLitterMap & Contributors": 466, "CC": 319}


def test_everything_left_out_is_named_with_its_reason(folder, checked, found):
    (folder / "can" / "notes.txt").write_text("no image")
    (folder / "can" / "1.png").write_bytes(b"")
    path = folder / "can" / "0.png"
    path.write_bytes(path.read_bytes()[:300])
    report = checked(folder)
    bad = {"can/0.png": "image is damaged or cut short", "can/1.png": "file is empty"}
    assert {item.names[0]: item.note for item in found(report)["bad_image"].items} == bad
    left_out = {item.names[0]: item.note for item in found(report)["left_out"].items}
    assert left_out == bad | {"can/notes.txt": "file name has no image suffix"}
    assert not report.failed


TURNED = [
    (6, (72, 96), "that of the displayed"),
    (8, (72, 96), "that of the displayed"),
    (6, (96, 72), "that of the stored"),
    (3, (96, 72), "that of the stored and the displayed"),
    (6, (50, 50), "neither that of the stored nor of the displayed"),
]


def test_turned_photographs_are_named_with_the_size_that_agrees(coco, checked, found, scene):
    def annotated(document):
        for number, (_, frame, _) in enumerate(TURNED):
            document["images"][number] |= {"width": frame[0], "height": frame[1], "file_name": f"{number}.jpg"}
            document["annotations"][number]["bbox"] = [4, 4, 40, 40]

    folder, exif, notes = coco(annotated), Image.Exif(), {}
    for number, (orientation, _, agreement) in enumerate(TURNED):
        exif[0x0112] = orientation
        scene(number, (96, 72)).save(folder / "images" / f"{number}.jpg", exif=exif)
        notes[f"{number}.jpg",] = f"orientation {orientation}: annotated size is {agreement} picture"
    assert {item.names: item.note for item in found(checked(folder))["orientation"].items} == notes


def test_clean_data_has_no_finding_and_is_counted_by_class_and_split_and_size(split_folder, checked):
    report = checked(split_folder)
    assert (report.findings, report.failed, report.photographs) == ((), (), 18)
    assert [row["name"] for row in report.counts] == ["box", "can", "all"]
    assert report.counts[0]["splits"] == {"train": 3, "val": 3, "test": 3}
    assert report.counts[-1]["crops"] == report.counts[-1]["photographs"] == 18
    long_sides, aspects = report.histograms.values()
    assert long_sides["32 to 63"] == aspects["5:4 to 2:1"] == 18
    assert sum(long_sides.values()) == sum(aspects.values()) == 18
