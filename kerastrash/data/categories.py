"""The category map: which classes a COCO file's categories become, and which become none."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerastrash.errors import DataError
from kerastrash.files import read_yaml

TACO_MAP = Path(__file__).resolve().parents[1] / "assets" / "taco_categories.yaml"


@dataclass(frozen=True)
class CategoryMap:
    """Classes in the order of their labels; `label_of` holds None for a category that is left out on purpose."""

    origin: str
    classes: tuple[str, ...]
    label_of: dict[str, int | None]

    def check_knows(self, names: Collection[str], annotations: Path) -> None:
        """Raises DataError naming every category of the file that the map lacks."""
        unknown = sorted(set(names) - set(self.label_of))
        if unknown:
            raise DataError(
                f"{annotations}: category {', '.join(map(repr, unknown))} is not in the category map {self.origin}; "
                "add it under one of the classes or under left_out, or give another map with --categories"
            )


def choose_category_map(names: Sequence[str], used: Collection[str], given: Path | None) -> CategoryMap:
    """The given map; else TACO's where most names are TACO's; else every category that has annotations is a class.

    Args:
        names: every category name of the file, in the order of its ids.
        used: the names that at least one annotation carries.
        given: a YAML file, or None.
    """
    if given is not None:
        return read_category_map(given)
    taco = read_category_map(TACO_MAP)
    # Most, not all: TACO plus one category of the user's own should name that category, not become 61 classes.
    if 2 * sum(name in taco.label_of for name in names) > len(names):
        return taco
    classes = tuple(dict.fromkeys(name for name in names if name in used))
    label_of: dict[str, int | None] = dict.fromkeys(names)
    label_of.update({name: label for label, name in enumerate(classes)})
    return CategoryMap("(a class for every category)", classes, label_of)


def read_category_map(path: Path) -> CategoryMap:
    """Reads `{classes: {Metal: [Drink can, ...], ...}, left_out: [...]}`.

    Raises:
        DataError: the file is missing, not YAML, of another shape, or names a category twice.
    """
    content = read_yaml(path, DataError)
    if not isinstance(content, dict) or not isinstance(content.get("classes"), dict) or not content["classes"]:
        raise DataError(f"{path}: no category map; write 'classes:' with a list of categories under every class")
    if extra := sorted(map(str, set(content) - {"classes", "left_out"})):
        raise DataError(f"{path}: unknown entry {extra[0]!r}; a category map holds 'classes' and 'left_out' only")
    classes = tuple(content["classes"])
    label_of: dict[str, int | None] = {}
    for label, (name, members) in enumerate(content["classes"].items()):
        _add(path, label_of, name, members, label)
    _add(path, label_of, "left_out", content.get("left_out") or [], None)
    return CategoryMap(str(path), classes, label_of)


def _add(path: Path, label_of: dict[str, int | None], name: Any, members: Any, label: int | None) -> None:
    if not isinstance(name, str):
        raise DataError(f"{path}: class name {name!r} is no text; put it in quotes")
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise DataError(f"{path}: {name!r} must hold a list of category names; quote names that are no plain text")
    for member in members:
        if member in label_of:
            raise DataError(f"{path}: category {member!r} stands twice; keep it under one entry only")
        label_of[member] = label
