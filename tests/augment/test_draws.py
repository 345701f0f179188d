import hashlib

import numpy as np
import pytest

from kerastrash.augment.augmentation import CONTEST, Augmentation
from kerastrash.augment.operations import NAMES, OPERATIONS, Operation


def same(first, second):
    return all(np.array_equal(column, vars(second)[name]) for name, column in vars(first).items())


def test_a_crops_draw_depends_on_seed_epoch_and_place_and_not_on_the_count():
    augmentation = Augmentation(n_select=3)
    draws = augmentation.draw(7, 2, 50)
    assert same(draws, augmentation.draw(7, 2, 50))
    assert same(draws, augmentation.draw(7, 2, 5000)[:50])
    assert not same(draws, augmentation.draw(8, 2, 50))
    assert not same(draws, augmentation.draw(7, 3, 50))
    assert not same(draws, augmentation.draw(2, 7, 50))
    assert not same(draws[:25], draws[25:])


def test_rows_are_taken_by_number_slice_and_array():
    draws = Augmentation(n_select=4).draw(0, 0, 20)
    assert same(draws[np.array([3, 17, 3])][1:2], draws[17:18])
    assert len(draws[5:9]) == 4
    np.testing.assert_array_equal(draws[17].operations, draws.operations[17])
    assert draws[17].levels == draws.levels[17]


@pytest.mark.parametrize("n_select", range(7))
def test_operations_are_drawn_without_repetition_all_equally_often_and_the_first_are_those_of_a_draw_of_more(n_select):
    draws, more = (Augmentation(n_select=number).draw(0, 0, 14_000) for number in (n_select, 6))
    assert all(len(set(row)) == n_select for row in draws.operations.tolist()[:500])
    for place in range(n_select):
        counts = np.bincount(draws.operations[:, place], minlength=len(CONTEST))
        np.testing.assert_allclose(counts, 1000, atol=150)
    np.testing.assert_array_equal(draws.operations, more.operations[:, :n_select])
    np.testing.assert_array_equal(draws.levels, more.levels)


@pytest.mark.parametrize("n_level", [1, 4, 10])
def test_a_drawn_level_is_uniform_over_its_steps_and_a_fixed_one_that_of_every_image(n_level):
    levels = Augmentation(n_level=n_level).draw(0, 0, 10_000).levels
    steps, counts = np.unique(levels, return_counts=True)
    np.testing.assert_array_equal(steps, (np.arange(n_level + 1) / n_level).astype(np.float32))
    np.testing.assert_allclose(counts / 10_000, 1 / (n_level + 1), atol=0.02)
    assert (Augmentation(level=0.25, n_level=n_level).draw(0, 0, 50).levels == 0.25).all()


def test_both_signs_and_flips_come_up_half_of_the_time_and_no_flip_when_it_is_off():
    draws = Augmentation().draw(0, 0, 10_000)
    assert set(np.unique(draws.signs)) == {-1, 1}
    np.testing.assert_allclose((draws.signs > 0).mean(0), 0.5, atol=0.02)
    assert abs(draws.flips.mean() - 0.5) < 0.02
    assert not Augmentation(flip=False).draw(0, 0, 100).flips.any()


def test_with_turns_all_eight_views_come_up_alike_and_nothing_else_changes():
    still, turned = Augmentation().draw(0, 0, 16_000), Augmentation(turn=True).draw(0, 0, 16_000)
    assert not still.turns.any()
    np.testing.assert_allclose(np.bincount(turned.flips * 4 + turned.turns), 2000, atol=150)
    np.testing.assert_array_equal(np.unique(Augmentation(flip=False, turn=True).draw(0, 0, 100).flips), [False])
    still.turns[:] = turned.turns
    assert same(still, turned)


def test_what_is_drawn_for_one_purpose_says_nothing_about_another():
    draws = Augmentation(turn=True).draw(0, 0, 20_000)
    numbers = np.column_stack([draws.operations, draws.signs, draws.levels, draws.flips, draws.turns, draws.centres])
    correlation = np.corrcoef(numbers.T) - np.eye(9)
    correlation[0, 1] = correlation[1, 0] = 0  # without repetition, so that the second depends on the first
    assert abs(correlation).max() < 0.03


def test_cutouts_squares_lie_around_their_centres_and_never_begin_below_zero():
    draws = Augmentation().draw(0, 0, 200)
    top, left, bottom, right = draws.squares(40, 30, 0.5).T
    middle = np.floor(draws.centres * [40, 30])
    np.testing.assert_array_equal(top, np.maximum(middle[:, 0] - 10, 0))
    np.testing.assert_array_equal(right, middle[:, 1] + 10)
    assert min(top.min(), left.min()) == 0
    assert (bottom > top).all()


def test_the_contests_fourteen_operations_are_drawn_as_they_always_were():
    assert NAMES[:14] == Augmentation().names == CONTEST
    draws = Augmentation(n_select=3, turn=True).draw(2021, 5, 1000)
    drawn = b"".join(column.tobytes() for column in vars(draws).values())
    assert hashlib.sha256(drawn).hexdigest().startswith("8dba580f8085b3fb")


@pytest.fixture
def new(monkeypatch):
    """The index of an operation that came after all others."""
    monkeypatch.setitem(OPERATIONS, "New", Operation(table=lambda by: 255 - by * np.arange(256)))
    monkeypatch.setattr("kerastrash.augment.augmentation.NAMES", tuple(OPERATIONS))
    return len(OPERATIONS) - 1


WITH_NEW = (*CONTEST, "New")


@pytest.mark.parametrize("n_select", [1, 2, 6])
def test_a_new_operation_changes_no_draw_where_it_is_not_named_nor_of_an_image_that_does_not_draw_it(new, n_select):
    before = Augmentation(n_select=n_select).draw(7, 2, 14_000)
    assert same(before, Augmentation(n_select=n_select, operations=CONTEST).draw(7, 2, 14_000))
    assert (before.operations < len(CONTEST)).all()
    after = Augmentation(n_select=n_select, operations=WITH_NEW).draw(7, 2, 14_000)
    drawn = (after.operations == new).any(axis=1)
    assert drawn.mean() == pytest.approx(n_select / 15, abs=0.01)
    assert same(before[~drawn], after[~drawn])
    for column in ("levels", "flips", "turns", "centres"):
        np.testing.assert_array_equal(getattr(before, column), getattr(after, column))
    others = [[number for number in row if number != new] for row in after.operations[drawn].tolist()]
    assert others == before.operations[drawn, : n_select - 1].tolist()


def test_its_stream_follows_from_its_name_seed_and_epoch_whatever_the_count(new):
    augmentation = Augmentation(n_select=1, operations=WITH_NEW)
    assert same(augmentation.draw(7, 2, 50), augmentation.draw(7, 2, 5000)[:50])
    drawn = [(augmentation.draw(seed, epoch, 500).operations == new)[:, 0] for seed, epoch in ((7, 2), (7, 3), (8, 2))]
    assert all((one != other).any() for one, other in zip(drawn, drawn[1:] + drawn[:1], strict=True))


def test_fewer_operations_are_drawn_in_the_order_they_had_among_all():
    few = ("Rotate", "Color", "ShearX")
    everything = Augmentation(n_select=6).draw(0, 0, 500)
    drawn = Augmentation(n_select=2, operations=few).draw(0, 0, 500)
    indices = [NAMES.index(name) for name in few]
    for ours, among_all in zip(drawn.operations.tolist(), everything.operations.tolist(), strict=True):
        kept = [index for index in among_all if index in indices][:2]
        assert ours[: len(kept)] == kept
