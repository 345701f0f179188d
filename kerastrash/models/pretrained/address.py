"""From what a user names weights by to what is known of them."""

import dataclasses
import difflib
from pathlib import Path

from kerastrash.errors import ModelError
from kerastrash.models.pretrained.entry import Pretrained
from kerastrash.models.pretrained.registry import PRETRAINED
from kerastrash.models.pretrained.sources import LocalFile, hub_file

HUB = "hf://"


def pretrained_names() -> tuple[str, ...]:
    """The names of all registered weights."""
    return tuple(PRETRAINED)


def find_pretrained(weights: str) -> Pretrained:
    """The registered weights of a name or an address.

    Args:
        weights: `NAME` of the registry; `NAME=FILE`, a file of the same layout; or `hf://OWNER/REPOSITORY`, for the
            repositories that the registry knows. Net and preprocessing are those of the registry.

    Raises:
        ModelError: a name or repository that is not registered; the sentence lists the known ones and the nearest.
    """
    if weights.startswith(HUB):
        known = {entry.hub: entry for entry in PRETRAINED.values() if entry.hub}
        entry = _known(weights.removeprefix(HUB), known, f"{HUB}OWNER/REPOSITORY")
        return dataclasses.replace(entry, source=hub_file(entry.hub))
    name, equals, file = weights.partition("=")
    entry = _known(name, PRETRAINED, "NAME or NAME=FILE")
    return dataclasses.replace(entry, source=LocalFile(Path(file))) if equals else entry


def _known(name: str, entries: dict[str, Pretrained], form: str) -> Pretrained:
    if name in entries:
        return entries[name]
    near = difflib.get_close_matches(name, entries, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ModelError(f"{name!r}: no such pretrained weights; {hint}give {form}, known are {', '.join(entries)}")
