"""What `metadata.json` of a set holds: the crops in the order of the records, and what was left out.

A set is opened by every process of a search. Reading this table takes a fraction of reading the records for it.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from kerastrash.data.config import DataConfig
from kerastrash.data.decoding import by_photograph
from kerastrash.data.records import SPLITS, LeftOut, Source
from kerastrash.data.tfds.examples import left_out_of

FORMAT = 1
COLUMNS = ("key", "label", "photograph", "image_id", "area", "licence")


def crop_table(builder: tfds.core.DatasetBuilder, settled: Source, config: DataConfig) -> dict[str, Any]:
    """Reads every record of a set that has just been written.

    Returns:
        format: int; source: `built_from`; fingerprint: SHA-256 (hex) over classes and records, the same wherever and
        however the set is built; crops: side -> column -> values in the order of the records; left_out: [what, reason].
    """
    digests: list[str] = []
    crops: dict[str, dict[str, list[Any]]] = {}
    for side in SPLITS:
        crops[side] = {column: [] for column in COLUMNS}
        for record in builder.as_data_source(side, decoders={"image": tfds.decode.SkipDecoding()}):
            row = _row(record)
            digests.append(_digest(side, row, record))
            for column, value in zip(COLUMNS, row, strict=True):
                crops[side][column].append(value)
    written = {key for side in SPLITS for key in crops[side]["key"]}
    left_out = (*settled.left_out, *_not_written(settled, written))
    content = hashlib.sha256("\n".join([*settled.classes, *sorted(digests)]).encode())
    return {
        "format": FORMAT,
        "source": built_from(settled, config),
        "fingerprint": content.hexdigest(),
        "left_out": [[item.what, item.reason] for item in left_out],
        "crops": crops,
    }


def built_from(source: Source, config: DataConfig) -> dict[str, Any]:
    """The source and the split settings, to tell whether a set is the one that would be built."""
    shares = {name: getattr(config, name) for name in ("split_seed", "validation", "test")}
    return {"name": source.name, "fingerprint": source.fingerprint} | shares


def _not_written(settled: Source, written: set[str]) -> Iterator[LeftOut]:
    """Cuts the photographs of absent crops once more, for the reasons: a pipeline's workers cannot hand these back."""
    for photograph in by_photograph([crop for crop in settled.crops if crop.key not in written]):
        yield from left_out_of(photograph)


def _row(record: dict[str, Any]) -> list[Any]:
    """The values of `COLUMNS` as JSON has them: TFDS gives text as bytes, a label as int, other numbers as NumPy's."""
    values = [record[column] for column in COLUMNS]
    return [value.decode() if isinstance(value, bytes) else np.asarray(value).item() for value in values]


def _digest(side: str, row: list[Any], record: dict[str, Any]) -> str:
    stated = json.dumps([side, *row, record["box"].tolist()])
    return hashlib.sha256(stated.encode() + record["image"]).hexdigest()
