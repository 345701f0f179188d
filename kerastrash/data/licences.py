"""The licence of an image of a COCO file, as text.

The format gives an image the id of an entry of `licenses` (https://cocodataset.org/#format-data). TACO's official file
writes the text itself, or null; other exports have the lists `info` and `licenses` under each other's name.
"""

from typing import Any

LicenceTable = dict[int | str, str]


def licence_table(document: dict[str, Any]) -> LicenceTable:
    """The name of each licence of the file by its id; empty where the file describes none."""
    for section in ("licenses", "info"):
        entries = document.get(section)
        if isinstance(entries, list):
            named = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), int | str)]
            return {entry["id"]: str(entry.get("name") or entry.get("url") or entry["id"]) for entry in named}
    return {}


def licence_of(image: dict[str, Any], table: LicenceTable) -> str:
    """The licence that an entry of `images` states, as text; empty where it states none."""
    stated = image.get("license")
    if stated is None or stated == "":
        return ""
    if isinstance(stated, int | str) and stated in table:
        return table[stated]
    return stated if isinstance(stated, str) else f"licence {stated}, which the file does not describe"
