"""A reference says where each of its constants came from."""

import pytest

from kerastrash.scoring import PUBLISHED_REFERENCE, PUBLISHED_ROWS, measured_reference


def test_the_published_reference_says_so_and_gives_the_published_score():
    row = PUBLISHED_ROWS[4]
    assert str(PUBLISHED_REFERENCE) == "baseline F1 0.7000 (published), baseline time 43.1700 s (published)"
    assert PUBLISHED_REFERENCE.score(row.f1, row.time) == pytest.approx(row.score, abs=0.0005)


def test_a_measured_reference_names_what_was_measured_and_where_its_f1_is_from():
    reference = measured_reference(2.5, "mobilenetv3_79 at 156 px, keras-torch, cpu, 1 thread", 0.5, "given")
    assert reference.time_source == "measured here: mobilenetv3_79 at 156 px, keras-torch, cpu, 1 thread"
    assert reference.f1_source == "given"
    assert reference.score(0.5, 2.5) == 1
