"""`crops.jsonl`: what the rows of a cache are. A header, then a line for each photograph, in the order of the rows."""

import json
import zlib
from pathlib import Path
from typing import Any

from kerastrash.data.cache.decoding import Photograph
from kerastrash.data.records import Source

VERSION = 2
IMAGES, CROPS = "images.npy", "crops.jsonl"


def header_line(source: Source, size: int, photographs: int) -> bytes:
    """The first line: whose crops these are, and how many photographs make them whole."""
    return _encoded(
        {
            "version": VERSION,
            "fingerprint": source.fingerprint,
            "source": source.name,
            "size": size,
            "photographs": photographs,
        }
    )


def photograph_line(photograph: Photograph) -> bytes:
    """The line of one photograph: its digest, a checksum of its rows, its crops, and what could not be cut."""
    checksum = 0
    for piece in photograph.pieces:
        checksum = zlib.crc32(piece.pixels.data, checksum)
    return _encoded(
        {
            "photograph": photograph.digest,
            "checksum": checksum,
            "crops": [(piece.crop.key, piece.crop.label, *piece.sides) for piece in photograph.pieces],
            "left_out": [(item.what, item.reason) for item in photograph.left_out],
        }
    )


def _encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def rows_of(line: bytes) -> tuple[int, int] | None:
    """The number of rows that a line names and their checksum (CRC-32); None where the line is cut short."""
    try:
        record = json.loads(line)
        return (len(record["crops"]), int(record["checksum"])) if line.endswith(b"\n") else None
    except (ValueError, KeyError, TypeError):
        return None


def read_lines(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and photographs of the file; anything that is not of its form raises OSError, ValueError or TypeError."""
    with path.open("rb") as stream:
        header, *photographs = [json.loads(line) for line in stream]
    return dict(header), photographs
