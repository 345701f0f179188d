"""What the benchmarks share: ways that are run in turns, a table of their medians and ratios, another program's output.

The speed of a machine drifts: only ratios of what ran in turns mean something.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

from rich.table import Table

from kerastrash.backends import device_description
from kerastrash.console import results, track
from kerastrash.errors import ConfigError

Found = TypeVar("Found")


def in_turns(ways: Mapping[str, Callable[[], Found]], turns: int) -> dict[str, list[Found]]:
    """What each way gives in each turn."""
    found = {name: [] for name in ways}
    for name in track(list(ways) * turns, "turns", "measurements"):
        found[name].append(ways[name]())
    return found


def show(title: str, rates: Mapping[str, Sequence[float]], against: str) -> None:
    """Prints images a second of each way: median, lowest, highest, and the median's ratio to that of one of them."""
    table = Table(title=title, caption=f"{device_description()}, medians of {len(rates[against])}")
    for column in ("", "images/s", "lowest", "highest", f"of {against}"):
        table.add_column(column, justify="right" if column else "left")
    for name, values in rates.items():
        ratio = median(values) / median(rates[against])
        table.add_row(name, *(f"{value:.1f}" for value in (median(values), min(values), max(values))), f"{ratio:.2f}")
    results().print(table)


def answer(command: Sequence[object], folder: Path | None = None) -> str:
    """What a command prints; raises ConfigError with its last words where it fails."""
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}; mend that first")
    return done.stdout
