"""kerastrash: from a COCO annotation file to a trash classifier small and fast enough for a sorting robot.

The names below are the public ones; each is imported when it is first used, so that reading data does not load Keras.
"""

import importlib
from typing import Any

_HOMES = {
    "build_model": "kerastrash.models",
    "preset_names": "kerastrash.models",
    "preset": "kerastrash.models",
    "parameters": "kerastrash.models",
    "macs": "kerastrash.models",
    "layers": "kerastrash.models",
    "load_torch_state": "kerastrash.models",
    "score": "kerastrash.scoring",
    "Classifier": "kerastrash.classifier",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version(__name__)
    if name not in _HOMES:
        raise AttributeError(f"module 'kerastrash' has no attribute {name!r}; its names are {', '.join(_HOMES)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
