"""The category map: which categories become which class, and what stops with a sentence."""

import json
from pathlib import Path

import pytest

from kerastrash.data.coco import TACO_MAP, read_category_map, read_coco
from kerastrash.errors import DataError


@pytest.fixture
def category_map(tmp_path):
    def write(text: str):
        path = tmp_path / "map.yaml"
        path.write_text(text)
        return path

    return write


def test_tacos_map_holds_the_sixty_categories_of_the_official_file_in_six_classes(official_taco):
    taco = read_category_map(TACO_MAP)
    assert taco.classes == ("Metal", "Paper", "Paperpack", "Plastic", "Plasticbag", "Styrofoam")
    sizes = [list(taco.label_of.values()).count(label) for label in (*range(6), None)]
    assert sizes == [8, 10, 5, 15, 6, 3, 13]
    document = json.loads(official_taco.read_text())
    assert {entry["name"] for entry in document["categories"]} == set(taco.label_of)


def test_a_category_is_left_out_by_the_map_or_stops_where_the_map_lacks_it(coco, category_map):
    source = read_coco(coco(), categories=category_map("classes: {Metal: [can], Glass: []}\nleft_out: [bottle]"))
    assert [crop.label for crop in source.crops] == [0]
    assert [item.reason for item in source.left_out] == ["category 'bottle' is mapped to no class"]
    with pytest.raises(DataError, match=r"annotations\.json: category 'bottle' is not in the category map .*map\.yaml"):
        read_coco(coco(), categories=category_map("classes: {Metal: [can]}"))
    names = ["Drink can", "Cigarette", "Mask"]  # most are TACO's
    path = coco(categories=[{"id": number, "name": name} for number, name in enumerate(names, 1)])
    with pytest.raises(DataError, match=r"'Mask' is not in the category map .*taco_categories\.yaml"):
        read_coco(path)


def test_without_a_map_every_category_with_annotations_is_a_class(coco):
    names = ["bottle", "rubbish", "can"]
    path = coco(
        categories=[{"id": number, "name": name} for number, name in enumerate(names)],
        annotations=[{"id": 1, "image_id": 1, "category_id": number, "bbox": [1, 1, 5, 5]} for number in (2, 0)],
    )
    source = read_coco(path)
    assert source.classes == ("bottle", "can")
    assert [crop.label for crop in source.crops] == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: {a: [x]", "not valid YAML"),
        ("- a", "no category map"),
        ("", "no category map"),
        ("classes: {}", "no category map"),
        ("classes: {a: x}", "'a' must hold a list"),
        ("classes: {a: [x, 5]}", "'a' must hold a list"),
        ("classes: {5: [x]}", "class name 5"),
        ("classes: {a: [x], b: [x]}", "category 'x' stands twice"),
        ("classes: {a: [x]}\nleft_out: [x]", "category 'x' stands twice"),
        ("classes: {a: [x]}\nignored: [y]", "unknown entry 'ignored'"),
    ],
)
def test_a_malformed_map_stops_naming_the_file(category_map, text, message):
    with pytest.raises(DataError, match=rf"map\.yaml: .*{message}"):
        read_category_map(category_map(text))
    with pytest.raises(DataError, match=r"absent\.yaml: no such file"):
        read_category_map(Path("absent.yaml"))
