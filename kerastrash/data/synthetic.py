"""Crops made up in seconds, as many as wanted: for measuring training where no data set of that size is at hand."""

from pathlib import Path

import numpy as np

from kerastrash.data.dataset import Dataset
from kerastrash.data.records import Crop
from kerastrash.errors import require

PATCHES = 4
"""Coloured patches along a side."""
NOISES = 64
"""Different noises laid over the patches."""


def synthetic_dataset(train: int, val: int, input_size: int, classes: int = 6, seed: int = 0) -> Dataset:
    """A data set in memory whose classes differ in their mean colour; a net can learn it.

    Args:
        train, val: numbers of crops to train and to validate on; the latter are the test split too.
        input_size: side of the crops in pixels.

    Raises:
        ConfigError: a number below 1.
    """
    for name, value in (("train", train), ("val", val), ("input_size", input_size), ("classes", classes)):
        require(value >= 1, name, value, "must be at least 1")
    count = train + val
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    crops = tuple(Crop(Path(f"synthetic-{i}.png"), None, int(label), str(i)) for i, label in enumerate(labels))
    return Dataset(
        name=f"{count} synthetic crops",
        classes=tuple(f"class {number}" for number in range(classes)),
        crops=crops,
        images=_images(labels, input_size, classes, rng),
        labels=labels.astype("int64"),
        groups=np.arange(count).astype(str),
        sizes=np.full((count, 2), input_size),
        splits={"train": np.arange(train), "val": np.arange(train, count), "test": np.arange(train, count)},
        left_out=(),
        fingerprint=f"synthetic-{train}-{val}-{input_size}-{classes}-{seed}",
        input_size=input_size,
    )


def _images(labels: np.ndarray, size: int, classes: int, rng: np.random.Generator) -> np.ndarray:
    colours = rng.integers(0, 100, (classes, 3))
    patches = rng.integers(0, 120, (len(labels), PATCHES, PATCHES, 3)) + colours[labels][:, None, None]
    noises = rng.integers(0, 36, (NOISES, size, size, 3), "uint8")
    patch_of = np.arange(size) * PATCHES // size  # the patch of each row and column of pixels
    images = np.empty((len(labels), size, size, 3), "uint8")
    for index, patch in enumerate(patches.astype("uint8")):
        np.add(patch[patch_of][:, patch_of], noises[index % NOISES], out=images[index])
    return images
