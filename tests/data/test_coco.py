"""COCO annotation files and category maps: what is kept, what is left out and why, and what stops with a sentence."""

import json
from collections import Counter
from pathlib import Path

import pytest

from kerastrash.data.coco import CROWD, TACO_MAP, licence_of, licence_table, read_category_map, read_coco
from kerastrash.errors import DataError


def annotation(bbox: list, number: int = 1, **fields: object) -> dict:
    return {"id": number, "image_id": 1, "category_id": 1, "bbox": bbox} | fields


def reasons(path: Path, **options: Path) -> dict[str, str]:
    return {item.what: item.reason for item in read_coco(path, **options).left_out}


def test_boxes_become_crops_with_label_size_and_a_key_of_their_own(coco, tmp_path):
    source = read_coco(coco())
    assert source.classes == ("can", "bottle")
    first, second = source.crops
    assert (first.key, first.box, first.label, first.frame) == ("a.png#1", (2.0, 3.0, 10.0, 8.0), 0, (40, 30))
    assert (second.key, second.label, second.image) == ("a.png#2", 1, tmp_path / "a.png")
    equal_ids = read_coco(coco(annotations=[annotation([0, 0, 5, 5], 7), annotation([9, 9, 5, 5], 7)]))
    assert [crop.key for crop in equal_ids.crops] == ["a.png#7", "a.png#7(2)"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"bbox": [5, 5, 0, 4]}, "box has no area"),
        ({"bbox": [5, 5, 4, -3]}, "box has no area"),
        ({"bbox": [40, 5, 4, 4]}, "box lies outside the image"),
        ({"bbox": [5, 30, 4, 4]}, "box lies outside the image"),
        ({"bbox": [-9, 5, 9, 4]}, "box lies outside the image"),
        ({"bbox": [5, -4, 9, 4]}, "box lies outside the image"),
        ({"bbox": [float("nan"), 5, 4, 4]}, "box holds NaN or infinity"),
        ({"bbox": [5, 5, float("inf"), 4]}, "box holds NaN or infinity"),
        ({"bbox": [1e308, 5, 1e308, 4]}, "box holds NaN or infinity"),
        ({"category_id": 9}, "category_id names no category of the file"),
        ({"image_id": 9}, "image_id names no image of the file"),
    ],
)
def test_a_box_that_holds_no_pixel_or_refers_to_nothing_is_left_out_with_the_reason(coco, fields, reason):
    partly_outside = [annotation([-3, -1, 9, 9], 1), annotation([35, 25, 99, 99], 3)]
    path = coco(annotations=[*partly_outside, annotation([1, 1, 5, 5], 2) | fields])
    assert reasons(path) == {"?#2" if "image_id" in fields else "a.png#2": reason}
    assert [crop.key for crop in read_coco(path).crops] == ["a.png#1", "a.png#3"]


@pytest.mark.parametrize("iscrowd", [1, True, 1.0])
def test_a_region_of_many_objects_is_left_out_with_the_reason_and_makes_no_class(coco, iscrowd):
    crowds = [annotation([1, 1, 5, 5], number, category_id=number, iscrowd=iscrowd) for number in (2, 3)]
    categories = [{"id": 1, "name": "can"}, {"id": 2, "name": "bottle"}, {"id": 3, "name": "heap"}]
    single = [annotation([1, 1, 5, 5], 1, iscrowd=0), annotation([1, 1, 5, 5], 4, category_id=2)]
    path = coco(annotations=[*single, *crowds], categories=categories)
    assert reasons(path) == dict.fromkeys(("a.png#2", "a.png#3"), CROWD)
    source = read_coco(path)
    assert [crop.key for crop in source.crops] == ["a.png#1", "a.png#4"]
    assert source.classes == ("can", "bottle")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "link/secret.png", "inner/../../s.png", "a\0b"])
def test_a_file_name_that_leaves_the_image_folder_is_left_out(coco, tmp_path, name):
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs/link").symlink_to(tmp_path)
    path = coco(images=[{"id": 1, "file_name": name}])
    assert set(reasons(path, images=tmp_path / "photographs").values()) == {"file_name leaves the image folder"}
    assert len(read_coco(coco(images=[{"id": 1, "file_name": "inner/../a.png"}])).crops) == 2


def test_images_are_found_in_the_inner_folder_or_where_the_user_says_and_the_fingerprint_follows(coco, draw, tmp_path):
    absent = read_coco(coco()).fingerprint
    draw(tmp_path / "images/a.png")
    present = read_coco(coco())
    assert present.crops[0].image == tmp_path / "images/a.png"
    moved = read_coco(coco(annotations=[annotation([2, 3, 10, 9])])).fingerprint
    assert len({absent, present.fingerprint, moved}) == 3
    assert present.fingerprint == read_coco(coco()).fingerprint
    (tmp_path / "elsewhere").mkdir()
    assert read_coco(coco(), images=tmp_path / "elsewhere").crops[0].image == tmp_path / "elsewhere/a.png"
    with pytest.raises(DataError, match="nowhere: no such image folder"):
        read_coco(coco(), images=tmp_path / "nowhere")


NO_LISTS = ("[]", "{}", '{"images": []}', '{"images": {}, "annotations": [], "categories": []}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((text, "not valid JSON") for text in ("{", "", "not json", '{"images": [}')),
        *((text, "no COCO file.*images, categories, annotations") for text in NO_LISTS),
    ],
)
def test_a_file_that_is_missing_no_json_or_without_the_three_lists_stops(coco, text, message):
    path = coco()
    path.write_text(text)
    with pytest.raises(DataError, match=rf"annotations\.json: {message}"):
        read_coco(path)
    path.unlink()
    with pytest.raises(DataError, match=r"annotations\.json: no such file"):
        read_coco(path)


WHOLE = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}
LACKING = {field: {name: value for name, value in WHOLE.items() if name != field} for field in WHOLE}
NO_NUMBERS = ("5", None, 10**400)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"annotations": [annotation([1, 1, 5])]}, r"annotations\[0\] \(id 1\): bbox is \[1, 1, 5\]"),
        *(({"annotations": [annotation([1, 1, no, 5])]}, r"annotations\[0\] \(id 1\): bbox") for no in NO_NUMBERS),
        *(({"annotations": [WHOLE, LACKING[field]]}, rf"annotations\[1\] lacks '{field}'") for field in WHOLE),
        ({"annotations": [annotation({})]}, r"annotations\[0\]: bbox is \{\}; make it of type list"),
        ({"annotations": [annotation([1, 1, 5, 5], image_id=[1])]}, r"annotations\[0\]: image_id is \[1\]"),
        ({"annotations": ["a"]}, r"annotations\[0\] is a str"),
        ({"images": [{"id": 1}]}, r"images\[0\] lacks 'file_name'"),
        ({"images": [{"id": 1, "file_name": 5}]}, r"images\[0\]: file_name is 5"),
        ({"images": [{"id": 1, "file_name": "a", "width": -4}]}, r"images\[0\]: width is -4"),
        ({"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]}, r"images\[1\]: id 1 stands twice"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, r"categories\[1\]: id 1 stands twice"),
        ({"categories": [{"id": True, "name": "a"}]}, r"categories\[0\]: id is True"),
    ],
)
def test_a_malformed_entry_stops_and_is_named(coco, lists, message):
    with pytest.raises(DataError, match=message):
        read_coco(coco(**lists))


def test_annotations_of_taco_give_the_counts_of_their_description_and_agree_with_pycocotools(photographed_taco):
    from pycocotools.coco import COCO

    reference = COCO(photographed_taco)
    category_names = {key: entry["name"] for key, entry in reference.cats.items()}
    source = read_coco(photographed_taco)
    counts = Counter(source.classes[crop.label] for crop in source.crops)
    assert counts == {"Plastic": 182, "Metal": 131, "Plasticbag": 107, "Paperpack": 47, "Paper": 40, "Styrofoam": 17}
    licences = {crop.licence for crop in source.crops}
    assert len(licences) == 2
    assert min(map(len, licences)) > 3
    for crop in source.crops:
        entry = reference.anns[int(crop.key.rpartition("#")[2])]
        assert crop.box == tuple(entry["bbox"])
        assert crop.image.name == reference.imgs[entry["image_id"]]["file_name"].rpartition("/")[2]
        assert category_names[entry["category_id"]] not in {"Cigarette", "Glass bottle"}
    assert len(source.crops) + len(source.left_out) == len(reference.anns) == 747


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
    assert licence_of({}, licence_table(document)) == ""


@pytest.mark.parametrize(("area", "kept"), [(33.5, 33.5), (7, 7.0), *((bad, None) for bad in NO_AREAS)])
def test_crops_carry_image_id_area_and_licence(coco, area, kept):
    images = [{"id": "seven", "file_name": "a.png", "license": 1}]
    box = {"id": 1, "image_id": "seven", "category_id": 1, "bbox": [1, 1, 5, 5], "area": area}
    (crop,) = read_coco(coco(images=images, annotations=[box], licenses=NAMED)).crops
    assert (crop.image_id, crop.area, crop.licence) == ("seven", kept, "CC BY 4.0")


def category_map(folder: Path, text: str) -> Path:
    (folder / "map.yaml").write_text(text)
    return folder / "map.yaml"


def test_tacos_map_holds_the_sixty_categories_of_the_official_file_in_six_classes(official_taco):
    taco = read_category_map(TACO_MAP)
    assert taco.classes == ("Metal", "Paper", "Paperpack", "Plastic", "Plasticbag", "Styrofoam")
    sizes = [list(taco.label_of.values()).count(label) for label in (*range(6), None)]
    assert sizes == [8, 10, 5, 15, 6, 3, 13]
    document = json.loads(official_taco.read_text())
    assert {entry["name"] for entry in document["categories"]} == set(taco.label_of)


def test_a_category_is_left_out_by_the_map_or_stops_where_the_map_lacks_it(coco, tmp_path):
    path = category_map(tmp_path, "classes: {Metal: [can], Glass: []}\nleft_out: [bottle]")
    source = read_coco(coco(), categories=path)
    assert [crop.label for crop in source.crops] == [0]
    assert [item.reason for item in source.left_out] == ["category 'bottle' is mapped to no class"]
    with pytest.raises(DataError, match=r"annotations\.json: category 'bottle' is not in the category map .*map\.yaml"):
        read_coco(coco(), categories=category_map(tmp_path, "classes: {Metal: [can]}"))
    names = ["Drink can", "Cigarette", "Mask"]  # most are TACO's
    path = coco(categories=[{"id": number, "name": name} for number, name in enumerate(names, 1)])
    with pytest.raises(DataError, match=r"'Mask' is not in the category map .*taco_categories\.yaml"):
        read_coco(path)


def test_without_a_map_every_category_with_annotations_is_a_class(coco):
    categories = [{"id": number, "name": name} for number, name in enumerate(["bottle", "rubbish", "can"])]
    annotations = [annotation([1, 1, 5, 5], category_id=number) for number in (2, 0)]
    source = read_coco(coco(categories=categories, annotations=annotations))
    assert source.classes == ("bottle", "can")
    assert [crop.label for crop in source.crops] == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: {a: [x]", "not valid YAML"),
        *((text, "no category map") for text in ("- a", "", "classes: {}")),
        *((f"classes: {{a: {members}}}", "'a' must hold a list") for members in ("x", "[x, 5]")),
        ("classes: {5: [x]}", "class name 5"),
        ("classes: {a: [x], b: [x]}", "category 'x' stands twice"),
        ("classes: {a: [x]}\nleft_out: [x]", "category 'x' stands twice"),
        ("classes: {a: [x]}\nignored: [y]", "unknown entry 'ignored'"),
    ],
)
def test_a_malformed_or_missing_map_stops_naming_the_file(tmp_path, text, message):
    with pytest.raises(DataError, match=rf"map\.yaml: .*{message}"):
        read_category_map(category_map(tmp_path, text))
    with pytest.raises(DataError, match=r"absent\.yaml: no such file"):
        read_category_map(tmp_path / "absent.yaml")
