"""A comparison as it is read: cells and sentences."""

from kerastrash.reports.comparison import COLUMNS, cells, draw_tradeoff

COSTS = ("parameters", "macs", "val_f1", "test_f1", "test_f1_sd", "ms", "relative_time", "score", "score_sd")
EMPTY = {
    **{"name": "slim", "kind": "distilled", "team": None, "net": "student.yaml", "input_size": None, "epochs": 20},
    **{"seeds": 3, "reason": ""},
    **dict.fromkeys(COSTS),
}
FIGURES = (123456, 7_890_000, 0.9, 0.87654, 0.01234, 1.234, 0.5, 0.75, 0.02)
ROW = EMPTY | {"input_size": 96} | dict(zip(COSTS, FIGURES, strict=True))


def test_a_row_has_its_figures_with_their_deviations():
    assert dict(zip(COLUMNS, cells(ROW), strict=True)) == {
        **{"system": "slim", "net": "student.yaml, distilled", "team": "", "px": "96", "epochs": "20", "seeds": "3"},
        **{"parameters": "123,456", "MMACs": "7.9", "F1": "0.8765 ± 0.0123", "ms": "1.23", "time": "0.50"},
        "score": "0.7500 ± 0.0200",
    }


def test_what_is_not_known_is_empty_and_a_validation_f1_says_so():
    assert cells(EMPTY)[3:] == ["", "20", "3", *[""] * 6]
    assert cells(EMPTY | {"val_f1": 0.5})[8] == "(0.5000 val)"


def test_a_picture_is_drawn_where_there_is_a_dot(tmp_path):
    other = ROW | {"name": "theirs", "team": 1, "ms": 9.0, "test_f1_sd": None}
    assert draw_tradeoff([ROW, other, EMPTY], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert not draw_tradeoff([EMPTY], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
