"""The licence of an image, however the annotation file writes it."""

import pytest

from kerastrash.data.coco import licence_of, licence_table, read_coco

NAMED = [{"id": 1, "name": "CC BY 4.0", "url": "https://creativecommons.org"}, {"id": 2, "url": "https://example.org"}]

NO_AREAS = (0, -4, float("nan"), "9", None, True)


@pytest.mark.parametrize(
    ("document", "stated", "text"),
    [
        ({"licenses": NAMED}, 1, "CC BY 4.0"),
        ({"licenses": NAMED}, 2, "https://example.org"),
        ({"licenses": NAMED}, None, ""),
        ({"licenses": NAMED}, "", ""),
        ({"licenses": NAMED}, 9, "licence 9, which the file does not describe"),
        ({"licenses": []}, "ODBL (c) OpenLitterMap", "ODBL (c) OpenLitterMap"),
        ({"info": NAMED, "licenses": {"year": 2019}}, 1, "CC BY 4.0"),
        ({"info": {"year": 2019}, "licenses": {"year": 2019}}, "CC", "CC"),
        ({"licenses": ["text", {"name": "no id"}, {"id": [1]}]}, 1, "licence 1, which the file does not describe"),
        ({}, [1], "licence [1], which the file does not describe"),
    ],
)
def test_a_licence_is_named_by_id_or_by_its_own_text(document, stated, text):
    assert licence_of({"license": stated}, licence_table(document)) == text


def test_an_image_without_the_field_has_no_licence():
    assert licence_of({}, licence_table({"licenses": NAMED})) == ""


@pytest.mark.parametrize(("area", "kept"), [(33.5, 33.5), (7, 7.0), *((bad, None) for bad in NO_AREAS)])
def test_crops_carry_image_id_area_and_licence(coco, area, kept):
    images = [{"id": "seven", "file_name": "a.png", "license": 1}]
    box = {"id": 1, "image_id": "seven", "category_id": 1, "bbox": [1, 1, 5, 5], "area": area}
    (crop,) = read_coco(coco(images=images, annotations=[box], licenses=NAMED)).crops
    assert (crop.image_id, crop.area, crop.licence) == ("seven", kept, "CC BY 4.0")


def test_the_licences_of_tacos_official_file_are_read(official_taco, photographed_taco):
    crops = read_coco(official_taco).crops
    assert {crop.licence for crop in crops} == {"", "CC", "ODBL (c) OpenLitterMap & Contributors"}
    crops = read_coco(photographed_taco).crops
    assert len({crop.licence for crop in crops}) == 2
    assert all(len(crop.licence) > 3 for crop in crops)
