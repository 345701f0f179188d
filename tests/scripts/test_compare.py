"""`scripts/compare.py` from the command line: the table, its files, and the exit status."""

import pytest

SYSTEMS = """
recipe: {epochs: 1, batch_size: 8, n_select: 0, workers: 0}
baseline: theirs
systems:
  - {name: theirs, team: 1, net: net.yaml, input_size: 16}
  - {name: broken, net: net.yaml, input_size: 16, recipe: {epochs: 40, learning_rate: 99, weight_decay: 0.9}}
"""
COMPARE = "compare systems.yaml --data images --timed-images 2 --blocks 1 --name mine --runtime onnx"


@pytest.mark.usefixtures("net_onnx")
def test_a_comparison_ends_with_its_table_and_files_and_with_1_where_a_system_failed(script, done, here):
    (here / "systems.yaml").write_text(SYSTEMS)
    out, error = done(f"{COMPARE} --only theirs --train-only")
    assert "theirs, seed 0: F1" in error and "1 of 1" in error
    assert "val)" in out and "Trained only" in out and "comparison.csv" not in out
    status, out, error = script(COMPARE)
    assert status == 1, error
    assert "theirs, seed 0" not in error  # which is not trained again
    assert "broken: seed 0 failed: " in out and "lower the learning rate" in out.replace("\n", " ")
    assert "measured here: theirs at 16 px" in out.replace("\n", " ") and "comparison.csv" in out
    written = {path.name for path in (here / "runs" / "mine").iterdir() if not path.name.startswith(".")}
    assert written == {
        *("comparison.csv", "comparison.json", "comparison.md", "comparison.png"),
        *("config.yaml", "environment.json", "runs.csv", "systems"),
    }
