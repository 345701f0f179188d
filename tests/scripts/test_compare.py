"""`scripts/compare.py` from the command line: the table, its files, and what a mistake looks like."""

import pytest

NET = "net: net.yaml, input_size: 16"
COMPARE = "compare systems.yaml --data images --timed-images 2 --blocks 1 --name mine"


def write(folder, *systems, fields=""):
    lines = ["recipe: {epochs: 1, batch_size: 8, n_select: 0, workers: 0}", fields, "systems:"]
    lines += [f"  - {{{system}}}" for system in systems]
    (folder / "systems.yaml").write_text("\n".join(lines))


@pytest.mark.usefixtures("net_onnx")
def test_a_comparison_ends_with_its_table_and_files_and_with_1_where_a_system_failed(script, done, here):
    diverges = "recipe: {epochs: 40, learning_rate: 99, weight_decay: 0.9}"
    write(here, f"name: theirs, team: 1, {NET}", f"name: broken, {NET}, {diverges}", fields="baseline: theirs")
    out, error = done(f"{COMPARE} --runtime onnx --only theirs --train-only")
    assert "theirs, seed 0: F1" in error and "1 of 1" in error
    assert "val)" in out and "Trained only" in out and "comparison.csv" not in out
    status, out, error = script(f"{COMPARE} --runtime onnx")
    assert status == 1, error
    assert "theirs, seed 0" not in error  # which is not trained again
    assert "broken: seed 0 failed: " in out and "lower the learning rate" in out.replace("\n", " ")
    assert "measured here: theirs at 16 px" in out.replace("\n", " ") and "comparison.csv" in out
    written = {path.name for path in (here / "runs" / "mine").iterdir() if not path.name.startswith(".")}
    assert written == {
        *("comparison.csv", "comparison.json", "comparison.md", "comparison.png"),
        *("config.yaml", "environment.json", "runs.csv", "systems"),
    }


@pytest.mark.parametrize(
    ("system", "options", "words"),
    [
        ("name: a", "", "systems.yaml, system a: give exactly one of net, weights and prune"),
        (f"name: a, {NET}", "--only b", "only='b' is no system; the systems are a"),
        (f"name: a, {NET}", "--blocks 0", "blocks=0 must be at least 1"),
        (f"name: a, {NET}", "--data absent", "absent: no such file or folder"),
    ],
)
def test_a_mistake_is_a_sentence_and_trains_nothing(refused, here, system, options, words):
    write(here, system)
    assert words in refused(f"{COMPARE} {options}")
    assert not [*here.rglob("result.json")]
