"""What quantisation looks at: balanced, seeded draws without a common image, and the measure that compares methods."""

import numpy as np
import pytest

from kerastrash.compress.quantisers import divergence, draw_calibration
from kerastrash.data import SplitData
from kerastrash.errors import DataError


def drawn(labels: list[int], count: int, seed: int = 3) -> tuple[list[float], list[float]]:
    """The indices into `labels` of both draws, of a part whose crops are every other one of a cache, from 100 on.

    Every crop of the cache has its own number for a colour.
    """
    images = np.arange(100 + 2 * len(labels)).astype("uint8")[:, None, None, None] * np.ones((1, 2, 2, 3), "uint8")
    part = SplitData(images, 100 + 2 * np.arange(len(labels)), np.array(labels), ())
    first, second = draw_calibration(part, count, seed)
    return tuple(((draw[:, 0, 0, 0].astype(float) - 100) / 2).tolist() for draw in (first, second))


def test_the_classes_take_turns_while_they_last():
    labels = [0] * 50 + [1] * 10 + [2] * 4
    ranges, held_back = (np.array(labels)[np.array(indices, int)] for indices in drawn(labels, 12))
    assert np.bincount(ranges).tolist() == [4, 4, 4]
    assert np.bincount(np.concatenate([ranges, held_back])).tolist() == [10, 10, 4]


def test_a_seed_gives_one_draw_and_another_seed_another():
    assert drawn([0, 1] * 20, 20, seed=1) == drawn([0, 1] * 20, 20, seed=1)
    assert drawn([0, 1] * 20, 20, seed=1) != drawn([0, 1] * 20, 20, seed=2)


@pytest.mark.parametrize(("labels", "count", "each"), [([0, 1] * 20, 20, 20), ([0, 1, 0, 1, 1], 300, 2)])
def test_both_draws_are_of_the_part_without_a_common_image_and_halve_a_small_one_but_not_one_image(labels, count, each):
    ranges, held_back = drawn(labels, count)
    assert len(ranges) == len(held_back) == each
    assert len({*ranges, *held_back} & {*range(len(labels))}) == 2 * each
    with pytest.raises(DataError, match="1 training images cannot be divided"):
        drawn([0], count)


def test_the_divergence_is_nought_for_equal_answers_grows_with_the_difference_and_is_that_of_the_probabilities():
    logits = np.random.default_rng(1).normal(size=(20, 4)).astype("float32")
    assert divergence(logits, logits + 7, softmax=False) == pytest.approx(0, abs=1e-6)  # a softmax sees no shift
    near, far = (divergence(logits, logits + scale * logits[::-1], softmax=False) for scale in (0.1, 0.5))
    assert 0 < near < far
    wanted, found = np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.75, 0.0]])
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert divergence(wanted, found, softmax=True) == pytest.approx(expected)
    logits = [np.log(np.maximum(values, 1e-12)) for values in (wanted, found)]
    assert divergence(*logits, softmax=False) == pytest.approx(expected)
