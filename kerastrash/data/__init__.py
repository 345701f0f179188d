"""Cached crops and their split, made of whatever `--data` can name. Imports neither keras nor the console.

The names below are imported when they are first used: who only decodes an image loads no readers and caches.
The batches that feed a model are in `kerastrash.training.batches`, which does import keras.
"""

import importlib
from typing import Any

_HOMES = {
    "Crop": "kerastrash.data.records",
    "DataConfig": "kerastrash.data.config",
    "Dataset": "kerastrash.data.records",
    "LeftOut": "kerastrash.data.records",
    "SplitData": "kerastrash.data.records",
    "Source": "kerastrash.data.records",
    "open_source": "kerastrash.data.sources",
    "prepare": "kerastrash.data.dataset",
    "read_crop": "kerastrash.data.images",
    "summarise": "kerastrash.data.dataset",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kerastrash.data' has no attribute {name!r}; its names are {', '.join(_HOMES)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
