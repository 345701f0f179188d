"""What quantisation looks at: balanced, seeded draws without a common image, and the measure that compares methods."""

import numpy as np
import pytest

from kerastrash.compress.quantisers import balanced_order, divergence, draw_calibration
from kerastrash.data import SplitData
from kerastrash.errors import DataError


def part(labels: list[int]) -> SplitData:
    """Crops 100, 102, 104, ... of a cache in which every crop has its own number for a colour."""
    indices = 100 + 2 * np.arange(len(labels))
    images = np.arange(100 + 2 * len(labels)).astype("uint8")[:, None, None, None] * np.ones((1, 2, 2, 3), "uint8")
    return SplitData(images, indices, np.array(labels), ())


def numbers(images: np.ndarray) -> list[int]:
    return images[:, 0, 0, 0].tolist()


def test_the_classes_take_turns_while_they_last():
    labels = np.array([0] * 50 + [1] * 10 + [2] * 4)
    drawn = labels[balanced_order(labels, seed=3)]
    assert np.bincount(drawn[:12]).tolist() == [4, 4, 4]
    assert np.bincount(drawn[:24]).tolist() == [10, 10, 4]
    assert sorted(balanced_order(labels, seed=3)) == list(range(64))


def test_a_seed_gives_one_draw_and_another_seed_another():
    labels = np.repeat([0, 1], 40)
    assert (balanced_order(labels, 1) == balanced_order(labels, 1)).all()
    assert (balanced_order(labels, 1) != balanced_order(labels, 2)).any()


def test_both_draws_are_of_the_part_and_have_no_image_in_common():
    ranges, held_back = map(numbers, draw_calibration(part([0, 1] * 20), count=10, seed=0))
    assert len(ranges) == len(held_back) == 10
    assert len({*ranges, *held_back}) == 20
    assert all(number >= 100 and number % 2 == 0 for number in ranges + held_back)
    assert np.bincount([(number - 100) // 2 % 2 for number in ranges]).tolist() == [5, 5]


def test_a_small_part_is_divided_in_halves():
    assert [len(drawn) for drawn in draw_calibration(part([0, 1, 0, 1, 1]), count=300, seed=0)] == [2, 2]


def test_one_image_cannot_be_divided():
    with pytest.raises(DataError, match="1 training images cannot be divided"):
        draw_calibration(part([0]), count=300, seed=0)


def test_the_divergence_is_nought_for_equal_answers_and_grows_with_the_difference():
    logits = np.random.default_rng(1).normal(size=(20, 4)).astype("float32")
    assert divergence(logits, logits + 7, softmax=False) == pytest.approx(0, abs=1e-6)  # a softmax sees no shift
    near, far = (divergence(logits, logits + scale * logits[::-1], softmax=False) for scale in (0.1, 0.5))
    assert 0 < near < far


def test_the_divergence_of_probabilities_is_that_of_their_logits():
    wanted, found = np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.75, 0.0]])
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert divergence(wanted, found, softmax=True) == pytest.approx(expected)
    logits = [np.log(np.maximum(values, 1e-12)) for values in (wanted, found)]
    assert divergence(*logits, softmax=False) == pytest.approx(expected)
