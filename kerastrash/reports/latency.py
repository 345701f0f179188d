"""The picture of a benchmark: macro F1 against latency, drawn by matplotlib without a display."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from kerastrash.export.formats import FORMATS
from kerastrash.files import atomic_path
from kerastrash.scoring.benchmark.row import Row

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
"""Okabe and Ito's, which colour-blind people tell apart (jfly.uni-koeln.de/color): one a format, in their order."""
MARKERS = "osD^vPX*"
DISTANCES = (9, 22, 35, 50, 65, 80, 100, 120, 140, 165)
"""Of a label from its dot, in points, nearest first."""
DIRECTIONS = ((0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7), (0, 1), (0, -1), (1, 0), (-1, 0))
CLEARANCE = 6
"""Pixels round a dot that no label covers."""


def draw_latency(rows: Sequence[Row], path: Path) -> bool:
    """Draws a dot for every row that has both an F1 and a time; False, and no file, where none has.

    Logarithmic axis for the milliseconds an image at batch 1 (median); colour and shape tell the format, a label beside
    each dot its runtime and threads, and its model where there are several.
    """
    shown = [row for row in rows if row.macro_f1 is not None and 1 in row.timings]
    if not shown:
        return False
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    points = [(row.timings[1].median_ms, row.macro_f1) for row in shown]
    colours = [COLOURS[list(FORMATS).index(row.format)] for row in shown]
    for row, point, colour in zip(shown, points, colours, strict=True):
        marker = MARKERS[list(FORMATS).index(row.format)]
        axes.plot(*point, marker, color=colour, markersize=8, markeredgecolor="black", zorder=4)
    _frame(axes, points)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is measured from here on must not move
    label_dots(axes, points, _texts(shown), colours)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=figure.dpi)
    return True


def _texts(rows: Sequence[Row]) -> list[str]:
    several = len({row.model for row in rows}) > 1
    threads = len({row.threads for row in rows}) > 1
    texts = []
    for row in rows:
        parts = [Path(row.model).stem] if several else []
        parts.append(row.runtime if row.weights == "float32" else f"{row.runtime} {row.weights}")
        texts.append(", ".join(parts + ([f"{row.threads} thr."] if threads else [])))
    return texts


def _frame(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Axes with room for labels round the dots, ticks at 1, 2 and 5."""
    times, scores = zip(*points, strict=True)
    room = max(0.02, 0.25 * (max(scores) - min(scores)))
    time_axis(axes, times)
    axes.set_ylim(min(scores) - room, max(scores) + room)
    axes.set(ylabel="macro F1, test")
    axes.set_title("F1 against latency: better is up and to the left")


def time_axis(axes: Axes, times: Sequence[float]) -> None:
    """Milliseconds across, logarithmic, ticks at 1, 2 and 5, with room for labels beside the first and last of them."""
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 1.6, max(times) * 1.6)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="milliseconds an image, batch 1 (median)")
    axes.grid(alpha=0.3)


def label_dots(
    axes: Axes, points: Sequence[tuple[float, float]], texts: Sequence[str], colours: Sequence[str]
) -> list[Bbox]:
    """Puts each text at the nearest free place beside its dot and joins the two by a thin line.

    Args:
        axes: of a figure that has been drawn once, and whose layout no longer changes.
        points: the dots, in the units of the axes.
        colours: of the lines.

    Returns:
        Where the texts stand, in pixels; none over another or over a dot as long as there is room.
    """
    dots = [Bbox.from_bounds(*spot, 0, 0).padded(CLEARANCE) for spot in axes.transData.transform(points)]
    boxes: list[Bbox] = []
    for point, text, colour in sorted(zip(points, texts, colours, strict=True)):
        label = axes.annotate(
            text,
            point,
            xytext=(0, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.5},
            arrowprops={"arrowstyle": "-", "linewidth": 0.8, "color": colour, "shrinkA": 0, "shrinkB": 4},
        )
        boxes.append(_free_place(axes, label, [*dots, *boxes]))
    return boxes


def _free_place(axes: Axes, label: Annotation, taken: Sequence[Bbox]) -> Bbox:
    """Moves the label to the nearest place inside the axes that is not taken, else to the last one looked at."""
    for distance, (x, y) in itertools.product(DISTANCES, DIRECTIONS):
        label.xyann = (distance * x, distance * y)
        label.set_horizontalalignment("left" if x > 0 else "right" if x < 0 else "center")
        label.update_positions(axes.figure.canvas.get_renderer())
        box = Text.get_window_extent(label)  # of the text alone, without its line
        inside = all(axes.bbox.contains(*corner) for corner in box.corners())
        if inside and not any(box.overlaps(other) for other in taken):
            break
    return box
