"""The picture of a comparison: macro F1 against time, the contest's systems and ours, and who is beaten by nobody."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kerastrash.files import atomic_path
from kerastrash.reports.comparison_rows import SystemRow
from kerastrash.reports.latency import COLOURS, label_dots, time_axis

OURS, TEAMS = (COLOURS[0], "o", "ours"), (COLOURS[1], "s", "the contest's teams")
"""Colour, marker and name of each group."""


def draw_tradeoff(rows: Sequence[SystemRow], path: Path) -> bool:
    """Draws a dot for every system that has both an F1 and a time; False, and no file, where none has.

    Logarithmic axis for the milliseconds an image at batch 1 (median); bars are the standard deviation of F1 over the
    seeds; the line joins the systems that no other one beats in both.
    """
    shown = [row for row in rows if row.test_f1 is not None and row.ms is not None]
    if not shown:
        return False
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    groups = [TEAMS if row.team else OURS for row in shown]
    for row, (colour, marker, _) in zip(shown, groups, strict=True):
        style = {"color": colour, "ecolor": colour, "markersize": 8, "markeredgecolor": "black", "capsize": 3}
        axes.errorbar(row.ms, row.test_f1, yerr=row.test_f1_sd, fmt=marker, zorder=4, **style)
    front = pareto_front(shown)
    axes.plot([row.ms for row in front], [row.test_f1 for row in front], color="grey", linestyle="--", zorder=2)
    _frame(axes, shown, dict.fromkeys(groups))
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is measured from here on must not move
    points = [(row.ms, row.test_f1) for row in shown]
    label_dots(axes, points, [row.name for row in shown], [colour for colour, _, _ in groups])
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=figure.dpi)
    return True


def pareto_front(rows: Sequence[SystemRow]) -> list[SystemRow]:
    """Those that no other one beats in time without losing F1, or in F1 without losing time, the fastest first."""
    front: list[SystemRow] = []
    for row in sorted(rows, key=lambda row: (row.ms, -row.test_f1)):
        if not front or row.test_f1 > front[-1].test_f1:
            front.append(row)
    return front


def _frame(axes: Axes, rows: Sequence[SystemRow], groups: Sequence[tuple[str, str, str]]) -> None:
    """Axes with room for labels round the dots, ticks at 1, 2 and 5, and a legend of the groups."""
    ends = [row.test_f1 + sign * (row.test_f1_sd or 0) for row in rows for sign in (-1, 1)]
    room = max(0.02, 0.15 * (max(ends) - min(ends)))
    time_axis(axes, [row.ms for row in rows])
    axes.set_ylim(min(ends) - room, max(ends) + room)
    for colour, marker, name in groups:
        axes.plot([], [], marker, color=colour, markeredgecolor="black", label=name)
    axes.plot([], [], "--", color="grey", label="beaten by none")
    axes.legend(loc="lower right")
    axes.set(ylabel="macro F1, test (± standard deviation)")
    axes.set_title("F1 against time: better is up and to the left")
