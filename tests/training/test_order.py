"""The order of an epoch is a function of seed and epoch, and the balanced one gives every class its share."""

import numpy as np
import pytest

from kerastrash.training.batches import epoch_order

LABELS = np.repeat([0, 1, 2], [100, 30, 8])


def test_without_a_sampler_the_crops_come_as_they_stand():
    np.testing.assert_array_equal(epoch_order(LABELS, 1, 2, None), np.arange(138))


@pytest.mark.parametrize("sampler", ["shuffle", "balanced"])
def test_the_order_follows_from_seed_and_epoch_alone(sampler):
    order = epoch_order(LABELS, 7, 3, sampler)
    np.testing.assert_array_equal(order, epoch_order(LABELS, 7, 3, sampler))
    assert not np.array_equal(order, epoch_order(LABELS, 8, 3, sampler))
    assert not np.array_equal(order, epoch_order(LABELS, 7, 4, sampler))


def test_shuffled_every_crop_comes_once():
    assert sorted(epoch_order(LABELS, 0, 0, "shuffle")) == list(range(138))


def test_balanced_every_class_comes_equally_often_and_no_crop_twice_more_than_another_of_its_class():
    order = epoch_order(LABELS, 0, 0, "balanced")
    assert len(order) == 138
    assert np.bincount(LABELS[order]).tolist() == [46, 46, 46]
    for label in range(3):
        times = np.bincount(order, minlength=138)[label == LABELS]
        assert times.max() - times.min() <= 1
    halves = np.bincount(LABELS[order[:69]])
    assert halves.min() > 10  # the classes are mixed, not one after the other


def test_what_does_not_divide_evenly_goes_to_another_class_in_another_epoch():
    labels = LABELS[:-1]
    counts = {tuple(np.bincount(labels[epoch_order(labels, 0, epoch, "balanced")])) for epoch in range(9)}
    assert len(counts) > 1
    assert all(sum(count) == 137 and max(count) - min(count) == 1 for count in counts)


def test_all_crops_of_a_large_class_come_in_turn_over_some_epochs():
    seen = set().union(*(epoch_order(LABELS, 0, epoch, "balanced").tolist() for epoch in range(20)))
    assert seen == set(range(138))
