"""A trial of a search: its figures, and what the time of its net depends on."""

import dataclasses

import keras
import pytest

from kerastrash.data import Dataset, prepare
from kerastrash.export.format import Format
from kerastrash.files import read_csv, read_json, write_json
from kerastrash.jobs import LOG
from kerastrash.models import macs, parameters
from kerastrash.models.layers import Conv, Pool
from kerastrash.scoring import score
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.training.recipe import Recipe
from tuners.config import rows_of
from tuners.trial import Latency, TrialSettings, architecture_key, latency_of

ROWS = (Conv(8, kernel=3, stride=2), Pool())


@pytest.fixture
def settings(config, tmp_path) -> TrialSettings:
    recipe = Recipe(epochs=2, batch_size=8, n_select=0)
    return TrialSettings(ROWS, recipe, 16, 2, config.data, resolve_runtime(config.clock), tmp_path / "latency")


@pytest.fixture
def dataset(settings) -> Dataset:
    return prepare(settings.data, 16)


def test_a_trial_gives_its_figures(finished):
    tuned, config = finished
    dataset, rows, folder = prepare(config.data, 16), rows_of(tuned.best.values), tuned.best.folder
    value, history = tuned.best.result.value, read_csv(folder / "metrics.csv")
    assert value["epochs"] == len(history) == tuned.best.rung.epochs
    f1s = [float(row["val_macro_f1"]) for row in history]
    assert (value["f1"], value["best_epoch"]) == (max(f1s), 1 + f1s.index(max(f1s)))
    assert (value["parameters"], value["macs"]) == (parameters(rows, 3), macs(rows, 16, 3))
    key, images = architecture_key(rows, "float32", dataset, resolve_runtime(config.clock)), len(dataset.split("test"))
    times = Latency(**read_json(config.runs / "latency" / f"{key}.json"))
    assert value["time_ms"] == times.median_ms > 0
    assert value["time_s"] == pytest.approx(times.median_ms * images / 1000)
    assert value["baseline_time_s"] == pytest.approx(times.baseline_ms * images / 1000)
    assert value["score"] == pytest.approx(score(value["f1"], times.median_ms, 0.7, times.baseline_ms))
    assert "Fatal Python error" not in (folder / LOG).read_text()


def test_the_key_of_a_time_holds_all_that_it_depends_on(settings, dataset, monkeypatch, tmp_path):
    (net := tmp_path / "baseline.keras").write_bytes(b"one")
    clock = dataclasses.replace(settings.clock, baseline_net=str(net))

    def key(rows=ROWS, dtype_policy="float32", data=dataset, clock=clock):
        return architecture_key(rows, dtype_policy, data, clock)

    keys = [
        key(),
        key(rows=(Conv(16, kernel=3, stride=2), Pool())),
        key(dtype_policy="mixed_bfloat16"),
        key(data=dataclasses.replace(dataset, classes=(*dataset.classes, "Glass"))),
        key(clock=dataclasses.replace(clock, threads=2)),
    ]
    assert key() == keys[0]
    net.write_bytes(b"two")
    keys.append(key())
    monkeypatch.setattr(Format, "versions", lambda self: {self.name: "99"})
    keys.append(key())
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float32"])
def test_the_baseline_is_timed_in_the_dtype_policy_of_the_net(settings, dataset, tmp_path, policy):
    clock = dataclasses.replace(settings.clock, runtime="keras")
    recipe = dataclasses.replace(settings.recipe, dtype_policy=policy)
    timed = dataclasses.replace(settings, clock=clock, recipe=recipe)
    keras.config.set_dtype_policy("mixed_bfloat16")  # as a training in this process leaves it
    try:
        times = latency_of(timed, dataset)
    finally:
        keras.config.set_dtype_policy("float32")
    assert ("px, mixed_bfloat16, keras-" in times.measured_as) is (policy == "mixed_bfloat16")
    assert times.median_ms > 0 and times.baseline_ms > 0


def test_a_time_that_was_stored_is_used(settings, dataset, tmp_path):
    stored = Latency(1.0, 2.0, 0.7, "published", "there")
    key = architecture_key(ROWS, "float32", dataset, settings.clock)
    write_json(settings.latency_folder / f"{key}.json", dataclasses.asdict(stored))
    assert latency_of(settings, dataset) == stored
