"""The cache of a source: every crop decoded once into a memory-mapped array on disk.

A cache is a folder, NAME-FINGERPRINT-SIZE/, of `images.npy` (uint8, (n, size, size, 3)) and `crops.jsonl` (what its
rows are, and what could not be decoded). It is written photograph by photograph in a hidden folder beside its place and
renamed into it: it is whole or absent, and a killed preparation goes on where it stopped. `images.npy` grows by the
rows of one photograph, then `crops.jsonl` by the line that names them and holds their checksum. At a restart every line
is checked against its rows, and what follows the last good one is cut off.
"""

import contextlib
import functools
import json
import logging
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import filelock
import numpy as np

from kerastrash.data.images import Track, by_photograph, decode_photograph, in_threads, untracked
from kerastrash.data.records import Dataset, LeftOut, Source, count_reasons
from kerastrash.errors import DataError, FileError

VERSION = 2
IMAGES, CROPS = "images.npy", "crops.jsonl"


def cached_crops(source: Source, folder: Path, size: int, track: Track = untracked) -> Dataset:
    """Opens the cache of the source at `size` pixels; builds it where it is absent, partial or damaged. Splits nothing.

    Raises:
        DataError: not one crop could be decoded.
        FileError: the cache cannot be written.
    """
    target = cache_folder(source, folder, size)
    cached = _open(target, source, size)
    if cached is None:
        with alone_at(target):
            cached = _open(target, source, size)  # another process may have built it meanwhile
            if cached is None:
                _build(source, target, size, track)
                cached = _open(target, source, size)
    if cached is None:
        raise FileError(f"{target}: the cache changed while it was written; remove the folder and try again")
    return cached


def cache_folder(source: Source, folder: Path, size: int) -> Path:
    """The place of the cache of a source at `size` pixels."""
    name = re.sub(r"[^\w.-]+", "_", source.name).strip(".") or "data"
    return folder / f"{name}-{source.fingerprint[:16]}-{size}"


def _open(target: Path, source: Source, size: int) -> Dataset | None:
    try:
        header, photographs = _read_lines(target / CROPS)
        images = np.load(target / IMAGES, mmap_mode="r")
        rows = [(*crop, photograph["photograph"]) for photograph in photographs for crop in photograph["crops"]]
        stated = (header["version"], header["fingerprint"], header["size"], header["photographs"])
        whole = images.offset + images.nbytes == (target / IMAGES).stat().st_size
        if not whole or stated != (VERSION, source.fingerprint, size, len(photographs)):
            return None
        if images.shape != (len(rows), size, size, 3) or images.dtype != np.uint8:
            return None
        keys, labels, widths, heights, groups = zip(*rows, strict=True)
        by_key = {crop.key: crop for crop in source.crops}
        left_out = tuple(LeftOut(*item) for photograph in photographs for item in photograph["left_out"])
        used = {"crops": tuple(by_key[key] for key in keys), "left_out": source.left_out + left_out}
        return Dataset(
            **vars(source) | used,
            images=images,
            labels=np.asarray(labels, dtype=np.int64),
            groups=np.asarray(groups, dtype=str),
            sizes=np.column_stack([widths, heights]).astype(np.int64),
            splits={},
            input_size=size,
        )
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError):
        return None


def _encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _read_lines(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and photographs of the file; anything that is not of its form raises OSError, ValueError or TypeError."""
    with path.open("rb") as stream:
        header, *photographs = [json.loads(line) for line in stream]
    return dict(header), photographs


@contextlib.contextmanager
def alone_at(
    target: Path, named: Path | None = None, remedy: str = "give another folder with --cache"
) -> Iterator[None]:
    """Keeps other processes from building `target` at the same time; waits, and says so, while one does.

    Raises:
        FileError: what is done in the block, or the lock beside `target`, cannot be written.
    """
    lock = filelock.FileLock(target.parent / f".{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            logging.getLogger(__name__).warning("%s: another process is preparing it; waiting", target)
            lock.acquire()
        yield
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"{named or target}: cannot be written ({reason}); free the disk or {remedy}") from error
    finally:
        lock.release()


def _build(source: Source, target: Path, size: int, track: Track) -> None:
    """Decodes every crop into `target`, going on with what an earlier call has left; a damaged cache gives way."""
    work, damaged = (target.with_name(f".{target.name}.{what}") for what in ("part", "damaged"))
    work.mkdir(exist_ok=True)
    if not _write(source, work, size, track):
        _, photographs = _read_lines(work / CROPS)
        reasons = count_reasons(LeftOut(*item) for photograph in photographs for item in photograph["left_out"])
        shutil.rmtree(work)
        raise DataError(
            f"{source.name}: not one of {len(source.crops)} crops can be used: {reasons}; "
            "check the image folder (--images) and the files"
        )
    if target.exists():
        target.rename(damaged)
    work.rename(target)
    if damaged.is_dir():
        shutil.rmtree(damaged, ignore_errors=True)
    else:
        damaged.unlink(missing_ok=True)


def _write(source: Source, work: Path, size: int, track: Track) -> int:
    """Writes what is missing of the rows and lines; returns how many rows stand in the end."""
    photographs = by_photograph(source.crops)
    header = {"version": VERSION, "fingerprint": source.fingerprint, "source": source.name, "size": size}
    header_line = _encoded(header | {"photographs": len(photographs)})
    with _opened(work / IMAGES) as images, _opened(work / CROPS) as lines:
        first = _write_array_header(images, len(source.crops), size)
        done, rows = _resume(images, lines, header_line, size * size * 3)
        images.seek(first + rows * size * size * 3)
        images.truncate()
        needed, free = (len(source.crops) - rows) * size * size * 3, shutil.disk_usage(work).free
        if needed > free:
            raise FileError(
                f"{work}: the crops need {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free; "
                "free the disk, give another folder with --cache, or choose a smaller input size"
            )
        decode = functools.partial(decode_photograph, size=size)
        with contextlib.closing(in_threads(decode, photographs[done:])) as decoded:  # an error stops the decoders too
            for pixels, line in track(decoded, "Decoding", "photographs", len(photographs), done):
                for row in pixels:
                    images.write(row.data)
                images.flush()
                lines.write(_encoded(line))
                lines.flush()
                rows += len(pixels)
        images.seek(0)
        _write_array_header(images, rows, size)  # as long as the first: the format pads the row count
        for stream in (images, lines):
            stream.flush()
            os.fsync(stream.fileno())
    return rows


def _opened(path: Path) -> BinaryIO:
    return path.open("r+b" if path.exists() else "w+b")  # written, not mapped: a full disk then raises, not kills


def _write_array_header(stream: BinaryIO, rows: int, size: int) -> int:
    """Writes the header of a .npy file at the stream's position; returns where the rows begin."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (rows, size, size, 3)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.tell()


def _resume(images: BinaryIO, lines: BinaryIO, header: bytes, row_bytes: int) -> tuple[int, int]:
    """Photographs and rows that stand whole from an earlier call; `lines` is cut to them, ready to grow."""
    done = rows = 0
    kept = len(header)
    if lines.readline() == header:
        for line in lines:
            try:
                record = json.loads(line)
                count, checksum = len(record["crops"]), int(record["checksum"])
            except (ValueError, KeyError, TypeError):  # cut short
                break
            if not line.endswith(b"\n") or zlib.crc32(images.read(count * row_bytes)) != checksum:
                break
            done, rows, kept = done + 1, rows + count, kept + len(line)
    else:
        lines.seek(0)
        lines.write(header)
    lines.truncate(kept)
    lines.seek(kept)
    return done, rows
