"""What a data set holds and what was left out of it, as a plain dictionary and as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from kerastrash.console import results
from kerastrash.data.dataset import Dataset
from kerastrash.data.records import SPLITS, by_reason

TINY = 16
"""A crop with a side under this many pixels is counted as tiny."""
NAMED = 2
"""How many left-out items are named for each reason in the table; the dictionary names all."""


def summarise(dataset: Dataset) -> dict[str, Any]:
    """Counts by class and side, crop sizes in pixels, and everything left out by reason; ready for JSON."""
    classes = {name: _class_summary(dataset, dataset.labels == label) for label, name in enumerate(dataset.classes)}
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "input_size": dataset.input_size,
        "classes": classes,
        "all": _class_summary(dataset, np.ones(len(dataset.labels), dtype=bool)),
        "left_out": by_reason(dataset.left_out),
    }


def _class_summary(dataset: Dataset, mine: np.ndarray) -> dict[str, Any]:
    used = np.zeros(len(dataset.labels), dtype=bool)
    counts = {}
    for name in SPLITS:
        used[dataset.splits[name]] = True
        counts[name] = int(mine[dataset.splits[name]].sum())
    mine = mine & used
    sides = dataset.sizes[mine]
    return {
        **counts,
        "crops": int(mine.sum()),
        "photographs": len(np.unique(dataset.groups[mine])),
        "width": _spread(sides[:, 0]),
        "height": _spread(sides[:, 1]),
        "tiny": int((sides.min(axis=1) < TINY).sum()),
    }


def _spread(values: np.ndarray) -> dict[str, float]:
    return {"min": int(values.min()), "median": float(np.median(values)), "max": int(values.max())}


def print_summary(dataset: Dataset, console: Console | None = None) -> None:
    """Prints the tables of `summarise`, to standard output by default."""
    summary = summarise(dataset)
    tables = [_counts_table(summary), _sizes_table(summary)]
    if summary["left_out"]:
        tables.append(_left_out_table(summary["left_out"]))
    (console or results()).print(Group(*tables))


def _counts_table(summary: Mapping[str, Any]) -> Table:
    table = _table(f"{summary['name']}: crops by class", "class", (*SPLITS, "all", "photographs"))
    for name, row in _rows(summary):
        table.add_row(name, *(str(row[column]) for column in (*SPLITS, "crops", "photographs")))
    return table


def _sizes_table(summary: Mapping[str, Any]) -> Table:
    title = f"crop sizes in pixels (min / median / max) before padding and resizing to {summary['input_size']}"
    table = _table(title, "class", ("width", "height", f"a side < {TINY}"))
    for name, row in _rows(summary):
        spreads = (
            f"{row[side]['min']} / {row[side]['median']:.0f} / {row[side]['max']}" for side in ("width", "height")
        )
        table.add_row(name, *spreads, str(row["tiny"]))
    return table


def _left_out_table(left_out: Mapping[str, list[str]]) -> Table:
    table = _table(f"left out: {sum(map(len, left_out.values()))}", "reason", ("count",))
    table.add_column("which")
    for reason, items in left_out.items():
        more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
        table.add_row(escape(reason), str(len(items)), escape(", ".join(items[:NAMED]) + more))
    return table


def _table(title: str, first: str, numbers: Sequence[str]) -> Table:
    table = Table(first, title=escape(title), title_justify="left")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [*((escape(name), row) for name, row in summary["classes"].items()), ("all", summary["all"])]
