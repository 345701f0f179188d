"""Gives every crop of a source its photograph's digest and its side before a single image has been decoded."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from kerastrash.console import track
from kerastrash.data.config import DataConfig
from kerastrash.data.decoding import by_photograph
from kerastrash.data.images import ImageError, digest, read_bytes
from kerastrash.data.records import SPLITS, Crop, LeftOut, Source, count_reasons
from kerastrash.data.split import split_crops
from kerastrash.errors import DataError

MOST_THREADS = 8


def settle(source: Source, config: DataConfig) -> Source:
    """The source with `photograph` and `split` of every crop filled in, in the order of the source.

    The split is that of `kerastrash.data.prepare` over the photographs that can be read. They are read, not decoded:
    what turns out to be damaged is left out later, and takes no other crop to another side.

    Raises:
        DataError: not one photograph can be read, or a class cannot stand on all three sides.
    """
    crops: list[Crop] = []
    left_out = list(source.left_out)
    for item in _with_digests(source.crops):
        (crops if isinstance(item, Crop) else left_out).append(item)
    if not crops:
        raise DataError(
            f"{config.data}: not one photograph can be read: {count_reasons(left_out)}; "
            "check the image folder (--images) and the files"
        )
    labels = np.array([crop.label for crop in crops], dtype=np.int64)
    groups = np.array([crop.photograph for crop in crops])
    shares = {"validation": config.validation, "test": config.test, "seed": config.split_seed}
    splits, leaks = split_crops(config.data, source.classes, crops, labels, groups, **shares)
    side_of = {index: side for side in SPLITS for index in splits[side].tolist()}
    settled = tuple(replace(crop, split=side_of[index]) for index, crop in enumerate(crops) if index in side_of)
    return replace(source, crops=settled, left_out=(*left_out, *leaks))


def _with_digests(crops: Sequence[Crop]) -> list[Crop | LeftOut]:
    """Each crop with the SHA-256 of its photograph, or why the photograph cannot be read."""
    photographs = by_photograph(crops)
    found: dict[str, Crop | LeftOut] = {}
    with ThreadPoolExecutor(max(2, min(MOST_THREADS, os.cpu_count() or 2))) as pool:
        results = pool.map(_digest_photograph, photographs)
        for together in track(results, "Reading", unit="photographs", total=len(photographs)):
            found.update(together)
    return [found[crop.key] for crop in crops]


def _digest_photograph(crops: Sequence[Crop]) -> dict[str, Crop | LeftOut]:
    try:
        photograph = crops[0].photograph or digest(read_bytes(crops[0].image))
    except ImageError as error:
        return {crop.key: LeftOut(crop.key, error.reason) for crop in crops}
    return {crop.key: replace(crop, photograph=photograph) for crop in crops}
