"""Sheets of pictures: predictions, the worst first, and the operations of augmentation."""

import numpy as np
import pytest
from PIL import Image, ImageColor

from kerastrash.augment.operations import NAMES
from kerastrash.data import Crop, SplitData
from kerastrash.reports import sheets
from kerastrash.reports.sheets import FRAME, MOST, MOST_WRONG, TILE, worst_first
from kerastrash.scoring.evaluate import Evaluation, judge

CROPS = [np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8) for seed in range(2)]


def evaluation(labels, predicted, certainty) -> Evaluation:
    """The evaluation of two classes with these answers."""
    odds = np.log(np.array(certainty) / (1 - np.array(certainty)))
    return judge(np.array(labels), np.where(np.eye(2)[predicted], odds[:, None], 0).astype("float32"))


def test_wrong_answers_come_first_from_the_most_certain_and_right_ones_from_the_least():
    found = evaluation([0, 0, 1, 1, 0], [0, 1, 0, 1, 0], [0.9, 0.6, 0.8, 0.7, 0.8])
    assert worst_first(found) == [2, 1, 3, 4, 0]


@pytest.mark.parametrize(("wrong", "right"), [(100, 100), (100, 5), (10, 100), (3, 2)])
def test_a_sheet_has_room_for_right_answers_too(wrong, right):
    found = evaluation([0] * (wrong + right), [1] * wrong + [0] * right, [0.9] * (wrong + right))
    shown = worst_first(found)
    assert len(shown) == len(set(shown)) == min(MOST, wrong + right)
    expected = min(wrong, max(MOST_WRONG, MOST - right))
    assert [index < wrong for index in shown] == [True] * expected + [False] * (len(shown) - expected)


def test_wrong_answers_are_framed_red_and_show_the_photograph(tmp_path):
    photograph = np.full((40, 40, 3), (10, 200, 30), "uint8")
    Image.fromarray(photograph).save(tmp_path / "a.png")
    crops = (Crop(tmp_path / "a.png", None, 0, "a"), Crop(tmp_path / "gone.png", None, 1, "gone"))
    images = np.full((2, 8, 8, 3), (250, 0, 250), "uint8")
    part = SplitData(images, np.arange(2), np.array([0, 1]), crops)
    names = ("a class with a name that is far too long for a photograph", "box")
    sheets.draw_predictions(part, evaluation([0, 1], [0, 0], [0.9, 0.8]), names, tmp_path / "predictions.png")
    sheet = np.asarray(Image.open(tmp_path / "predictions.png").convert("RGB"))
    width = sheet.shape[1] // 2
    frames = [tuple(sheet[1, 1]), tuple(sheet[1, width + 1])]
    assert frames == [ImageColor.getrgb(colour) for colour in (sheets.WRONG, sheets.RIGHT)]
    middle = FRAME + TILE // 2
    assert tuple(sheet[middle, middle]) == (250, 0, 250)  # the photograph is gone: as the net saw it
    assert tuple(sheet[middle, width + middle]) == (10, 200, 30)
    words = sheet[TILE + 2 * FRAME :]
    assert (words < 100).any() and (words[:, -2:] == 255).all()


def test_the_picture_shows_every_operation_in_both_forms(tmp_path):
    sheets.draw_operations(CROPS, tmp_path / "operations.png")
    sheet = np.asarray(Image.open(tmp_path / "operations.png"))
    for index, name in enumerate(NAMES):
        for augmented in sheets.both_forms(CROPS[index % 2], name, 1.0, 1):
            assert stands_in(sheet, augmented), name


def stands_in(sheet, tile):
    windows = np.lib.stride_tricks.sliding_window_view(sheet, (24, 24), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    starts = np.argwhere((sheet[: windows.shape[0], : windows.shape[1]] == tile[0, 0]).all(-1))
    return any(np.array_equal(windows[row, column], tile) for row, column in starts)
