"""The formula reproduces the contest's published scores; a reference says where each of its constants came from."""

import math

import pytest

from kerastrash.errors import ConfigError
from kerastrash.scoring import (
    BASELINE_F1,
    BASELINE_TIME,
    PUBLISHED_REFERENCE,
    PUBLISHED_ROWS,
    measured_reference,
    score,
)

NAMES = [row.name for row in PUBLISHED_ROWS]


def test_there_are_nine_published_rows():
    assert len(PUBLISHED_ROWS) == len(set(NAMES)) == 9
    assert (BASELINE_F1, BASELINE_TIME) == (0.7, 43.17)


@pytest.mark.parametrize("row", PUBLISHED_ROWS, ids=NAMES)
def test_a_published_score_comes_back(row):
    tolerance = 0.002 if row.name == "1" else 0.0005
    assert score(row.f1, row.time) == pytest.approx(row.score, abs=tolerance)


def test_the_baseline_scores_one():
    assert score(0.6, 12.0, baseline_f1=0.6, baseline_time=12.0) == 1


def test_less_time_and_more_f1_score_lower():
    assert score(0.7, 30.0) < score(0.7, 40.0)
    assert score(0.8, 30.0) < score(0.7, 30.0)


def test_the_extremes_of_f1_are_finite():
    assert score(0.0, 43.17) == pytest.approx(0.5 + 1 / (1 + math.exp(-14)))
    assert score(1.0, 43.17) == pytest.approx(0.5 + 1 / (1 + math.exp(6)))


@pytest.mark.parametrize("name", ["f1", "time", "baseline_f1", "baseline_time"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1])
def test_a_number_that_is_no_measure_is_named(name, value):
    numbers = {"f1": 0.7, "time": 10.0, "baseline_f1": 0.7, "baseline_time": 43.17}
    with pytest.raises(ConfigError, match=rf"^{name}="):
        score(**numbers | {name: value})


@pytest.mark.parametrize("name", ["time", "baseline_time"])
def test_no_time_at_all_is_refused(name):
    with pytest.raises(ConfigError, match=rf"^{name}=0"):
        score(**{"f1": 0.7, "time": 10.0} | {name: 0})


def test_the_published_reference_says_so_and_gives_the_published_score():
    row = PUBLISHED_ROWS[4]
    assert str(PUBLISHED_REFERENCE) == "baseline F1 0.7000 (published), baseline time 43.1700 s (published)"
    assert PUBLISHED_REFERENCE.score(row.f1, row.time) == pytest.approx(row.score, abs=0.0005)


def test_a_measured_reference_names_what_was_measured_and_where_its_f1_is_from():
    reference = measured_reference(2.5, "mobilenetv3_79 at 156 px, keras-torch, cpu, 1 thread", 0.5, "given")
    assert reference.time_source == "measured here: mobilenetv3_79 at 156 px, keras-torch, cpu, 1 thread"
    assert reference.f1_source == "given"
    assert reference.score(0.5, 2.5) == 1
