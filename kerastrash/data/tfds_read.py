"""Crops of a TFDS set that was built: records, cut and split as they were written.

`metadata.json` of a set states its crops in the order of the records, so that a process opens it without reading it:
format: int; source: what it was built from; fingerprint: SHA-256 (hex) over classes and records, the same wherever the
set is built; crops: split -> column -> values; left_out: [what, reason].
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.utils.version import list_all_versions

from kerastrash.data.images import ImageError
from kerastrash.data.records import SPLITS, Crop, LeftOut, Source
from kerastrash.errors import DataError

DATASET = "kerastrash_crops"
"""TFDS's name of the builder, and the folder of its sets."""
FORMAT = 1
COLUMNS = ("key", "label", "photograph", "image_id", "area", "licence")
"""What `metadata.json` states of each crop, under the names of `Crop`."""
FEATURES = ("image", "class_name", "box", *COLUMNS)
REBUILD = "remove the folder and build the set again: kerastrash prepare tfds"


@dataclass(frozen=True)
class CropRecord:
    """The encoded crop at one index of a split. Holds no file: each process opens the set when it first reads."""

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
    """Opens a set built by `kerastrash prepare tfds`; no record is read.

    Args:
        name: of the set, its newest version; or NAME:VERSION.
        folder: the TFDS folder that holds `kerastrash_crops/NAME/VERSION/`.

    Raises:
        DataError: there is no such set or version, it is damaged, or it was not built by kerastrash.
    """
    version = _version_folder(name, folder)
    table, classes = open_table(version)
    crops: list[Crop] = []
    for split in SPLITS:
        columns = [table["crops"][split][column] for column in COLUMNS]
        for index, row in enumerate(zip(*columns, strict=True)):
            stated = dict(zip(COLUMNS, row, strict=True))
            crops.append(Crop(image=CropRecord(name, version, split, index), box=None, split=split, **stated))
    left_out = tuple(LeftOut(*item) for item in table["left_out"])
    return Source(name.replace(":", "-"), classes, tuple(crops), left_out, table["fingerprint"])


def open_table(version: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Reads `metadata.json` and the classes of the set in a version's folder.

    Raises:
        DataError: the set is damaged, lacks a part, or was not built by kerastrash.
    """
    try:
        info = tfds.builder_from_directory(version).info
        table = dict(info.metadata or {})
    except Exception as cause:  # whatever TFDS trips over in files that are damaged or another program's
        raise DataError(f"{version}: TFDS cannot open it ({cause}); {REBUILD}") from cause
    if missing := [name for name in FEATURES if name not in info.features]:
        raise DataError(f"{version}: records lack {', '.join(missing)}; open a set built by kerastrash prepare tfds")
    if table.get("format") != FORMAT:
        raise DataError(f"{version}: metadata.json has format {table.get('format')}, not {FORMAT}; {REBUILD}")
    for split in SPLITS:
        columns = table["crops"].get(split, {})
        lengths = {len(columns.get(column, ())) for column in COLUMNS}
        if split not in info.splits or lengths != {info.splits[split].num_examples}:
            raise DataError(f"{version}: metadata.json and the records of {split} do not agree; {REBUILD}")
        for path in info.splits[split].filepaths:
            if not Path(path).is_file():
                raise DataError(f"{path}: no such file; copy the set again, or {REBUILD}")
    return table, tuple(info.features["label"].names)


def _version_folder(name: str, folder: Path) -> Path:
    """FOLDER/kerastrash_crops/NAME/VERSION of a set that stands there whole: TFDS renames it into its place."""
    sets = folder / DATASET
    versions = {path.name: list_all_versions(path) for path in sorted(sets.glob("[!.]*"))}
    found = {known: [str(version) for version in there] for known, there in versions.items() if there}
    name, _, version = name.partition(":")
    if name not in found:
        there = f"there are {', '.join(found)}" if found else "there are none"
        raise DataError(
            f"tfds:{name}: {sets} holds no such set ({there}); build it: kerastrash prepare tfds --name {name}"
        )
    if version and version not in found[name]:
        raise DataError(f"tfds:{name}:{version}: no such version in {sets / name}; use {' or '.join(found[name])}")
    return sets / name / (version or found[name][-1])


@functools.lru_cache(maxsize=8)
def _images(version: Path, split: str) -> Sequence[dict[str, Any]]:
    """The records of a split, the image still encoded."""
    return tfds.builder_from_directory(version).as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})


def crop_features(classes: Sequence[str]) -> tfds.features.FeaturesDict:
    """The features of a record, each with its description."""
    image, text = tfds.features.Image, tfds.features.Text
    numbers = functools.partial(tfds.features.Tensor, dtype=np.float64, encoding="bytes")
    features = {
        "image": image(shape=(None, None, 3), encoding_format="png", doc="The crop as cut, RGB, not padded."),
        "label": tfds.features.ClassLabel(names=list(classes), doc="Index of the class."),
        "class_name": text(doc="Name of the class."),
        "key": text(doc="Names the crop; unique in the set, and the same in every set built of the same data."),
        "photograph": text(doc="SHA-256 (hex) of the photograph's file; a photograph is in one split only."),
        "image_id": text(doc="Id of the photograph in the annotation file; empty where it has none."),
        "box": numbers(shape=(4,), doc="x, y, width, height in pixels of the photograph."),
        "area": numbers(shape=(), doc="Square pixels of the object as annotated, else of its box."),
        "licence": text(doc="Licence of the photograph; empty where the annotation file states none."),
    }
    return tfds.features.FeaturesDict(features)
