"""Pictures: a dot and a readable label for all that has F1 and time, a bar for each layer of a pruned net."""

import contextlib
import itertools
import subprocess
import sys

import pytest
from PIL import Image, ImageColor

from kerastrash.export.formats import FORMATS
from kerastrash.reports.models import draw_widths
from kerastrash.reports.pictures import COLOURS, MARKERS, Dot, front, label_dots, picture
from kerastrash.reports.scoring import draw_latency
from kerastrash.scoring.benchmark import BenchmarkRow
from kerastrash.scoring.clocks import Timing


def row(name: str, milliseconds: float | None, f1: float | None) -> BenchmarkRow:
    timings = {1: Timing(milliseconds, milliseconds, milliseconds, 10)} if milliseconds else {}
    return BenchmarkRow(
        *("net_$a$.keras", name, 1, name, "a device", "float32", "float32", 32),
        timings=timings,
        **dict.fromkeys(("file_mb", "start_mb", "peak_mb", "baseline_ms", "score"), 1.0),
        macro_f1=f1,
        baseline_runtime=name,
        reason="" if milliseconds else "it could not be opened",
    )


def test_the_picture_has_a_dot_in_the_colour_of_every_format(tmp_path):
    rows = [row(name, 3.0 * index + 1, 0.7 + index / 100) for index, name in enumerate(FORMATS)]
    assert draw_latency(rows, tmp_path / "latency.png")
    with Image.open(tmp_path / "latency.png") as drawn:
        assert drawn.width > 600
        colours = {colour: count for count, colour in drawn.convert("RGB").getcolors(2**20)}
    assert len(set(COLOURS)) == len(set(MARKERS)) >= len(FORMATS)
    for colour in COLOURS[: len(FORMATS)]:
        assert colours.get(ImageColor.getrgb(colour), 0) > 20


def test_rows_without_figures_are_left_out_and_without_a_row_to_show_there_is_no_picture(tmp_path):
    failed, whole = row("onnx", None, None), row("keras", 2.0, 1.0)
    assert not draw_latency([failed, row("keras", 2.0, None)], tmp_path / "latency.png")
    assert list(tmp_path.iterdir()) == []
    assert draw_latency([failed, whole], tmp_path / "latency.png")


@pytest.mark.parametrize("f1", [(0.7,), (0.7, 0.71)])
def test_no_label_stands_on_another_or_on_a_dot(f1, tmp_path):
    dots = [Dot(10 + 0.4 * index, f1[index % len(f1)], f"onnxruntime, {index} thr.") for index in range(12)]
    with picture(tmp_path / "labels.png", 9, 5.5) as axes:
        axes.figure.set_layout_engine("none")
        axes.set(xscale="log", xlim=(5, 30), ylim=(0.65, 0.76))
        axes.figure.draw_without_rendering()
        boxes = label_dots(axes, dots)
        spots = axes.transData.transform([(dot.ms, dot.f1) for dot in dots])
    assert len(boxes) == 12
    assert all(box.width > 50 for box in boxes)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert not any(box.contains(*spot) for box in boxes for spot in spots)


def test_the_front_holds_those_that_none_beats_in_both():
    figures = {"fast": (1, 0.5), "equal": (1.5, 0.5), "slower": (2, 0.5), "middle": (2, 0.7), "beaten": (3, 0.6)}
    figures["best"] = (4, 0.9)
    dots = [Dot(ms, f1, name) for name, (ms, f1) in figures.items()]
    assert [dot.label for dot in front(dots)] == ["fast", "middle", "best"]


def test_a_picture_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), picture(tmp_path / "picture.png", 3, 3):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_is_imported_when_a_picture_is_drawn():
    code = "import kerastrash.reports.pictures, kerastrash.reports.tables, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_layer_has_a_bar_as_long_as_its_channels_over_the_one_from_before(tmp_path, monkeypatch):
    drawn = []

    @contextlib.contextmanager
    def kept(*arguments):
        with picture(*arguments) as axes:
            yield axes
            drawn.append(axes)

    monkeypatch.setattr("kerastrash.reports.models.picture", kept)
    draw_widths({"first": (32, 32), "second": (32, 24), "third": (8, 8)}, tmp_path / "widths.png")
    (axes,) = drawn
    assert [bar.get_width() for bar in axes.patches] == [32, 32, 8, 32, 24, 8]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second", "third"]
    assert axes.yaxis_inverted() and (tmp_path / "widths.png").read_bytes().startswith(b"\x89PNG")
