"""Reads a COCO annotation file: every annotation becomes a crop of the class that the category map gives its category,
or is left out with a reason.

The JSON is read as it is. `pycocotools.coco.COCO` indexes annotations by id and silently drops all but the last
of equal ids; TACO's official file has two such pairs on different photographs, and all 4,784 must be kept.
Source of the format: https://cocodataset.org/#format-data (object detection).
"""

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerastrash.data.records import Box, Crop, Frame, LeftOut, Source, box_fault, fingerprint, path_inside
from kerastrash.errors import DataError
from kerastrash.files import read_json, read_yaml

TACO_MAP = Path(__file__).resolve().parents[1] / "assets" / "taco_categories.yaml"


@dataclass(frozen=True)
class CategoryMap:
    """Classes in the order of their labels; `label_of` holds None for a category that is left out on purpose."""

    origin: str
    classes: tuple[str, ...]
    label_of: dict[str, int | None]


def category_map_of(document: dict[str, Any], given: Path | None) -> CategoryMap:
    """The given map; else TACO's where most names are TACO's; else every category that has annotations is a class.

    A category that only regions of many objects carry counts as one without annotations.
    """
    if given is not None:
        return read_category_map(given)
    taco = read_category_map(TACO_MAP)
    names = {entry["id"]: entry["name"] for entry in document["categories"]}
    # Most, not all: TACO plus one category of the user's own should name that category, not become 61 classes.
    if 2 * sum(name in taco.label_of for name in names.values()) > len(names):
        return taco
    used = {names.get(entry["category_id"]) for entry in document["annotations"] if entry.get("iscrowd") in (None, 0)}
    classes = tuple(dict.fromkeys(name for name in names.values() if name in used))
    label_of: dict[str, int | None] = dict.fromkeys(names.values())
    label_of.update({name: label for label, name in enumerate(classes)})
    return CategoryMap("(a class for every category)", classes, label_of)


def read_category_map(path: Path) -> CategoryMap:
    """Reads `{classes: {Metal: [Drink can, ...], ...}, left_out: [...]}`.

    Raises:
        DataError: the file is missing, not YAML, of another shape, or names a category twice.
    """
    content = read_yaml(path, DataError)
    if not isinstance(content, dict) or not isinstance(content.get("classes"), dict) or not content["classes"]:
        raise DataError(f"{path}: no category map; write 'classes:' with a list of categories under every class")
    if extra := sorted(map(str, set(content) - {"classes", "left_out"})):
        raise DataError(f"{path}: unknown entry {extra[0]!r}; a category map holds 'classes' and 'left_out' only")
    classes = tuple(content["classes"])
    label_of: dict[str, int | None] = {}
    left_out = ("left_out", content.get("left_out") or [])
    for label, (name, members) in (*enumerate(content["classes"].items()), (None, left_out)):
        if not isinstance(name, str):
            raise DataError(f"{path}: class name {name!r} is no text; put it in quotes")
        if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
            raise DataError(f"{path}: {name!r} must hold a list of category names; quote names that are no plain text")
        for member in members:
            if member in label_of:
                raise DataError(f"{path}: category {member!r} stands twice; keep it under one entry only")
            label_of[member] = label
    return CategoryMap(str(path), classes, label_of)


CROWD = "region of many objects (iscrowd), not one to be classified"


def licence_table(document: dict[str, Any]) -> dict[int | str, str]:
    """The name of each licence of the file by its id; empty where the file describes none."""
    for section in ("licenses", "info"):
        entries = document.get(section)
        if isinstance(entries, list):
            named = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), int | str)]
            return {entry["id"]: str(entry.get("name") or entry.get("url") or entry["id"]) for entry in named}
    return {}


def licence_of(image: dict[str, Any], table: dict[int | str, str]) -> str:
    """The licence that an entry of `images` states, as text; empty where it states none."""
    stated = image.get("license")
    if stated in (None, ""):
        return ""
    if isinstance(stated, int | str) and stated in table:
        return table[stated]
    return stated if isinstance(stated, str) else f"licence {stated}, which the file does not describe"


REQUIRED: dict[str, dict[str, tuple[type, ...]]] = {
    "images": {"id": (int, str), "file_name": (str,)},
    "categories": {"id": (int, str), "name": (str,)},
    "annotations": {"id": (int, str), "image_id": (int, str), "category_id": (int, str), "bbox": (list,)},
}
LISTS = ", ".join(REQUIRED)


def read_coco(annotations: Path, images: Path | None = None, categories: Path | None = None) -> Source:
    """Reads the annotation file; no image is opened, and none needs to be there.

    A box that begins or ends outside the image is kept and clipped when it is cut. Crops and what is left out (see
    `_fault`) together are the annotations of the file.

    Raises:
        DataError: the file is missing or malformed, or the category map lacks one of its categories.
    """
    document = _read_document(annotations)
    folder = _image_folder(annotations, images, document["images"])
    photographs = _by_id(annotations, "images", document["images"])
    names = {key: entry["name"] for key, entry in _by_id(annotations, "categories", document["categories"]).items()}
    category_map = category_map_of(document, categories)
    if unknown := sorted(set(names.values()) - set(category_map.label_of)):
        raise DataError(
            f"{annotations}: category {', '.join(map(repr, unknown))} is not in the category map "
            f"{category_map.origin}; add it under one of the classes or under left_out, "
            "or give another map with --categories"
        )
    paths = {key: path_inside(folder, entry["file_name"]) for key, entry in photographs.items()}
    licences = licence_table(document)
    crops, left_out = [], []
    keys: set[str] = set()
    for entry in document["annotations"]:
        photograph, name = photographs.get(entry["image_id"]), names.get(entry["category_id"])
        key = _unique_key(photograph, entry["id"], keys)
        box, frame = tuple(map(float, entry["bbox"])), frame_of(photograph)
        label, path = category_map.label_of.get(name), paths.get(entry["image_id"])
        crowd = entry.get("iscrowd") not in (None, 0)
        if reason := CROWD if crowd else _fault(photograph, name, label, path, box, frame):
            left_out.append(LeftOut(key, reason))
        else:
            stated = {"area": _area(entry), "licence": licence_of(photograph, licences)}
            crops.append(Crop(path, box, label, key, frame=frame, image_id=str(entry["image_id"]), **stated))
    classes = category_map.classes
    name = f"{annotations.resolve().parent.name}-{annotations.stem}"
    return Source(name, classes, tuple(crops), tuple(left_out), fingerprint(classes, crops))


def _fault(
    photograph: dict | None, name: str | None, label: int | None, path: Path | None, box: Box, frame: Frame | None
) -> str | None:
    """Why an annotation is left out, or None."""
    if photograph is None:
        return "image_id names no image of the file"
    if name is None:
        return "category_id names no category of the file"
    if label is None:
        return f"category {name!r} is mapped to no class"
    if path is None:
        return "file_name leaves the image folder"
    return box_fault(box, frame or (math.inf, math.inf))


def _read_document(path: Path) -> dict[str, Any]:
    document = read_json(path, DataError)
    if not isinstance(document, dict):
        raise DataError(f"{path}: no COCO file: holds a {type(document).__name__}; give an object with {LISTS}")
    for section, fields in REQUIRED.items():
        entries = document.get(section)
        if not isinstance(entries, list):
            raise DataError(f"{path}: no COCO file: has no list {section!r}; give a file with the lists {LISTS}")
        for index, entry in enumerate(entries):
            _check_entry(f"{path}: {section}[{index}]", entry, fields)
    for index, entry in enumerate(document["images"]):
        for side in ("width", "height"):
            value = entry.get(side)
            if value is not None and not (_is_number(value) and value == math.floor(value) and value > 0):
                message = f"{side} is {value!r}; write the image's {side} in whole pixels"
                raise DataError(f"{path}: images[{index}]: {message}")
    for index, entry in enumerate(document["annotations"]):
        if len(entry["bbox"]) != 4 or not all(_is_number(value) for value in entry["bbox"]):
            raise DataError(f"{path}: annotations[{index}] (id {entry['id']}): bbox is {entry['bbox']}; "
                            "write four numbers: x, y, width, height in pixels")  # fmt: skip
    return document


def _check_entry(where: str, entry: Any, fields: dict[str, tuple[type, ...]]) -> None:
    if not isinstance(entry, dict):
        raise DataError(f"{where} is a {type(entry).__name__}; make it an object with {', '.join(fields)}")
    for field, types in fields.items():
        if field not in entry:
            raise DataError(f"{where} lacks {field!r}; add it or take the entry out")
        if not isinstance(entry[field], types) or isinstance(entry[field], bool):
            wanted = " or ".join(kind.__name__ for kind in types)
            raise DataError(f"{where}: {field} is {entry[field]!r}; make it of type {wanted}")


def _is_number(value: Any) -> bool:
    # Whole numbers beyond float's range would overflow later; floats may be NaN or infinite, which is left out by name.
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63)


def _by_id(path: Path, section: str, entries: list[dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    table = {}
    for index, entry in enumerate(entries):
        if entry["id"] in table:
            raise DataError(f"{path}: {section}[{index}]: id {entry['id']!r} stands twice; give each entry its own id")
        table[entry["id"]] = entry
    return table


def frame_of(photograph: dict[str, Any] | None) -> Frame | None:
    """Width and height that an entry of `images` states."""
    width, height = (photograph or {}).get("width"), (photograph or {}).get("height")
    return None if width is None or height is None else (int(width), int(height))


def _area(annotation: dict[str, Any]) -> float | None:
    """The area of the object's outline, where the annotation holds one that is a number above 0."""
    area = annotation.get("area")
    return float(area) if _is_number(area) and math.isfinite(area) and area > 0 else None


def _unique_key(photograph: dict[str, Any] | None, annotation_id: int | str, keys: set[str]) -> str:
    """`file_name#id`; equal ids on one photograph are told apart by their order in the file."""
    base = f"{photograph['file_name'] if photograph else '?'}#{annotation_id}"
    names = itertools.chain([base], (f"{base}({number})" for number in itertools.count(2)))
    key = next(name for name in names if name not in keys)
    keys.add(key)
    return key


def _image_folder(annotations: Path, given: Path | None, entries: list[dict[str, Any]]) -> Path:
    if given is not None:
        if not given.is_dir():
            raise DataError(f"{given}: no such image folder; check the path given with --images")
        return given

    def images_in(folder: Path) -> int:
        paths = [path_inside(folder, entry["file_name"]) for entry in entries]
        return sum(path is not None and path.is_file() for path in paths)

    return max(annotations.parent, annotations.parent / "images", key=images_in)
