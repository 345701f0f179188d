"""Findings on single things: the entries of a COCO document, photographs and crops."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from kerastrash.data.checks.findings import Finding, Item, Kind, Picture, whole
from kerastrash.data.checks.scan import Look, ScannedImage, grouped
from kerastrash.data.coco import category_map_of, licence_of, licence_table
from kerastrash.data.counts import TINY
from kerastrash.data.images import QUARTER_TURNED
from kerastrash.data.records import Frame, LeftOut, Source
from kerastrash.errors import DataError
from kerastrash.files import read_json

NOT_STATED = "not stated"
Entry = dict[str, Any]


@dataclass(frozen=True)
class Category:
    """A category of the annotation file; `class_name` is empty where it is mapped to no class."""

    name: str
    class_name: str
    annotations: int


AnnotationFacts = tuple[tuple[Category, ...], tuple[tuple[str, int], ...], list[Finding]]
"""Categories; licences with their numbers of images, the most frequent first; findings."""


def annotation_facts(path: Path, categories: Path | None, sizes: Mapping[str, Frame]) -> AnnotationFacts:
    """Reads a COCO file that `read_coco` accepts.

    `sizes` are those of decoded images by id, for images of which the file states none.
    """
    document = read_json(path, DataError)
    images = {entry["id"]: entry for entry in document["images"]}
    annotations = document["annotations"]
    table = licence_table(document)
    licences = {entry["file_name"]: licence_of(entry, table) for entry in document["images"]}
    counts = Counter(licence_of(entry, table) or NOT_STATED for entry in document["images"])
    annotated = {entry["image_id"] for entry in annotations}
    unannotated = (entry["file_name"] for number, entry in images.items() if number not in annotated)
    repeated = grouped(annotations, itemgetter("id"))
    shared = grouped(document["images"], itemgetter("file_name"))
    findings = [
        *_boxes(annotations, images, sizes),
        Finding(Kind.ANNOTATION_ID, tuple(Item(_names(group, images), f"id {group[0]['id']}") for group in repeated)),
        Finding(Kind.SHARED_FILE, tuple(Item((group[0]["file_name"],), _image_ids(group)) for group in shared)),
        Finding(Kind.UNANNOTATED, tuple(Item((name,)) for name in unannotated)),
        Finding(Kind.NO_LICENCE, tuple(Item((name,)) for name, licence in licences.items() if not licence)),
    ]
    return _categories(document, categories), tuple(counts.most_common()), findings


def _categories(document: Mapping[str, list[Entry]], given: Path | None) -> tuple[Category, ...]:
    names = {entry["id"]: entry["name"] for entry in document["categories"]}
    counts = Counter(names.get(entry["category_id"]) for entry in document["annotations"])
    category_map = category_map_of(document, given)
    labels = {name: category_map.label_of[name] for name in names.values()}
    rows = [
        Category(name, "" if label is None else category_map.classes[label], counts[name])
        for name, label in labels.items()
    ]
    order = {name: index for index, name in enumerate(category_map.classes)}
    return tuple(sorted(rows, key=lambda row: (order.get(row.class_name, len(order)), -row.annotations)))


def _boxes(
    annotations: Sequence[Entry], images: Mapping[Any, Entry], sizes: Mapping[str, Frame]
) -> tuple[Finding, ...]:
    found: dict[Kind, list[Item]] = defaultdict(list)
    for entry in annotations:
        image = images.get(entry["image_id"], {})
        size = (image.get("width"), image.get("height"))
        if None in size:
            size = sizes.get(str(entry["image_id"]), (float("inf"), float("inf")))
        kind = _box_fault(entry["bbox"], size)
        if kind is not None:
            box = ", ".join(f"{value:g}" for value in entry["bbox"])
            found[kind].append(Item(_names([entry], images), f"box ({box}) on {size[0]} x {size[1]}"))
    return tuple(Finding(kind, tuple(items)) for kind, items in found.items())


def _box_fault(box: Sequence[float], size: tuple[float, float]) -> Kind | None:
    """How a box x, y, width, height lies on an image of this size; NaN has no area."""
    x, y, width, height = box
    if not (width > 0 and height > 0):
        return Kind.BOX_WITHOUT_AREA
    if x + width <= 0 or y + height <= 0 or x >= size[0] or y >= size[1]:
        return Kind.BOX_OUTSIDE
    off = x < 0 or y < 0 or x + width > size[0] or y + height > size[1]
    return Kind.BOX_CLIPPED if off else None


def _names(annotations: Sequence[Entry], images: Mapping[Any, Entry]) -> tuple[str, ...]:
    unknown = {"file_name": "?"}
    return tuple(f"{images.get(entry['image_id'], unknown)['file_name']}#{entry['id']}" for entry in annotations)


def _image_ids(images: Sequence[Entry]) -> str:
    return f"image ids {', '.join(str(entry['id']) for entry in images)}"


def file_findings(source: Source, scanned: Sequence[ScannedImage], left_out: Iterable[LeftOut]) -> list[Finding]:
    """What is wrong with single photographs and crops; `left_out` is everything that is not used."""
    missing, bad = [], []
    for photograph in scanned:
        if photograph.look is None:
            image = photograph.crops[0].image
            absent = isinstance(image, Path) and not image.exists()
            (missing if absent else bad).append(Item((photograph.name,), photograph.reason))
    return [
        Finding(Kind.MISSING_IMAGE, tuple(missing)),
        Finding(Kind.BAD_IMAGE, tuple(bad)),
        Finding(Kind.LEFT_OUT, tuple(Item((item.what,), item.reason) for item in left_out)),
        _orientations(scanned),
        Finding(Kind.TINY, tuple(_tiny(source, scanned)), f"A side under {TINY} pixels."),
    ]


def _orientations(scanned: Sequence[ScannedImage]) -> Finding:
    items = []
    for photograph in scanned:
        if photograph.orientation not in (0, 1):
            crop = photograph.crops[0]
            note = f"orientation {photograph.orientation}: {_agreement(photograph, crop.frame)}"
            pictures = (Picture(whole(crop), photograph.name),) if photograph.look else ()
            items.append(Item((photograph.name,), note, pictures))
    return Finding(Kind.ORIENTATION, tuple(sorted(items, key=lambda item: item.note)))


def _agreement(photograph: ScannedImage, annotated: Frame | None) -> str:
    """The size of a turned photograph with which the annotated one agrees, in words."""
    stored = photograph.stored
    displayed = stored[::-1] if photograph.orientation in QUARTER_TURNED else stored
    if annotated is None:
        return "no annotated size to compare"
    if stored == displayed == annotated:
        return "annotated size is that of the stored and the displayed picture"
    if annotated in (displayed, stored):
        return f"annotated size is that of the {'displayed' if annotated == displayed else 'stored'} picture"
    return "annotated size is neither that of the stored nor of the displayed picture"


def _tiny(source: Source, scanned: Sequence[ScannedImage]) -> Iterable[Item]:
    for photograph in scanned:
        for crop, look in zip(photograph.crops, photograph.cuts, strict=False):
            if isinstance(look, Look) and min(look.size) < TINY:
                note = f"{look.size[0]} x {look.size[1]} px"
                yield Item((crop.key,), note, (Picture(crop, crop.key, source.classes[crop.label]),))
