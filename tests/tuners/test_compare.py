"""A whole comparison of small nets: every kind of system, one that fails, one that is skipped; and what follows."""

import shutil
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import pytest

from kerastrash.data import prepare
from kerastrash.errors import ConfigError
from kerastrash.export.formats import open_runtime
from kerastrash.files import read_csv, read_json
from kerastrash.models import macs, parameters
from kerastrash.models.saved import open_model
from kerastrash.reports.comparison import Comparison, write_comparison
from kerastrash.scoring import score
from kerastrash.scoring.config import ClockConfig
from kerastrash.scoring.evaluate import evaluate
from tuners.compare import compare
from tuners.config import CompareConfig
from tuners.systems import read_systems

NET = {"net": "tiny.yaml", "input_size": 16}
DIVERGES = {"epochs": 40, "learning_rate": 99, "weight_decay": 0.9}
SYSTEMS = (
    {"name": "broken", **NET, "seeds": [0], "recipe": DIVERGES},
    {"name": "orphan", **NET, "seeds": [0], "distill": {"teachers": ["broken"]}},
    {"name": "student", **NET, "width": 0.5, "input_size": 24, "distill": {"teachers": ["base"], "views": 1}},
    {"name": "base", "team": 1, **NET, "recipe": {"epochs": 2}},
    {"name": "narrow", "seeds": [0], "prune": {"from": "base", "target": 0.6, "steps": 1}},
)


@pytest.fixture(scope="module")
def config(write_systems, tmp_path_factory) -> CompareConfig:
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    folder = tmp_path_factory.mktemp("comparison")
    path = write_systems(folder, *SYSTEMS, baseline="base", seeds=[0, 1])
    return CompareConfig(path, runs=folder / "runs", clock=ClockConfig(runtime="onnx", timed_images=3, blocks=2))


@pytest.fixture(scope="module")
def found(config, here) -> Comparison:
    return compare(config, here)


def row_of(found: Comparison, name: str):
    return next(row for row in found.rows if row["name"] == name)


def state(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_every_kind_is_made_and_the_failed_ones_are_shown_with_their_reasons(found):
    assert {row["name"]: (row["kind"], row["seeds"], row["status"]) for row in found.rows} == {
        "base": ("trained", 2, "finished"),
        "student": ("distilled", 2, "finished"),
        "narrow": ("pruned", 1, "finished"),
        "broken": ("trained", 0, "failed"),
        "orphan": ("distilled", 0, "skipped"),
    }
    assert "lower the learning rate" in row_of(found, "broken")["reason"]
    assert row_of(found, "orphan")["reason"].startswith("seed 0 skipped: broken, seed 0 failed: ")
    assert found.failed


def test_f1_is_that_of_the_exported_files_on_the_test_split(found, config):
    data = read_systems(config.systems).data
    for row in found.seed_rows:
        if row["status"] == "finished":
            file = Path(row["model"]).parent / "exports" / "best.onnx"
            net = open_runtime(file)
            dataset = prepare(data, net.input_size)
            assert row["test_f1"] == evaluate(net, dataset.split("test")).macro_f1
            assert row["val_f1"] == evaluate(open_model(row["model"]), dataset.split("val")).macro_f1


def test_scores_follow_from_the_formula_against_the_baseline_of_the_same_run(found):
    base = [row for row in found.seed_rows if row["system"] == "base"]
    assert base[0]["test_f1"] != base[1]["test_f1"]
    baseline_f1, baseline_ms = fmean(row["test_f1"] for row in base), base[0]["ms"]
    scored = [row for row in found.seed_rows if row["status"] == "finished"]
    assert len(scored) == 5
    for row in scored:
        assert row["score"] == pytest.approx(score(row["test_f1"], row["ms"], baseline_f1, baseline_ms))
    for row in found.rows:
        mine = [each for each in scored if each["system"] == row["name"]]
        if mine:
            assert row["score"] == pytest.approx(fmean(each["score"] for each in mine))
            assert row["relative_time"] == pytest.approx(row["ms"] / baseline_ms)
            assert (row["score_sd"] is None) == (len(mine) == 1)
        if len(mine) == 2:
            assert row["score_sd"] == pytest.approx(stdev(each["score"] for each in mine))
            assert row["test_f1_sd"] == pytest.approx(stdev(each["test_f1"] for each in mine))
            assert mine[0]["ms"] == mine[1]["ms"]  # one architecture, timed once
    scores = [row["score"] for row in found.rows]
    assert scores[:3] == sorted(scores[:3]) and scores[3:] == [None, None]


def test_the_costs_are_those_of_the_nets(found, config):
    base = next(system for system in read_systems(config.systems).systems if system.name == "base")
    assert row_of(found, "base")["parameters"] == parameters(base.settings.rows, 3)
    assert row_of(found, "base")["macs"] == macs(base.settings.rows, 16, 3)
    assert row_of(found, "narrow")["macs"] <= 0.6 * row_of(found, "base")["macs"]
    assert (row_of(found, "narrow")["input_size"], row_of(found, "student")["input_size"]) == (16, 24)


def test_everything_is_written_and_says_the_same(found):
    assert write_comparison(found) == [
        *("comparison.csv", "runs.csv", "comparison.json", "comparison.md", "comparison.png")
    ]
    rows = read_csv(found.folder / "comparison.csv")
    assert [row["name"] for row in rows] == [row["name"] for row in found.rows]
    assert float(rows[0]["score"]) == found.rows[0]["score"]
    assert len(read_csv(found.folder / "runs.csv")) == len(found.seed_rows) == 7
    report = read_json(found.folder / "comparison.json")
    assert report["reference"]["baseline_f1"] == pytest.approx(row_of(found, "base")["test_f1"])
    assert (report["timed_images"], report["splits"]["test"]) == (3, found.splits["test"])
    page = (found.folder / "comparison.md").read_text()
    for words in ("onnxruntime", "torch ", "| narrow |", "lower the learning rate", "{from: base", "3 images at batch"):
        assert words in page.replace("prune:\n    from: base", "{from: base")
    assert (found.folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_call_makes_nothing_again(found, config, here):
    finished = [Path(row["model"]).parent for row in found.seed_rows if row["status"] == "finished"]
    before = [state(folder) for folder in finished]
    again = compare(replace(config, only=("base", "student", "narrow")), here)
    assert [state(folder) for folder in finished] == before
    assert [row["test_f1"] for row in again.seed_rows] == [row["test_f1"] for row in found.seed_rows]
    assert row_of(again, "broken")["reason"] == row_of(found, "broken")["reason"]


def test_other_settings_of_a_system_that_was_run_are_refused(found, config, write_systems, here):
    before, text = state(found.folder / "systems"), config.systems.read_text()
    config.systems.write_text(text.replace("epochs: 2", "epochs: 3"))
    try:
        with pytest.raises(ConfigError, match=r"seed-0 was made with recipe.epochs=2, not 3: .* delete that"):
            compare(config, here)
    finally:
        config.systems.write_text(text)
    assert state(found.folder / "systems") == before


def test_a_model_whose_origin_was_made_anew_fails_until_it_is_made_anew_too(found, config, tmp_path, here):
    shutil.copytree(found.folder, tmp_path / found.folder.name)
    base = tmp_path / found.folder.name / "systems" / "base" / "seed-0"
    shutil.copyfile(base.parent / "seed-1" / "best.keras", base / "best.keras")
    again = compare(replace(config, runs=tmp_path, train_only=True, only=("base",)), here)
    status = {(row["system"], row["seed"]): row["status"] for row in again.seed_rows}
    assert (status["student", 0], status["student", 1], status["narrow", 0]) == ("failed", "finished", "failed")
    assert "delete " in row_of(again, "narrow")["reason"]


def test_training_alone_measures_nothing_and_without_the_baseline_there_is_no_score(
    write_systems, config, tmp_path, here
):
    systems = {"name": "a", **NET}, {"name": "b", **NET}, {"name": "c", "prune": {"from": "b"}}
    path = write_systems(tmp_path, *systems)
    config = replace(config, systems=path, runs=tmp_path / "runs", train_only=True, only=("a",))
    first = compare(config, here)
    assert [row["status"] for row in first.rows] == ["finished", "not run", "not run"]
    assert (first.rows[0]["score"], first.rows[0]["test_f1"], first.failed) == (None, None, False)
    model, data = open_model(first.seed_rows[0]["model"]), read_systems(path).data
    assert first.rows[0]["val_f1"] == evaluate(model, prepare(data, 16).split("val")).macro_f1
    before = state(first.folder / "systems")
    second = compare(replace(config, train_only=False), here)
    after = state(first.folder / "systems")
    assert before == {path: time for path, time in after.items() if path in before}
    assert second.rows[0]["score"] is not None
    assert second.reference.baseline_f1 == 0.7  # the published one, as no system is the baseline
    assert "mobilenetv3_79 at 156 px" in second.reference.time_source
    write_systems(tmp_path, *systems, baseline="b")  # which has no model yet
    found = compare(replace(config, train_only=False), here)
    assert (found.rows[0]["score"], found.reference) == (None, None)
    assert found.rows[0]["test_f1"] is not None and found.rows[0]["ms"] > 0
    write_comparison(found)
    assert "No scores: no model of the baseline b" in (found.folder / "comparison.md").read_text()
