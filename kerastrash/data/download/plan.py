"""Which photographs an annotation file names: where each one goes, and from where it comes."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerastrash.data.records import Frame
from kerastrash.errors import DataError

ADDRESSES = ("flickr_url", "coco_url")
"""Fields of an image, in the order in which they are tried. `flickr_640_url` is not: its size fits no box."""
STATE = ".download"
"""Folder of the downloader's own files, inside the target folder."""
RESERVED = ("annotations.json", "missing.json", STATE)
LONGEST_NAME = 255
"""Bytes that the common file systems take for one name of a path."""


@dataclass(frozen=True)
class Photograph:
    """A photograph to be had; `fault` says why it cannot be asked for at all."""

    file_name: str
    path: Path
    addresses: tuple[str, ...]
    frame: Frame | None
    fault: str = ""


def plan_downloads(images: Iterable[Mapping[str, Any]], folder: Path) -> tuple[Photograph, ...]:
    """One photograph for each `images` entry of a COCO file; nothing is asked or written here.

    A `file_name` that is absolute, leads out of the folder (symbolic links followed), is no path, is too long or is one
    of the folder's own is a fault; so is an entry without an address. A name that stands twice, with the same
    addresses and size, is one photograph.

    Raises:
        DataError: two different photographs have one name: the boxes of one would be cut from the other.
    """
    photographs: dict[str, Photograph] = {}
    for entry in images:
        name = entry["file_name"]
        addresses = tuple(entry[field] for field in ADDRESSES if entry.get(field) and isinstance(entry[field], str))
        fault = _name_fault(folder, name)
        photograph = Photograph(name, folder / name, addresses, _frame(entry), fault or _no_address(addresses))
        key = name if fault else os.path.normpath(name)
        if photographs.setdefault(key, photograph) != photograph and not fault:
            raise DataError(f"file_name {name!r} stands twice, with another address or size; name each photograph once")
    return tuple(photographs.values())


def _no_address(addresses: tuple[str, ...]) -> str:
    return "" if addresses else f"the file gives no address ({' or '.join(ADDRESSES)})"


def _frame(entry: Mapping[str, Any]) -> Frame | None:
    width, height = entry.get("width"), entry.get("height")
    return None if width is None or height is None else (int(width), int(height))


def _name_fault(folder: Path, name: str) -> str:
    """Why no file may have this name, or an empty text."""
    if not name.isprintable():
        return "file_name holds characters that cannot be printed"
    path = Path(name)
    if path.is_absolute():
        return "file_name is absolute"
    if any(len(part.encode()) > LONGEST_NAME for part in path.parts):
        return f"file_name is longer than {LONGEST_NAME} bytes"
    try:
        whole, inside = (folder / path).resolve(), folder.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return "file_name is no path"
    if not whole.is_relative_to(inside):
        return "file_name leaves the folder"
    own = whole == inside or whole.relative_to(inside).parts[0] in RESERVED
    return "file_name is one of the folder's own" if own else ""
