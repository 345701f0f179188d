"""What the benchmarks share: ways that are run in turns, a table of their medians and ratios, another program's output.

The speed of a machine drifts: only ratios of what ran in turns mean something.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

from kerastrash.backends import device_description
from kerastrash.console import results, track
from kerastrash.errors import ConfigError
from kerastrash.reports.tables import PlainTable

Found = TypeVar("Found")


def in_turns(ways: Mapping[str, Callable[[], Found]], turns: int) -> dict[str, list[Found]]:
    """What each way gives in each turn."""
    found = {name: [] for name in ways}
    for name in track(list(ways) * turns, "turns", "measurements"):
        found[name].append(ways[name]())
    return found


def rates_table(title: str, rates: Mapping[str, Sequence[float]], against: str) -> PlainTable:
    """Images a second of each way: median, lowest, highest, and the median's ratio to that of one of them."""
    rows = [
        (
            name,
            *(f"{value:.1f}" for value in (median(values), min(values), max(values))),
            f"{median(values) / median(rates[against]):.2f}",
        )
        for name, values in rates.items()
    ]
    columns = ("", "images/s", "lowest", "highest", f"of {against}")
    caption = f"{device_description()}, medians of {len(rates[against])}"
    return PlainTable(columns, rows, title=title, caption=caption)


def show(title: str, rates: Mapping[str, Sequence[float]], against: str) -> None:
    """Prints the table of rates."""
    results().print(rates_table(title, rates, against))


def answer(command: Sequence[object], folder: Path | None = None) -> str:
    """What a command prints; raises ConfigError with its last words where it fails."""
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}; mend that first")
    return done.stdout
