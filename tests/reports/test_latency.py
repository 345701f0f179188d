"""The picture of a benchmark: a dot and a readable label for every row that has figures."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageColor

from kerastrash.export.formats import FORMATS
from kerastrash.reports.latency import COLOURS, MARKERS, draw_latency, label_dots
from kerastrash.scoring.benchmark.row import Row
from kerastrash.scoring.clocks import Timing


def row(name: str, milliseconds: float | None, f1: float | None) -> Row:
    return Row(
        model="net.keras",
        format=name,
        threads=1,
        runtime=name,
        device="a device",
        weights="float32",
        input_size=32,
        timings={1: Timing(milliseconds, milliseconds, milliseconds, 10)} if milliseconds else {},
        file_mb=1.0,
        start_mb=2.0,
        peak_mb=3.0,
        macro_f1=f1,
        baseline_runtime=name,
        baseline_ms=5.0,
        score=1.0,
        reason="" if milliseconds else "it could not be opened",
    )


def test_the_picture_has_a_dot_in_the_colour_of_every_format(tmp_path):
    rows = [row(name, 3.0 * place + 1, 0.7 + place / 100) for place, name in enumerate(FORMATS)]
    assert draw_latency(rows, tmp_path / "latency.png")
    with Image.open(tmp_path / "latency.png") as picture:
        assert picture.width > 600
        colours = {colour: count for count, colour in picture.convert("RGB").getcolors(2**20)}
    assert len(set(COLOURS)) == len(set(MARKERS)) >= len(FORMATS)
    for colour in COLOURS[: len(FORMATS)]:
        assert colours.get(ImageColor.getrgb(colour), 0) > 20


def test_without_a_row_to_show_there_is_no_picture(tmp_path):
    assert not draw_latency([row("onnx", None, None), row("keras", 2.0, None)], tmp_path / "latency.png")
    assert list(tmp_path.iterdir()) == []


def test_rows_that_failed_are_left_out_and_one_row_is_enough(tmp_path):
    assert draw_latency([row("onnx", None, None), row("keras", 2.0, 1.0)], tmp_path / "latency.png")


@pytest.mark.parametrize("f1", [(0.7,), (0.7, 0.71)])
def test_no_label_stands_on_another_or_on_a_dot(f1):
    points = [(10 + 0.4 * place, f1[place % len(f1)]) for place in range(12)]
    figure = Figure(figsize=(9, 5.5))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xscale="log", xlim=(5, 30), ylim=(0.65, 0.76))
    figure.draw_without_rendering()
    boxes = label_dots(axes, points, [f"onnxruntime, {place} thr." for place in range(12)], ["black"] * 12)
    assert len(boxes) == 12
    assert all(box.width > 50 for box in boxes)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    dots = axes.transData.transform(points)
    assert not any(box.contains(*dot) for box in boxes for dot in dots)
