"""Findings on single things: the entries of a COCO document, photographs and crops."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from kerastrash.data.checks.findings import Finding, Item, Picture, repeated
from kerastrash.data.checks.scan import Look, ScannedImage
from kerastrash.data.coco import category_map_of, licence_of, licence_table
from kerastrash.data.dataset import TINY
from kerastrash.data.images import QUARTER_TURNED
from kerastrash.data.records import NO_AREA, NOT_FINITE, OUTSIDE, Frame, LeftOut, Source, box_fault
from kerastrash.errors import DataError
from kerastrash.files import read_json

NOT_STATED = "not stated"
BOX_KINDS = {NOT_FINITE: "box_without_area", NO_AREA: "box_without_area", OUTSIDE: "box_outside"}
Entry = dict[str, Any]


def annotation_facts(
    path: Path | None, categories: Path | None, scanned: Sequence[ScannedImage]
) -> tuple[list[Entry], tuple[tuple[str, int], ...], list[Finding]]:
    """What a COCO file that `read_coco` accepts states; without one, the licences that the source knows.

    Returns:
        Categories, each with `name`, `class_name` (empty where it is mapped to no class) and number of `annotations`;
        licences with their numbers of images, the most frequent first; findings.
    """
    if path is None:
        counts = Counter(one.crops[0].licence or NOT_STATED for one in scanned)
        return [], tuple(counts.most_common()) if set(counts) != {NOT_STATED} else (), []
    document = read_json(path, DataError)
    images = {entry["id"]: entry for entry in document["images"]}
    annotations = document["annotations"]
    sizes = {one.crops[0].image_id: one.look.size for one in scanned if one.look}  # where the file states none
    table = licence_table(document)
    licences = {entry["file_name"]: licence_of(entry, table) for entry in document["images"]}
    counts = Counter(licence_of(entry, table) or NOT_STATED for entry in document["images"])
    annotated = {entry["image_id"] for entry in annotations}
    unannotated = (entry["file_name"] for number, entry in images.items() if number not in annotated)
    same_id = repeated(annotations, itemgetter("id"))
    groups = repeated(document["images"], itemgetter("file_name"))
    shared = {group[0]["file_name"]: ", ".join(str(entry["id"]) for entry in group) for group in groups}
    findings = [
        *_boxes(annotations, images, sizes),
        Finding("annotation_id", [Item(_names(group, images), f"id {group[0]['id']}") for group in same_id]),
        Finding("shared_file", [Item((name,), f"image ids {ids}") for name, ids in shared.items()]),
        Finding("unannotated", [Item((name,)) for name in unannotated]),
        Finding("no_licence", [Item((name,)) for name, licence in licences.items() if not licence]),
    ]
    return _categories(document, categories), tuple(counts.most_common()), findings


def _categories(document: Mapping[str, list[Entry]], given: Path | None) -> list[Entry]:
    names = {entry["id"]: entry["name"] for entry in document["categories"]}
    counts = Counter(names.get(entry["category_id"]) for entry in document["annotations"])
    category_map = category_map_of(document, given)
    classes = {None: "", **dict(enumerate(category_map.classes))}
    labels = {name: category_map.label_of[name] for name in names.values()}
    order = sorted(labels, key=lambda name: (labels[name] is None, labels[name], -counts[name]))
    return [{"name": name, "class_name": classes[labels[name]], "annotations": counts[name]} for name in order]


def _boxes(annotations: Sequence[Entry], images: Mapping[Any, Entry], sizes: Mapping[str, Frame]) -> list[Finding]:
    found: dict[str, list[Item]] = defaultdict(list)
    for entry in annotations:
        image = images.get(entry["image_id"], {})
        size = (image.get("width"), image.get("height"))
        if None in size:
            size = sizes.get(str(entry["image_id"]), (float("inf"), float("inf")))
        x, y, width, height = box = tuple(map(float, entry["bbox"]))
        partly_off = min(x, y) < 0 or x + width > size[0] or y + height > size[1]
        if kind := BOX_KINDS.get(box_fault(box, size), "box_clipped" if partly_off else ""):
            shown = ", ".join(f"{value:g}" for value in box)
            found[kind].append(Item(_names([entry], images), f"box ({shown}) on {size[0]} x {size[1]}"))
    return [Finding(kind, items) for kind, items in found.items()]


def _names(annotations: Sequence[Entry], images: Mapping[Any, Entry]) -> tuple[str, ...]:
    unknown = {"file_name": "?"}
    return tuple(f"{images.get(entry['image_id'], unknown)['file_name']}#{entry['id']}" for entry in annotations)


def file_findings(source: Source, scanned: Sequence[ScannedImage], left_out: Iterable[LeftOut]) -> list[Finding]:
    """What is wrong with single photographs and crops; `left_out` is everything that is not used."""
    found: dict[str, list[Item]] = defaultdict(list)
    for photograph in scanned:
        name, first = photograph.name, photograph.crops[0]
        if photograph.look is None:
            absent = isinstance(first.image, Path) and not first.image.exists()
            found["missing_image" if absent else "bad_image"].append(Item((name,), photograph.reason))
        if photograph.orientation not in (0, 1):
            note = f"orientation {photograph.orientation}: {_agreement(photograph, first.frame)}"
            pictures = (Picture(replace(first, box=None), name),) if photograph.look else ()
            found["orientation"].append(Item((name,), note, pictures))
        for crop, look in zip(photograph.crops, photograph.cuts, strict=False):
            if isinstance(look, Look) and min(look.size) < TINY:
                picture = Picture(crop, crop.key, source.classes[crop.label])
                found["tiny"].append(Item((crop.key,), f"{look.size[0]} x {look.size[1]} px", (picture,)))
    found["orientation"].sort(key=attrgetter("note"))
    found["left_out"] = [Item((item.what,), item.reason) for item in left_out]
    return [Finding(kind, items) for kind, items in found.items()]


def _agreement(photograph: ScannedImage, annotated: Frame | None) -> str:
    """The size of a turned photograph with which the annotated one agrees, in words."""
    stored = photograph.stored
    displayed = stored[::-1] if photograph.orientation in QUARTER_TURNED else stored
    if annotated is None:
        return "no annotated size to compare"
    fits = [name for name, size in (("stored", stored), ("displayed", displayed)) if size == annotated]
    whose = f"that of the {' and the '.join(fits)}" if fits else "neither that of the stored nor of the displayed"
    return f"annotated size is {whose} picture"
