"""Packages that not every installation has."""

import importlib
from types import ModuleType

from kerastrash.errors import ConfigError


def extra(module: str, name: str | None) -> ModuleType:
    """Imports a module that the extra `name` brings, or one of ours that needs it.

    Args:
        name: of the extra; None where what is needed comes with kerastrash itself.

    Raises:
        ConfigError: a package is not installed, or cannot be imported; the message has the line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        needed = error.name or module
        fault = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
        package = f'"kerastrash[{name}]"' if name else needed.partition(".")[0]
        raise ConfigError(f"{needed} {fault}: run pip install {package}") from error
