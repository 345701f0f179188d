"""The search over perceptual hashes, against the plain double loop."""

import numpy as np
import pytest
from PIL import Image

from kerastrash.data.checks import duplicates
from kerastrash.data.checks.duplicates import near_pairs
from kerastrash.data.checks.scan import Look, look_at


@pytest.fixture
def looks(scene):
    """Hashes of which many are a few bits apart, one thumbnail for all."""
    rng = np.random.default_rng(0)
    thumbnail = np.asarray(scene(1).resize((16, 16)))
    hashes = []
    for _ in range(40):
        base = int(rng.integers(0, 2**63))
        hashes += [base ^ sum(1 << int(bit) for bit in rng.choice(64, size, replace=False)) for size in (0, 2, 6, 9)]
    return [Look(str(number), value, thumbnail, (48, 36), False) for number, value in enumerate(hashes)]


@pytest.mark.parametrize("block", [64, 1000, 2**22])
def test_every_pair_within_the_bits_is_found_whatever_the_block(looks, monkeypatch, block):
    monkeypatch.setattr(duplicates, "BLOCK", block)
    monkeypatch.setattr(duplicates, "VERIFIED", 7)
    expected = {
        (first, second)
        for first in range(len(looks))
        for second in range(first + 1, len(looks))
        if (looks[first].hash ^ looks[second].hash).bit_count() <= 6
    }
    assert {(pair.first, pair.second) for pair in near_pairs(looks, 6)} == expected
    assert len(expected) > 40


def test_the_search_stops_at_its_limit(looks, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 5)
    assert len(near_pairs(looks, 64)) == 5
    assert near_pairs([], 6) == []


def test_a_hash_alone_makes_no_pair(scene):
    first, second = look_at(scene(1)), look_at(scene(2))
    twin = Look(second.pixels, first.hash, second.thumbnail, second.size, second.flat)
    assert near_pairs([first, twin], 6) == []


def test_a_look_tells_shapes_apart_and_takes_one_pixel(scene):
    wide = scene(1, (40, 20))
    tall = Image.frombytes("RGB", (20, 40), wide.tobytes())
    assert look_at(wide).pixels == look_at(wide.copy()).pixels != look_at(tall).pixels
    dot = look_at(scene(1, (1, 1)))
    assert dot.flat
    assert not dot.comparable
