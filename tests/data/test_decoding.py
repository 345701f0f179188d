"""Photographs are decoded in the order given, and never many crops ahead of the one that is taken."""

import time

import pytest

from kerastrash.data import images
from kerastrash.data.images import AHEAD, AT_ONCE, by_photograph, decode_photographs
from kerastrash.data.records import Crop


@pytest.fixture
def photographs(draw, tmp_path):
    """30 photographs of 1, 2, 3, 1, 2, 3, ... crops."""
    crops = []
    for number in range(30):
        path = draw(tmp_path / f"{number}.png", seed=number)
        crops += [Crop(path, (box, 0, 9, 9), 0, f"{number}#{box}") for box in range(number % 3 + 1)]
    return by_photograph(crops)


def test_the_crops_come_in_the_order_of_their_photographs(photographs):
    decoded = list(decode_photographs(photographs, 8))
    keys = [[piece.crop.key for piece in photograph.pieces] for photograph in decoded]
    assert keys == [[crop.key for crop in crops] for crops in photographs]


@pytest.mark.parametrize("crops_each", [1, 100])
def test_no_more_is_decoded_ahead_than_some_tasks_of_few_crops(draw, tmp_path, monkeypatch, crops_each):
    path = draw(tmp_path / "a.png")
    many = [(tuple(Crop(path, None, 0, f"{n}#{k}") for k in range(crops_each))) for n in range(400)]
    begun = []
    decode = images.decode_photograph
    monkeypatch.setattr(images, "decode_photograph", lambda crops, size: begun.append(len(crops)) or decode(crops, 4))
    stream = decode_photographs(many, 4)
    next(stream)
    time.sleep(0.3)
    assert sum(begun) <= AHEAD * max(AT_ONCE, crops_each)
    stream.close()
    assert len(begun) < 400
