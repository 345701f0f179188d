"""Writes a cache photograph by photograph, so that a killed preparation goes on where it stopped.

The work stands in a hidden folder beside the cache's place: `images.npy` grows by the rows of one photograph, then
`crops.jsonl` by the line that names them and holds their checksum. At a restart every line is checked against its rows,
and what follows the last good one is cut off. A lock keeps a second process waiting until the first is done.
"""

import contextlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import filelock
import numpy as np

from kerastrash.data.images import Photograph, Track, by_photograph, decode_photographs, untracked
from kerastrash.data.records import LeftOut, Source, count_reasons
from kerastrash.errors import DataError, FileError

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


@contextlib.contextmanager
def alone_at(target: Path) -> Iterator[None]:
    """Keeps other processes from building `target` at the same time; waits, and says so, while one does.

    Raises:
        FileError: the folder of `target` cannot be written.
    """
    lock = filelock.FileLock(target.parent / f".{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            logging.getLogger(__name__).warning("%s: another process is preparing it; waiting", target)
            lock.acquire()
    except OSError as error:
        raise cannot_write(target, error) from error
    try:
        yield
    finally:
        lock.release()


def build(source: Source, target: Path, size: int, track: Track = untracked) -> None:
    """Decodes every crop into `target`, going on with what an earlier call has left.

    Raises:
        DataError: not one crop could be decoded; nothing is left behind.
        FileError: the cache cannot be written; what is written so far waits for the next call.
    """
    work = target.with_name(f".{target.name}.part")
    try:
        work.mkdir(exist_ok=True)
        if not _write(source, work, size, track):
            reasons = _reasons(work)
            shutil.rmtree(work)
            raise DataError(
                f"{source.name}: not one of {len(source.crops)} crops can be used: {reasons}; "
                "check the image folder (--images) and the files"
            )
        _replace(work, target)
    except OSError as error:
        raise cannot_write(target, error) from error


def cannot_write(path: Path, error: OSError) -> FileError:
    """The sentence for a cache that cannot be written."""
    reason = error.strerror or error
    return FileError(f"{path}: cache cannot be written ({reason}); free the disk or give another folder with --cache")


def _write(source: Source, work: Path, size: int, track: Track) -> int:
    """Writes what is missing of the rows and lines; returns how many rows stand in the end."""
    photographs = by_photograph(source.crops)
    with _opened(work / IMAGES) as images, _opened(work / CROPS) as lines:
        first = _write_array_header(images, len(source.crops), size)
        done, rows = _resume(images, lines, header_line(source, size, len(photographs)), size * size * 3)
        images.seek(first + rows * size * size * 3)
        images.truncate()
        _check_space(work, (len(source.crops) - rows) * size * size * 3)
        decoded = decode_photographs(photographs[done:], size)
        with contextlib.closing(decoded):  # an error in this block then stops the decoders too
            for photograph in track(decoded, "Decoding", "photographs", len(photographs), done):
                for piece in photograph.pieces:
                    images.write(piece.pixels.data)
                images.flush()
                lines.write(photograph_line(photograph))
                lines.flush()
                rows += len(photograph.pieces)
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
            named = rows_of(line)
            if named is None or zlib.crc32(images.read(named[0] * row_bytes)) != named[1]:
                break
            done, rows, kept = done + 1, rows + named[0], kept + len(line)
    else:
        lines.seek(0)
        lines.write(header)
    lines.truncate(kept)
    lines.seek(kept)
    return done, rows


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise FileError(
            f"{folder}: the crops need {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free; "
            "free the disk, give another folder with --cache, or choose a smaller input size"
        )


def _reasons(work: Path) -> str:
    _, photographs = read_lines(work / CROPS)
    return count_reasons(LeftOut(*item) for photograph in photographs for item in photograph["left_out"])


def _replace(work: Path, target: Path) -> None:
    """Renames the finished work to its place; what stood there, damaged, is removed."""
    damaged = target.with_name(f".{target.name}.damaged")
    if target.exists():
        target.rename(damaged)
    work.rename(target)
    if damaged.is_dir():
        shutil.rmtree(damaged, ignore_errors=True)
    else:
        damaged.unlink(missing_ok=True)
