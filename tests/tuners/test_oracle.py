"""The search itself, with trials that are plain functions: plan, promotion, failures, limits, replay."""

import pytest

from kerastrash.errors import ConfigError
from tuners.oracle import FAILED_SCORE, LimitedOracle, Tuner

SIZE = (9, 3, 1)
"""Epochs, factor and iterations."""
PLANNED = 9 + 3 + 1 + 5 + 2 + 3


def declare(hp):
    hp.Choice("stages", [1, 2, 3])
    for stage in range(3):
        with hp.conditional_scope("stages", [count for count in (1, 2, 3) if count > stage]):
            hp.Choice(f"kernel_{stage}", [3, 5, 7, 9])
    hp.Float("learning_rate", 0.01, 1, sampling="log")


def search(folder, score, admissible=lambda values: True, seed=3, declare=declare):
    calls = []

    def run_trial_at(name, values, rung):
        result = score(int(name), values)
        calls.append((name, values, rung, result))
        return result

    oracle = LimitedOracle(admissible, seed, *SIZE)
    Tuner(oracle, declare, directory=folder, overwrite=True).search(run_trial_at, verbose=0)
    return calls


def by_rate(number, values):
    return values["learning_rate"]


def test_all_planned_trials_and_epochs_are_run(tmp_path):
    assert LimitedOracle(bool, 3, *SIZE).plan() == [(9, 1), (3, 2), (1, 6), (5, 3), (2, 6), (3, 9)]
    calls = search(tmp_path, by_rate)
    assert len(calls) == PLANNED
    assert sum(rung.epochs - rung.initial_epoch for _, _, rung, _ in calls) == 75
    for _, values, _, _ in calls:  # the values of a stage exist only while the stage does
        assert [f"kernel_{stage}" in values for stage in range(3)] == [values["stages"] > stage for stage in range(3)]


def test_the_best_trials_of_a_rung_are_promoted_with_their_values(tmp_path):
    calls = search(tmp_path, by_rate)
    first = {name: (values, result) for name, values, rung, result in calls if rung.bracket == 2 and rung.round == 0}
    promoted = [(values, rung) for _, values, rung, _ in calls if rung.bracket == 2 and rung.round == 1]
    best = sorted(first, key=lambda name: first[name][1])[:3]
    assert [rung.parent for _, rung in promoted] == best
    assert all(values == first[rung.parent][0] for values, rung in promoted)
    assert all((rung.initial_epoch, rung.epochs) == (1, 3) for _, rung in promoted)


@pytest.mark.parametrize("every", [1, 2])
def test_failed_trials_do_not_end_the_search_nor_abandon_a_bracket(tmp_path, every):
    calls = search(tmp_path, lambda number, values: values["learning_rate"] if number % every else FAILED_SCORE)
    assert len(calls) == PLANNED
    scores = {name: result for name, _, _, result in calls}
    assert every == 1 or all(scores[rung.parent] < FAILED_SCORE for _, _, rung, _ in calls if rung.parent)


def test_nets_over_the_limits_take_no_place_in_a_bracket(tmp_path):
    calls = search(tmp_path, by_rate, admissible=lambda values: values["stages"] < 3)
    assert len(calls) == PLANNED
    assert {values["stages"] for _, values, _, _ in calls} == {1, 2}


def test_limits_that_no_net_meets_are_named(tmp_path):
    with pytest.raises(ConfigError, match="max_params"):
        search(tmp_path, by_rate, admissible=lambda values: False)


def test_a_space_of_fewer_nets_than_trials_ends_with_the_best_of_them_promoted(tmp_path):
    rates = [0.1, 0.2, 0.3, 0.4, 0.5]
    calls = search(tmp_path, by_rate, declare=lambda hp: hp.Choice("learning_rate", rates))
    rungs = [(rung.bracket, rung.round, rung.epochs, values["learning_rate"]) for _, values, rung, _ in calls]
    assert sorted(rungs[:5]) == [(2, 0, 1, rate) for rate in rates]
    assert rungs[5:] == [(2, 1, 3, 0.1), (2, 1, 3, 0.2), (2, 2, 9, 0.1)]


@pytest.mark.parametrize("seed", [0, 5])
def test_a_replayed_search_asks_for_the_same_trials(tmp_path, seed):
    first = search(tmp_path / "a", by_rate, seed=seed)
    again = search(tmp_path / "b", by_rate, seed=seed)
    other = search(tmp_path / "c", by_rate, seed=4)
    assert again == first
    assert [values for _, values, _, _ in other] != [values for _, values, _, _ in first]


def test_a_bug_in_a_trial_keeps_its_traceback(tmp_path):
    def broken(number, values):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(tmp_path, broken)
