"""A picture of a pruned net's widths, drawn by matplotlib without a display."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kerastrash.files import atomic_path


def draw_widths(widths: Mapping[str, tuple[int, int]], path: Path) -> None:
    """A bar a layer, from top to bottom: its channels before, and over it those that are left."""
    places = np.arange(len(widths))
    before, after = np.array(list(widths.values())).T
    figure = Figure(figsize=(7, 1.2 + 0.18 * len(widths)), layout="constrained")
    axes = figure.subplots()
    axes.barh(places, before, color="lightgrey", label="before")
    axes.barh(places, after, color="tab:blue", height=0.6, label="after")
    axes.set_yticks(places, list(widths), fontsize=7)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set(xlabel="channels", title="Widths before and after pruning")
    axes.legend(loc="best")
    axes.grid(axis="x", alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
