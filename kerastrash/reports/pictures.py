"""Pictures drawn by matplotlib without a display, saved whole or not at all; it is imported when one is drawn."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kerastrash.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
"""Okabe and Ito's, which colour-blind people tell apart (jfly.uni-koeln.de/color)."""
MARKERS = "osD^vPX*"
DOTS_AN_INCH = 110
DISTANCES = (9, 22, 35, 50, 65, 80, 100, 120, 140, 165)
"""Points between a label and its dot, nearest first."""
DIRECTIONS = ((0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7), (0, 1), (0, -1), (1, 0), (-1, 0))
CLEARANCE = 6
"""Pixels round a dot that no label covers."""


@contextlib.contextmanager
def picture(path: Path, width: float, height: float) -> "Iterator[Axes]":
    """Yields the axes of a new figure, sides in inches; saves it when the block ends."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DOTS_AN_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    yield axes
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DOTS_AN_INCH)


@dataclass(frozen=True)
class Dot:
    """A net by its macro F1 on the test split and its time."""

    ms: float
    """Median milliseconds of an image at batch 1."""
    f1: float
    label: str
    group: int = 0
    """Which of COLOURS and MARKERS."""
    deviation: float | None = None
    """The standard deviation of the F1."""


def draw_dots(path: Path, dots: Sequence[Dot], title: str, groups: Sequence[str] = ()) -> bool:
    """Draws F1 against time, on a logarithmic axis, with a label beside each dot; False, and no file, without dots.

    Args:
        groups: their names for a legend; a line then joins the dots that no other one beats in both.
    """
    if not dots:
        return False
    with picture(path, 10, 6.5) as axes:
        for dot in dots:
            style = {"color": COLOURS[dot.group], "markersize": 8, "markeredgecolor": "black", "capsize": 3}
            axes.errorbar(dot.ms, dot.f1, yerr=dot.deviation, fmt=MARKERS[dot.group], zorder=4, **style)
        if groups:
            best = front(dots)
            axes.plot([dot.ms for dot in best], [dot.f1 for dot in best], color="grey", linestyle="--", zorder=2)
            for group in dict.fromkeys(dot.group for dot in dots):
                axes.plot([], [], MARKERS[group], color=COLOURS[group], markeredgecolor="black", label=groups[group])
            axes.plot([], [], "--", color="grey", label="beaten by none")
            axes.legend(loc="lower right")
        _make_room(axes, dots)
        axes.set_title(f"{title}: better is up and to the left")
        axes.figure.draw_without_rendering()
        axes.figure.set_layout_engine("none")  # what is measured from here on must not move
        label_dots(axes, dots)
    return True


def front(dots: Sequence[Dot]) -> list[Dot]:
    """Those that no other one beats in time without losing F1, or in F1 without losing time, the fastest first."""
    found: list[Dot] = []
    for dot in sorted(dots, key=lambda dot: (dot.ms, -dot.f1)):
        if not found or dot.f1 > found[-1].f1:
            found.append(dot)
    return found


def _make_room(axes: "Axes", dots: Sequence[Dot]) -> None:
    """Limits with room for labels round the dots, and ticks of the time at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    times = [dot.ms for dot in dots]
    ends = [dot.f1 + sign * (dot.deviation or 0) for dot in dots for sign in (-1, 1)]
    room = max(0.02, 0.2 * (max(ends) - min(ends)))
    axes.set(xscale="log", xlim=(min(times) / 1.6, max(times) * 1.6), ylim=(min(ends) - room, max(ends) + room))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    deviation = " (± standard deviation)" if any(dot.deviation for dot in dots) else ""
    axes.set(xlabel="milliseconds an image, batch 1 (median)", ylabel=f"macro F1, test{deviation}")


def label_dots(axes: "Axes", dots: Sequence[Dot]) -> "list[Bbox]":
    """Puts each label at the nearest free spot beside its dot, else at the last one tried, with a thin line to the dot.

    Args:
        axes: those of a figure that has been drawn once, and whose layout no longer changes.

    Returns:
        Where the labels stand, in pixels; none over another or over a dot as long as there is room.
    """
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    spots = axes.transData.transform([(dot.ms, dot.f1) for dot in dots])
    taken = [Bbox.from_bounds(*spot, 0, 0).padded(CLEARANCE) for spot in spots]
    for dot in sorted(dots, key=lambda dot: (dot.ms, dot.f1, dot.label)):
        line = {"arrowstyle": "-", "linewidth": 0.8, "color": COLOURS[dot.group], "shrinkA": 0, "shrinkB": 4}
        ground = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.5}
        style = {"va": "center", "fontsize": 8, "parse_math": False, "bbox": ground, "arrowprops": line}
        label = axes.annotate(dot.label, (dot.ms, dot.f1), xytext=(0, 0), textcoords="offset points", **style)
        for distance, (x, y) in itertools.product(DISTANCES, DIRECTIONS):
            label.xyann = (distance * x, distance * y)
            label.set_horizontalalignment("left" if x > 0 else "right" if x < 0 else "center")
            label.update_positions(axes.figure.canvas.get_renderer())
            box = Text.get_window_extent(label)  # of the text alone, without its line
            inside = all(axes.bbox.contains(*corner) for corner in box.corners())
            if inside and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
    return taken[len(dots) :]
