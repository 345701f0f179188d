"""Decodes every crop once into a memory-mapped array on disk, and opens that array from then on.

A cache is a folder, NAME-FINGERPRINT-SIZE/, of `images.npy` (uint8, (n, size, size, 3)) and `crops.json` (the key,
label, photograph digest and cut size of each row, and what could not be decoded). It is built beside its place
and renamed into it, so that it is whole or absent.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kerastrash.console import track
from kerastrash.data.images import ImageError, cut, decode, digest, read_bytes, square
from kerastrash.data.records import Crop, LeftOut, Source, count_reasons
from kerastrash.errors import DataError, FileError
from kerastrash.files import read_json, write_json

VERSION = 1
IMAGES, CROPS = "images.npy", "crops.json"
CHUNK = 64
"""Photographs decoded ahead of the writer, which bounds the memory."""


@dataclass(frozen=True)
class CachedCrops:
    """The crops that could be decoded, in the order of the array's rows."""

    images: np.memmap
    crops: tuple[Crop, ...]
    labels: np.ndarray
    groups: np.ndarray
    sizes: np.ndarray
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Row:
    """One decoded crop, or the reason why there is none."""

    crop: Crop
    pixels: np.ndarray | None = None
    group: str = ""
    size: tuple[int, int] = (0, 0)
    reason: str = ""


def cached_crops(source: Source, folder: Path, size: int) -> CachedCrops:
    """Opens the cache of the source at `size` pixels; builds it where it is absent, partial or damaged.

    Raises:
        DataError: not one crop could be decoded.
        FileError: the cache cannot be written; nothing of it is left behind.
    """
    name = re.sub(r"[^\w.-]+", "_", source.name).strip(".") or "data"
    target = folder / f"{name}-{source.fingerprint[:16]}-{size}"
    cached = _open(target, source, size)
    if cached is None:
        with _workshop(target) as folder:
            _build(source, folder, size)
            _publish(folder, target, source, size)
        cached = _open(target, source, size)
    if cached is None:
        raise FileError(f"{target}: the cache changed while it was written; remove the folder and try again")
    return cached


def _open(target: Path, source: Source, size: int) -> CachedCrops | None:
    try:
        record = read_json(target / CROPS)
        images = np.load(target / IMAGES, mmap_mode="r")
        rows = len(record["keys"])
        whole = images.offset + images.nbytes == (target / IMAGES).stat().st_size
        if record["version"] != VERSION or record["fingerprint"] != source.fingerprint or not whole:
            return None
        if images.shape != (rows, size, size, 3) or images.dtype != np.uint8:
            return None
        by_key = {crop.key: crop for crop in source.crops}
        return CachedCrops(
            images=images,
            crops=tuple(by_key[key] for key in record["keys"]),
            labels=np.asarray(record["labels"], dtype=np.int64).reshape(rows),
            groups=np.asarray(record["groups"], dtype=str).reshape(rows),
            sizes=np.asarray(record["sizes"], dtype=np.int64).reshape(rows, 2),
            left_out=tuple(LeftOut(*item) for item in record["left_out"]),
        )
    except (FileError, OSError, ValueError, EOFError, KeyError, TypeError, AttributeError):
        return None


@contextlib.contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """Yields an empty folder beside `target`; it is removed with all it still holds when the block ends."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        new = workshop / "new"
        new.mkdir()
        yield new
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _publish(new: Path, target: Path, source: Source, size: int) -> None:
    """Renames `new` to `target`, unless another process was first: a whole cache stays, a damaged one gives way."""
    try:
        new.rename(target)
    except OSError:
        if _open(target, source, size) is None:
            if target.exists():
                target.rename(new.with_name("damaged"))
            new.rename(target)


def _cannot_write(path: Path, error: OSError) -> FileError:
    reason = error.strerror or error
    return FileError(f"{path}: cache cannot be written ({reason}); free the disk or give another folder with --cache")


def _build(source: Source, folder: Path, size: int) -> None:
    record: dict[str, Any] = {"version": VERSION, "fingerprint": source.fingerprint, "source": source.name}
    record |= {"keys": [], "labels": [], "groups": [], "sizes": [], "left_out": []}
    left_out: list[LeftOut] = []
    with (folder / IMAGES).open("wb") as stream:  # written, not mapped: a full disk then raises instead of killing
        _write_header(stream, len(source.crops), size)
        for row in _decoded(source.crops, size):
            if row.pixels is None:
                left_out.append(LeftOut(row.crop.key, row.reason))
                continue
            stream.write(row.pixels.tobytes())
            record["keys"].append(row.crop.key)
            record["labels"].append(row.crop.label)
            record["groups"].append(row.group)
            record["sizes"].append(row.size)
        if not record["keys"]:
            raise DataError(
                f"{source.name}: not one of {len(source.crops)} crops can be used: {count_reasons(left_out)}; "
                "check the image folder (--images) and the files"
            )
        stream.seek(0)
        _write_header(stream, len(record["keys"]), size)  # as long as the first: the format pads the row count
        stream.flush()
        os.fsync(stream.fileno())
    record["left_out"] = [(item.what, item.reason) for item in left_out]
    write_json(folder / CROPS, record)


def _write_header(stream: BinaryIO, rows: int, size: int) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (rows, size, size, 3)}
    np.lib.format.write_array_header_1_0(stream, header)


def _decoded(crops: tuple[Crop, ...], size: int) -> Iterator[_Row]:
    """Every crop, those of one photograph together: it is decoded once."""
    photographs: dict[Any, list[Crop]] = {}
    for crop in crops:
        photographs.setdefault((crop.image, crop.frame), []).append(crop)
    jobs = list(photographs.values())
    bar = iter(track(jobs, "Decoding", unit="photographs"))
    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 2))) as pool:  # Pillow decodes outside the GIL
        for start in range(0, len(jobs), CHUNK):
            for rows in pool.map(lambda job: _decode_photograph(job, size), jobs[start : start + CHUNK]):
                next(bar)
                yield from rows
    next(bar, None)


def _decode_photograph(crops: list[Crop], size: int) -> list[_Row]:
    path, frame = crops[0].image, crops[0].frame
    try:
        data = read_bytes(path)
        image, group = decode(path, data, frame), digest(data)
    except ImageError as error:
        return [_Row(crop, reason=error.reason) for crop in crops]
    rows = []
    for crop in crops:
        try:
            piece = cut(image, crop)
            rows.append(_Row(crop, square(piece, size), crop.photograph or group, piece.size))
        except ImageError as error:
            rows.append(_Row(crop, reason=error.reason))
    return rows
