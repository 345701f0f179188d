"""From what a user names a net by to its rows."""

import difflib
from pathlib import Path

from kerastrash.errors import ModelError
from kerastrash.models.costs import steps
from kerastrash.models.presets import PRESETS
from kerastrash.models.row import Rows
from kerastrash.models.rows_file import load_rows


def preset_names() -> tuple[str, ...]:
    """The names that `preset` and `build_model` know."""
    return tuple(PRESETS)


def preset(name: str) -> Rows:
    """The rows of a preset.

    Raises:
        ModelError: no preset of that name; the sentence lists the known ones and the nearest.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(str(name), PRESETS, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ModelError(f"{name!r}: no such net; {hint}known are {', '.join(PRESETS)}, or give a .yaml file of rows")


def resolve_rows(name_or_rows: str | Path | Rows) -> Rows:
    """Rows from a preset's name, from the path of a .yaml or .yml file, or as they are, checked.

    Raises:
        ModelError: unknown name, bad file, or rows that cannot follow each other.
    """
    if isinstance(name_or_rows, str | Path):
        if Path(name_or_rows).suffix.lower() in (".yaml", ".yml"):
            return load_rows(name_or_rows)
        return preset(str(name_or_rows))
    list(steps(name_or_rows))
    return tuple(name_or_rows)
