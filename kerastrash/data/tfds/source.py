"""Opens a set that was built: its crops are records, cut and split as they were written."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from kerastrash.data.images import ImageError
from kerastrash.data.records import SPLITS, Crop, LeftOut, Source
from kerastrash.data.tfds.examples import FEATURES
from kerastrash.data.tfds.table import COLUMNS, FORMAT
from kerastrash.errors import DataError

DATASET = "kerastrash_crops"
"""TFDS's name of the builder, and the folder of its sets."""
VERSION = re.compile(r"\d+\.\d+\.\d+")
REBUILD = "remove the folder and build the set again: prepare_data.py tfds"


@dataclass(frozen=True)
class CropRecord:
    """The encoded crop at one place of a set. Holds no file: each process opens the set when it first reads."""

    name: str
    folder: Path
    split: str
    index: int

    def read_bytes(self) -> bytes:
        """The PNG as it was written.

        Raises:
            ImageError: the record cannot be read.
        """
        try:
            return _images(self.folder, self.split)[self.index]["image"]
        except Exception as cause:  # TFDS, protobuf and array_record's C++ each have their own
            raise ImageError(self, "record cannot be read", f"{REBUILD} ({cause})") from cause

    def __str__(self) -> str:
        return f"tfds:{self.name}/{self.split}[{self.index}]"


def read_tfds(name: str, folder: Path) -> Source:
    """Opens a set built by `prepare_data.py tfds`; no record is read.

    Args:
        name: of the set, its newest version; or NAME:VERSION.
        folder: the TFDS folder that holds `kerastrash_crops/NAME/VERSION/`.

    Raises:
        DataError: there is no such set or version, it is damaged, or it was not built by kerastrash.
    """
    version = _version_folder(name, folder)
    table, classes = open_table(version)
    crops = tuple(crop for side in SPLITS for crop in _crops(name, version, side, table["crops"][side]))
    left_out = tuple(LeftOut(*item) for item in table["left_out"])
    return Source(name.replace(":", "-"), classes, crops, left_out, table["fingerprint"])


def open_table(version: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The table (`kerastrash.data.tfds.table`) and the classes of the set in a version's folder.

    Raises:
        DataError: the set is damaged, or was not built by kerastrash.
    """
    try:
        info = tfds.builder_from_directory(version).info
        table, features, splits = dict(info.metadata or {}), dict(info.features or {}), dict(info.splits)
    except Exception as cause:  # whatever TFDS trips over in files that are damaged or another program's
        raise DataError(f"{version}: TFDS cannot open it ({cause}); {REBUILD}") from cause
    _check_ours(version, table, features)
    _check_whole(version, table, splits)
    return table, tuple(features["label"].names)


def _version_folder(name: str, folder: Path) -> Path:
    """FOLDER/kerastrash_crops/NAME/VERSION of a set that stands there whole: TFDS renames it into its place."""
    sets = folder / DATASET
    found = {path.name: _versions(path) for path in sorted(sets.glob("[!.]*")) if _versions(path)}
    name, _, version = name.partition(":")
    if name not in found:
        there = f"there are {', '.join(found)}" if found else "there are none"
        raise DataError(
            f"tfds:{name}: {sets} holds no such set ({there}); build it: prepare_data.py tfds --name {name}"
        )
    if version and version not in found[name]:
        raise DataError(f"tfds:{name}:{version}: no such version in {sets / name}; use {' or '.join(found[name])}")
    return sets / name / (version or found[name][-1])


def _versions(folder: Path) -> list[str]:
    """The versions of a set, oldest first."""
    names = [path.name for path in folder.glob("*") if VERSION.fullmatch(path.name)]
    return sorted(names, key=lambda name: tuple(map(int, name.split("."))))


def _check_ours(version: Path, table: Mapping[str, Any], features: Mapping[str, Any]) -> None:
    if missing := [name for name in FEATURES if name not in features]:
        raise DataError(f"{version}: records lack {', '.join(missing)}; open a set built by prepare_data.py tfds")
    if table.get("format") != FORMAT:
        raise DataError(f"{version}: metadata.json has format {table.get('format')}, not {FORMAT}; {REBUILD}")


def _check_whole(version: Path, table: Mapping[str, Any], splits: Mapping[str, tfds.core.SplitInfo]) -> None:
    for side in SPLITS:
        columns = table["crops"].get(side, {})
        lengths = {len(columns.get(column, ())) for column in COLUMNS}
        if side not in splits or lengths != {splits[side].num_examples}:
            raise DataError(f"{version}: metadata.json and the records of {side} do not agree; {REBUILD}")
        for path in splits[side].filepaths:
            if not Path(path).is_file():
                raise DataError(f"{path}: no such file; copy the set again, or {REBUILD}")


def _crops(name: str, version: Path, side: str, columns: Mapping[str, list[Any]]) -> list[Crop]:
    rows = zip(*(columns[column] for column in COLUMNS), strict=True)
    return [
        Crop(
            image=CropRecord(name, version, side, index),
            box=None,
            label=label,
            key=key,
            split=side,
            photograph=photograph,
            image_id=image_id,
            area=area,
            licence=licence,
        )
        for index, (key, label, photograph, image_id, area, licence) in enumerate(rows)
    ]


@functools.lru_cache(maxsize=8)
def _images(version: Path, side: str) -> Sequence[dict[str, Any]]:
    """The records of a side, the image still encoded."""
    return tfds.builder_from_directory(version).as_data_source(side, decoders={"image": tfds.decode.SkipDecoding()})
