import numpy as np
from PIL import Image

from kerastrash.augment.operations import NAMES
from kerastrash.reports.operations import both_forms, draw_operations

CROPS = [np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8) for seed in range(2)]


def test_the_picture_shows_every_operation_in_both_forms(tmp_path):
    draw_operations(CROPS, tmp_path / "operations.png")
    sheet = np.asarray(Image.open(tmp_path / "operations.png"))
    for place, name in enumerate(NAMES):
        for augmented in both_forms(CROPS[place % 2], name, 1.0, 1):
            assert stands_in(sheet, augmented), name


def stands_in(sheet, tile):
    windows = np.lib.stride_tricks.sliding_window_view(sheet, (24, 24), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    starts = np.argwhere((sheet[: windows.shape[0], : windows.shape[1]] == tile[0, 0]).all(-1))
    return any(np.array_equal(windows[row, column], tile) for row, column in starts)
