"""Packages that not every installation has."""

import importlib
from types import ModuleType

from kerastrash.errors import ConfigError


def extra(module: str, name: str) -> ModuleType:
    """Imports a module that the extra `name` brings.

    Raises:
        ConfigError: it is not installed; the message has the line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f'{module} is not installed: run pip install "kerastrash[{name}]"') from error
