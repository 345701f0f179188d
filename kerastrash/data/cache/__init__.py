"""Crops decoded once, and mapped into memory from then on."""

from kerastrash.data.cache.mapped import MappedReader
from kerastrash.data.cache.store import CachedCrops, cached_crops

__all__ = ["CachedCrops", "MappedReader", "cached_crops"]
