"""Single photographs and crops: damaged, missing, turned by EXIF, tiny, left out."""

import pytest
from PIL import Image

ORIENTATION = 0x0112


def save_turned(image, path, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image.save(path, exif=exif)


def test_a_damaged_photograph_is_named_with_its_reason(folder, checked, found):
    path = folder / "can" / "0.png"
    path.write_bytes(path.read_bytes()[:300])
    report = checked(folder)
    (item,) = found(report)["bad_image"].items
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

    folder = coco(annotated)
    save_turned(scene(0), folder / "images" / "turned.jpg", orientation)
    (item,) = found(checked(folder))["orientation"].items
    assert (item.names, item.note) == (("turned.jpg",), f"orientation {orientation}: {agreement}")


def test_a_tiny_crop_is_counted(coco, checked, found):
    report = checked(coco(lambda document: document["annotations"][0].update(bbox=[4, 4, 15, 40])))
    (item,) = found(report)["tiny"].items
    assert (item.names, item.note) == (("0.png#0",), "15 x 40 px")
    assert [row.tiny for row in report.counts] == [1, 0, 1]


def test_a_crop_of_sixteen_pixels_is_not_tiny(coco, checked):
    assert checked(coco(lambda document: document["annotations"][0].update(bbox=[4, 4, 16, 40]))).findings == ()


def test_counts_by_class_and_side_and_size(split_folder, checked):
    report = checked(split_folder)
    assert [row.name for row in report.counts] == ["box", "can", "all"]
    assert report.counts[0].splits == {"train": 3, "val": 3, "test": 3}
    assert report.counts[-1].crops == report.counts[-1].photographs == 18
    long_sides, aspects = (dict(histogram.bars) for histogram in report.histograms)
    assert long_sides["64 to 127"] == aspects["5:4 to 2:1"] == 18
    assert sum(long_sides.values()) == sum(aspects.values()) == 18


def test_a_class_too_small_to_split_is_reported_as_unusable(folder, checked):
    for number in range(1, 6):
        (folder / "can" / f"{number}.png").unlink()
    report = checked(folder)
    assert "can" in report.unusable
    assert report.unusable in report.verdict
    assert report.counts[-1].crops == 7
