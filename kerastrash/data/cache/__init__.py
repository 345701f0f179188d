"""Crops decoded once, and mapped into memory from then on."""

from kerastrash.data.cache.store import CachedCrops, cached_crops, forget_pages

__all__ = ["CachedCrops", "cached_crops", "forget_pages"]
