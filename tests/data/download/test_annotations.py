"""Annotation files from the web, and two of them in one."""

import json
import threading

import pytest

from kerastrash.data.download.annotations import merge, read_annotations
from kerastrash.errors import DataError


@pytest.fixture
def read(tmp_path, fast):
    state = tmp_path / "state"
    state.mkdir()
    return lambda origin: read_annotations(str(origin), tmp_path, state, None, fast)


def test_a_file_from_an_address_is_asked_for_once(site, answer, coco, read):
    text = coco().read_bytes()
    address = site.add("/annotations.json", answer(status=503), answer(text))
    assert read(address) == read(address) == json.loads(text)
    assert len(site.asked) == 2


@pytest.mark.parametrize(("body", "reason"), [(b"<html>", "is no JSON"), (b"", "is no JSON"), (None, "answered 404")])
def test_a_file_that_cannot_be_had_is_named(site, answer, read, body, reason):
    address = site.add("/annotations.json", answer(status=404) if body is None else answer(body))
    with pytest.raises(DataError, match=rf"annotations\.json.*{reason}.*--annotations"):
        read(address)


def test_a_malformed_file_is_refused(coco, read, tmp_path):
    with pytest.raises(DataError, match=r"annotations\[0\].*bbox"):
        read(coco(annotations=[{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2]}]))
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "absent.json")


def document(*ids, name="can", licence=None, **fields):
    return {
        "images": [{"id": 0, "file_name": f"{name}.jpg", "license": licence}],
        "categories": [{"id": 7, "name": "box"}, {"id": 9, "name": name}],
        "annotations": [{"id": id, "image_id": 0, "category_id": 9, "bbox": [0, 0, 1, 1]} for id in ids],
    } | fields


def test_merging_keeps_every_annotation_on_its_photograph_and_in_its_category():
    merged = merge({"official": document(3, 3, 5), "unofficial": document(3, name="bag")})
    images = {image["id"]: image["file_name"] for image in merged["images"]}
    names = {category["id"]: category["name"] for category in merged["categories"]}
    entries = merged["annotations"]
    assert [entry["id"] for entry in entries] == [0, 1, 2, 3]
    assert [images[entry["image_id"]] for entry in entries] == ["can.jpg"] * 3 + ["bag.jpg"]
    assert [names[entry["category_id"]] for entry in entries] == ["can"] * 3 + ["bag"]
    assert [entry["origin"] for entry in entries] == [["official", 3]] * 2 + [["official", 5], ["unofficial", 3]]
    assert list(names.values()) == ["box", "can", "bag"]


def test_merging_keeps_a_reference_that_leads_nowhere_so():
    astray = document()["annotations"] + [{"id": 1, "image_id": 0, "category_id": 0, "bbox": [0, 0, 1, 1]}]
    astray.append({"id": 2, "image_id": 1, "category_id": 9, "bbox": [0, 0, 1, 1]})
    merged = merge({"official": document(1), "unofficial": document(annotations=astray)})
    assert merged["annotations"][1]["category_id"] == "unofficial:0"
    assert merged["annotations"][2]["image_id"] == "unofficial:1"


def test_merging_writes_each_licence_out():
    licences = [{"id": 1, "name": "CC BY 4.0"}]
    merged = merge({"official": document(licence=1, licenses=licences), "unofficial": document(licence="ODbL")})
    assert [image["license"] for image in merged["images"]] == ["CC BY 4.0", "ODbL"]


def test_the_duplicate_ids_of_the_official_file_survive_a_merge(official_taco):
    official = json.loads(official_taco.read_text())
    merged = merge({"official": official, "unofficial": document(309, name="Drink can")})
    assert len(merged["annotations"]) == 4784 + 1
    assert len({entry["id"] for entry in merged["annotations"]}) == 4785
    for id in (309, 4040):
        assert sum(entry["origin"] == ["official", id] for entry in merged["annotations"]) == 2


def test_fetching_leaves_no_thread_behind(site, answer, coco, read):
    read(site.add("/annotations.json", answer(coco().read_bytes())))
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
