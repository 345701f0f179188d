"""`version` and `doctor`: what is installed here, what it can do, and the line that installs what is missing."""

import importlib.util
import os
import platform

from rich.markup import escape
from rich.table import Table

import kerastrash
from kerastrash.backends import BACKENDS, device_description
from kerastrash.console import results
from kerastrash.errors import ConfigError
from kerastrash.export.formats import FORMATS
from kerastrash.runs import package_versions, processor_name


def version() -> None:
    """Prints the version."""
    results().print(f"kerastrash {kerastrash.__version__}", highlight=False)


def doctor() -> None:
    """Prints versions, backends and devices, and the formats that can be written and run here."""
    console = results()
    console.print(versions_table(), backends_table(), formats_table(), sep="\n")


def versions_table() -> Table:
    """The packages that results depend on."""
    table = Table("package", "version", title="Versions", title_justify="left")
    found = {"kerastrash": kerastrash.__version__, "python": platform.python_version(), **package_versions()}
    for name, number in found.items():
        table.add_row(name, number)
    return table


def backends_table() -> Table:
    """The Keras backends; the device of the one in use, as another can only be asked in a process of its own."""
    table = Table("backend", "state", title=escape(f"Backends, on {processor_name()}, {os.cpu_count()} cores"))
    table.title_justify = "left"
    used = os.environ.get("KERAS_BACKEND", "torch")
    for name in BACKENDS:
        if importlib.util.find_spec(name) is None:
            state = f'not installed: pip install "kerastrash[{name}]"'
        elif name == used:
            state = f"in use, on {device()}"
        else:
            state = f"installed: KERAS_BACKEND={name}"
        table.add_row(name, escape(state))
    return table


def device() -> str:
    """What the backend in use computes on, or why it cannot be said."""
    try:
        return device_description()
    except ConfigError as error:
        return f"no device that is known ({error})"


def formats_table() -> Table:
    """The formats with their precisions, and what each lacks."""
    table = Table("format", "files", "precisions", "state", title="Formats", title_justify="left")
    for name, entry in FORMATS.items():
        missing = entry.missing()
        state = f"not installed: {missing}" if missing else f"written and run by {entry.runtime}"
        table.add_row(name, entry.suffix or "a folder", ", ".join(entry.precisions), escape(state))
    return table
