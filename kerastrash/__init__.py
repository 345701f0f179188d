"""kerastrash: from a COCO annotation file to a trash classifier small and fast enough for a sorting robot.

The names below are the public ones; each is imported when it is first used, so that reading data does not load Keras.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any


def lazy_names(package: str, homes: dict[str, str]) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of a package whose names are imported from `homes`, {module: names}."""
    home_of = {name: home for home, names in homes.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; its names are {', '.join(home_of)}")
        return getattr(importlib.import_module(home_of[name]), name)

    return list(home_of), find, lambda: sorted({*vars(sys.modules[package]), *home_of})


_MODELS = "build_model preset_names preset parameters macs layers load_torch_state"
_HOMES = {"kerastrash.models": _MODELS, "kerastrash.scoring": "score", "kerastrash.classifier": "Classifier"}
__all__, _find, __dir__ = lazy_names(__name__, _HOMES)
__all__ += ["__version__"]


def __getattr__(name: str) -> Any:
    return importlib.import_module("importlib.metadata").version(__name__) if name == "__version__" else _find(name)
