"""Crops as TFDS data sets in array_record files; neither building nor reading them needs tensorflow.

Importing this package registers the builder: `tfds.builder("kerastrash_crops/NAME", data_dir=...)`.
"""

from kerastrash.data.tfds.builder import CropsConfig, KerastrashCrops
from kerastrash.data.tfds.source import read_tfds

__all__ = ["CropsConfig", "KerastrashCrops", "read_tfds"]
