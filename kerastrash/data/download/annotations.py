"""TACO's annotation files: from a file or the web, one of them or both merged into one."""

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerastrash.console import console
from kerastrash.data.coco import licence_of, licence_table, read_coco
from kerastrash.data.download.client import Client, Unavailable, Unfit
from kerastrash.data.download.config import FetchConfig
from kerastrash.data.download.part import Part
from kerastrash.errors import DataError
from kerastrash.files import read_json

Document = dict[str, Any]


def read_annotations(origin: str, folder: Path, state: Path, categories: Path | None, config: FetchConfig) -> Document:
    """The content of a COCO file, checked as `read_coco` checks it before a single photograph is asked for.

    Args:
        origin: a file, or an address; what comes from an address is kept in `state` and not asked for again.
        folder: the folder of the photographs.

    Raises:
        DataError: it cannot be had, or is malformed.
    """
    path = _fetch(origin, state, config) if "://" in origin else Path(origin)
    read_coco(path, folder, categories)
    return read_json(path, DataError)


def _fetch(address: str, state: Path, config: FetchConfig) -> Path:
    path = state / f"annotations-{hashlib.sha256(address.encode()).hexdigest()[:16]}.json"
    if path.exists():
        return path
    console.print(f"fetching {address}", highlight=False)
    part = Part(state / "parts" / f"{path.stem}.part")
    client = Client(config, threading.Event())
    try:
        client.download(address, part, _check_json, time.monotonic() + config.deadline)
    except Unavailable as fault:
        raise DataError(f"{address}: {fault}; fetch it by hand and give the file with --annotations") from fault
    part.place(path)
    return path


def _check_json(path: Path) -> None:
    try:
        read_json(path, DataError)
    except DataError as fault:
        raise Unfit("is no JSON") from fault


def merge(documents: Mapping[str, Document]) -> Document:
    """One COCO document of several: images and annotations numbered anew, categories joined by name, licences as text.

    Every annotation stays, also those of equal ids (309 and 4040 stand twice in TACO's official file): `origin` of
    each image and annotation holds the document's name and the id there. A reference to an image or category that the
    document lacks stays one, to a name that no entry has.
    """
    merged: Document = {"info": {"description": "+".join(documents)}, "images": [], "annotations": [], "categories": []}
    numbers: dict[str, int] = {}
    for name, document in documents.items():
        category_ids = {}
        for category in document["categories"]:
            if category["name"] not in numbers:
                numbers[category["name"]] = len(numbers)
                merged["categories"].append(category | {"id": numbers[category["name"]]})
            category_ids[category["id"]] = numbers[category["name"]]
        image_ids, licences = {}, licence_table(document)
        for image in document["images"]:
            number = image_ids[image["id"]] = len(merged["images"])
            licence = licence_of(image, licences) or None
            merged["images"].append(image | {"id": number, "license": licence, "origin": [name, image["id"]]})
        for entry in document["annotations"]:
            references = {
                "image_id": image_ids.get(entry["image_id"], f"{name}:{entry['image_id']}"),
                "category_id": category_ids.get(entry["category_id"], f"{name}:{entry['category_id']}"),
            }
            number = {"id": len(merged["annotations"]), "origin": [name, entry["id"]]}
            merged["annotations"].append(entry | references | number)
    return merged


def as_text(document: Document) -> str:
    """The document as the text of a JSON file, any text in it kept."""
    return json.dumps(document) + "\n"
