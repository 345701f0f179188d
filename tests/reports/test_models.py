"""The picture of a pruned net's widths shows what it is given."""

import numpy as np
import pytest
from PIL import Image

from kerastrash.reports.models import draw_widths

LEFT, GONE = (31, 119, 180), (211, 211, 211)
"""Red, green and blue of the bars: matplotlib's tab:blue and lightgrey."""


def bar_lengths(pixels: np.ndarray, colour: tuple[int, int, int]) -> list[int]:
    """The length in pixels of each bar of a colour, from top to bottom."""
    rows = []
    for row in (pixels == colour).all(axis=2):
        columns = np.flatnonzero(row)
        bars = np.split(columns, np.flatnonzero(np.diff(columns) > 5) + 1)  # a line of the grid divides no bar
        rows.append(len(bars[0]) and int(np.ptp(bars[0])))  # what stands to the right is the legend's
    edges = np.flatnonzero(np.diff([0, *(length > 40 for length in rows), 0]))
    return [max(rows[start:stop]) for start, stop in edges.reshape(-1, 2)]


def test_each_layer_has_a_bar_as_long_as_its_channels_over_the_one_from_before(tmp_path):
    draw_widths({"first": (32, 32), "second": (32, 24), "third": (8, 8)}, tmp_path / "widths.png")
    with Image.open(tmp_path / "widths.png") as image:
        assert image.size == (770, 191)
        pixels = np.asarray(image.convert("RGB"))
    first, second, third = bar_lengths(pixels, LEFT)
    assert second == pytest.approx(first * 3 / 4, abs=3)
    assert third == pytest.approx(first / 4, abs=3)
    assert (pixels == GONE).all(axis=2).any()
