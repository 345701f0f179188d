"""TACO from its published addresses to crops, every annotation accounted for.

Source: P. F. Proença, P. Simões, "TACO: Trash Annotations in Context for Litter Detection", arXiv:2003.06975;
https://github.com/pedropro/TACO.
"""

import functools
import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerastrash.data.coco import frame_of, licence_of, licence_table, read_coco
from kerastrash.data.config import DataConfig, FetchConfig, TacoConfig, check_config
from kerastrash.data.dataset import Dataset, prepare_source
from kerastrash.data.download import PARTS, STATE, WantedPhotograph, claim, fetch_all
from kerastrash.data.images import Track, untracked
from kerastrash.data.records import LeftOut, Source, count_reasons, path_inside
from kerastrash.data.sources import ANNOTATIONS, open_source
from kerastrash.data.web import Client, Unavailable
from kerastrash.errors import DataError
from kerastrash.files import read_json, write_json, write_text

MISSING = "missing.json"
ADDRESSES = ("flickr_url", "coco_url")
"""Fields of an image, in the order in which they are tried. `flickr_640_url` is not: its size fits no box."""


@dataclass(frozen=True)
class PreparedTaco:
    """What came of it."""

    dataset: Dataset
    photographs: int
    missing: list[dict[str, str]]
    """File name, address and reason of each photograph that could not be had, as in `missing.json`."""
    account: dict[str, int]
    """Counts of annotations: cut, mapped to no class, photograph missing, then every other reason."""


def prepare_taco(config: TacoConfig, track: Track = untracked, track_fetched: Track = untracked) -> PreparedTaco:
    """Fetches TACO's photographs from the addresses in its annotation files and cuts their crops; resumable.

    Args:
        track_fetched: like `track`, over each `WantedPhotograph` when it is there or has a reason.

    Raises:
        DataError: an annotation file cannot be had or used, or not one photograph could be had.
        FileError, ConfigError: as `claim`; or a setting is out of range.
    """
    data = DataConfig(
        data=str(config.folder / ANNOTATIONS), images=config.folder, categories=config.categories, cache=config.cache
    )
    check_config(data, config.input_size)
    with claim(config.folder) as state:
        document = _read_documents(config, state)
        downloads = plan_downloads(document["images"], config.folder)
        missing = fetch_all(downloads, state, config.fetch, track_fetched)
        rows = [_as_row(download) for download in missing]
        write_json(config.folder / MISSING, rows)
        if len(missing) == len(downloads):
            reasons = count_reasons(LeftOut(one.file_name, one.reason) for one in missing)
            message = f"not one of {len(downloads)} photographs could be had ({reasons})"
            raise DataError(f"{config.folder}: {message}; see {MISSING}")
        write_text(config.folder / ANNOTATIONS, json.dumps(document) + "\n")
    source = open_source(data)
    dataset = prepare_source(source, data, config.input_size, track)
    account = account_for(source, dataset, {one.path for one in missing}, len(document["annotations"]))
    return PreparedTaco(dataset, len(downloads), rows, account)


def _as_row(download: WantedPhotograph) -> dict[str, str]:
    """File name, first address and reason, each in characters that can be printed."""
    address = next(iter(download.addresses), "")
    row = {"file_name": download.file_name, "address": address, "reason": download.reason}
    return {key: value if value.isprintable() else ascii(value)[1:-1] for key, value in row.items()}


def plan_downloads(images: Iterable[Mapping[str, Any]], folder: Path) -> tuple[WantedPhotograph, ...]:
    """One download for each `images` entry of a COCO file; nothing is asked or written here.

    A `file_name` that leads out of the folder (symbolic links followed) or is one of the folder's own gets a reason;
    so does an entry without an address. A name that stands twice, with the same addresses and size, is one photograph.

    Raises:
        DataError: two different photographs have one name: the boxes of one would be cut from the other.
    """
    downloads: dict[str, WantedPhotograph] = {}
    for entry in images:
        name = entry["file_name"]
        addresses = tuple(entry[field] for field in ADDRESSES if entry.get(field) and isinstance(entry[field], str))
        fault = _name_fault(folder, name)
        reason = fault or ("" if addresses else f"the file gives no address ({' or '.join(ADDRESSES)})")
        download = WantedPhotograph(name, folder / name, addresses, frame_of(entry), reason)
        if downloads.setdefault(name if fault else os.path.normpath(name), download) != download and not fault:
            raise DataError(f"file_name {name!r} stands twice, with another address or size; name each photograph once")
    return tuple(downloads.values())


def _name_fault(folder: Path, name: str) -> str:
    if not name.isprintable():
        return "file_name holds characters that cannot be printed"
    path = path_inside(folder, name)
    if path is None:
        return "file_name leaves the folder"
    first = path.resolve().relative_to(folder.resolve()).parts[:1]
    return "file_name is one of the folder's own" if first in [(), (ANNOTATIONS,), (MISSING,), (STATE,)] else ""


def _read_documents(config: TacoConfig, state: Path) -> dict[str, Any]:
    """The annotation file or both merged, checked as `read_coco` does before a single photograph is asked for."""
    origins = {"official": config.annotations, "unofficial": config.unofficial_annotations}
    documents = {}
    for name, origin in origins.items():
        if config.which in (name, "both"):
            path = _fetch_annotations(origin, state, config.fetch) if "://" in origin else Path(origin)
            read_coco(path, config.folder, config.categories)
            documents[name] = read_json(path, DataError)
    return merge(documents) if len(documents) > 1 else documents[config.which]


def _fetch_annotations(address: str, state: Path, config: FetchConfig) -> Path:
    """The file from an address, asked for once."""
    path = state / f"annotations-{hashlib.sha256(address.encode()).hexdigest()[:16]}.json"
    check = functools.partial(read_json, error=lambda _: Unavailable("is no JSON"))
    if not path.exists():
        try:
            Client(config, threading.Event()).fetch([address], state / PARTS / path.stem, check, path)
        except Unavailable as fault:
            raise DataError(f"{address}: {fault}; fetch it by hand and give the file with --annotations") from fault
    return path


def merge(documents: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """One COCO document of several: images and annotations numbered anew, categories joined by name, licences as text.

    Every annotation stays, also those of equal ids (309 and 4040 stand twice in TACO's official file): `origin` of
    each image and annotation holds the document's name and the id there. A reference to an image or category that the
    document lacks stays one, to a name that no entry has.
    """
    merged: dict[str, Any] = {"info": {"description": "+".join(documents)}}
    merged |= {"images": [], "annotations": [], "categories": []}
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


def account_for(source: Source, dataset: Dataset, missing: Collection[Path], total: int) -> dict[str, int]:
    """The whereabouts of every annotation, of which the file holds `total`: see `PreparedTaco.account`.

    `missing` are the paths of the photographs that could not be had.
    """
    account = Counter({"cut": len(dataset.crops), "mapped to no class": 0, "photograph missing": 0})
    unavailable = {crop.key for crop in source.crops if crop.image in missing}
    for item in dataset.left_out:
        gone = "photograph missing" if item.what in unavailable else item.reason
        account["mapped to no class" if gone.endswith("mapped to no class") else gone] += 1
    if account.total() != total:
        raise RuntimeError(f"{account.total()} annotations are accounted for, the file holds {total}: {dict(account)}")
    return dict(account)
