"""The formula reproduces the contest's published scores; a reference says where each of its constants came from."""

import itertools
import math

import pytest

from kerastrash.errors import ConfigError
from kerastrash.scoring import PUBLISHED_REFERENCE, PUBLISHED_ROWS, reference_for, score

NAMES = [row.name for row in PUBLISHED_ROWS]


def test_there_are_nine_published_rows():
    assert len(PUBLISHED_ROWS) == len(set(NAMES)) == 9


@pytest.mark.parametrize("row", PUBLISHED_ROWS, ids=NAMES)
def test_a_published_score_comes_back(row):
    tolerance = 0.002 if row.name == "1" else 0.0005
    assert score(row.f1, row.time) == pytest.approx(row.score, abs=tolerance)


def test_the_baseline_scores_one_and_less_time_and_more_f1_score_lower():
    assert score(0.6, 12.0, baseline_f1=0.6, baseline_time=12.0) == 1
    assert score(0.7, 30.0) < score(0.7, 40.0)
    assert score(0.8, 30.0) < score(0.7, 30.0)


def test_the_extremes_of_f1_are_finite():
    assert score(0.0, 43.17) == pytest.approx(0.5 + 1 / (1 + math.exp(-14)))
    assert score(1.0, 43.17) == pytest.approx(0.5 + 1 / (1 + math.exp(6)))


NUMBERS = {"f1": 0.7, "time": 10.0, "baseline_f1": 0.7, "baseline_time": 43.17}
BAD = [*itertools.product(NUMBERS, (math.nan, math.inf, -math.inf, -0.1)), ("time", 0), ("baseline_time", 0)]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_number_that_is_no_measure_is_named(name, value):
    with pytest.raises(ConfigError, match=rf"^{name}={value}"):
        score(**NUMBERS | {name: value})


def test_a_reference_says_where_its_constants_came_from_and_scores_against_them():
    row = PUBLISHED_ROWS[4]
    assert str(PUBLISHED_REFERENCE) == "baseline F1 0.7000 (published), baseline time 43.1700 s (published)"
    assert PUBLISHED_REFERENCE.score(row.f1, row.time) == pytest.approx(row.score, abs=0.0005)
    reference = reference_for("measured", 2.5, "mobilenetv3_79 at 156 px, keras-torch, cpu, 1 thread", 0.5, "given")
    assert reference.time_source == "measured here: mobilenetv3_79 at 156 px, keras-torch, cpu, 1 thread"
    assert reference.f1_source == "given"
    assert reference.score(0.5, 2.5) == 1
