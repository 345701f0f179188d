"""A comparison as it is read: cells and sentences."""

from dataclasses import replace

from kerastrash.reports.comparison import COLUMNS, SystemRow, cells, draw_tradeoff, failures, ranked

ROW = SystemRow(
    name="slim",
    kind="distilled",
    team=None,
    net="student.yaml",
    input_size=96,
    epochs=20,
    seeds=3,
    parameters=123456,
    macs=7_890_000,
    val_f1=0.9,
    test_f1=0.87654,
    test_f1_sd=0.01234,
    ms=1.234,
    relative_time=0.5,
    score=0.75,
    score_sd=0.02,
    status="finished",
    reason="",
    note="",
)
EMPTY = dict.fromkeys(
    ("parameters", "macs", "val_f1", "test_f1", "test_f1_sd", "ms", "relative_time", "score", "score_sd")
)


def test_a_row_has_its_figures_with_their_deviations():
    assert dict(zip(COLUMNS, cells(ROW), strict=True)) == {
        **{"system": "slim", "net": "student.yaml, distilled", "team": "", "px": "96", "epochs": "20", "seeds": "3"},
        **{"parameters": "123,456", "MMACs": "7.9", "F1": "0.8765 ± 0.0123", "ms": "1.23", "time": "0.50"},
        "score": "0.7500 ± 0.0200",
    }


def test_what_is_not_known_is_empty_and_a_validation_f1_says_so():
    row = replace(ROW, **EMPTY, status="failed", reason="seed 0 failed: no memory", input_size=None)
    assert cells(row)[3:] == ["", "20", "3", *[""] * 6]
    assert cells(replace(row, val_f1=0.5))[8] == "(0.5000 val)"
    assert failures([ROW, row]) == [("slim", "seed 0 failed: no memory")]


def test_rows_are_ranked_by_score_and_then_by_f1():
    rows = [replace(ROW, **EMPTY, name="none")]
    rows += [replace(ROW, name=name, score=score, test_f1=f1) for name, score, f1 in FIGURES]
    assert [row.name for row in ranked(rows)] == ["best", "equal", "worse", "unscored", "poor", "none"]


FIGURES = (
    *(("worse", 0.9, 0.9), ("equal", 0.5, 0.6), ("best", 0.5, 0.7)),
    *(("poor", None, 0.2), ("unscored", None, 0.8)),
)


def test_a_picture_is_drawn_where_there_is_a_dot(tmp_path):
    other = replace(ROW, name="theirs", team=1, ms=9.0, test_f1_sd=None)
    assert draw_tradeoff([ROW, other, replace(ROW, **EMPTY)], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert not draw_tradeoff([replace(ROW, **EMPTY)], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
