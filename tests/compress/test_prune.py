"""A pruned net: within its target, fine-tuned, described, reported as it is, and continued after a kill."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from kerastrash.commands.settings import PruneConfig
from kerastrash.compress.config import PruneSettings
from kerastrash.compress.costs import model_macs, model_parameters
from kerastrash.compress.cuts import widths
from kerastrash.compress.prune import PruneReport, prune
from kerastrash.data import prepare
from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.format import Description
from kerastrash.files import read_csv
from kerastrash.models import Conv, Pool, build_model
from kerastrash.models.saved import open_model, read_description, save_model
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.recipe import Recipe

for package in ("onnx", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed")
if keras.backend.backend() != "torch":
    pytest.skip("the ONNX files that are timed are written on the torch backend", allow_module_level=True)

CLASSES, SIZE = ("checks", "dots", "stripes"), 32
RECIPE = Recipe(epochs=5, learning_rate=0.02, batch_size=16, n_select=0, workers=0, feeding="disk")
SETTINGS = PruneSettings(target=0.5, steps=2, multiple=4)


@pytest.fixture(scope="module")
def pruned(trained, data, tmp_path_factory) -> tuple[Path, PruneReport]:
    folder = tmp_path_factory.mktemp("pruned")
    return folder, prune(trained, data, RECIPE, SETTINGS, folder)


def test_the_net_is_within_its_target_and_its_widths_are_multiples(pruned, trained):
    folder, report = pruned
    net, before = open_model(report.model), open_model(trained)
    assert report.model == folder / "best.keras"
    assert 0.3 * model_macs(before) < model_macs(net) <= 0.5 * model_macs(before)
    assert all(width % 4 == 0 for name, width in widths(net).items() if name != "logits")
    assert Description.from_json(read_description(report.model), "").classes == CLASSES


def test_the_report_has_the_figures_of_both_nets(pruned, trained, data):
    folder, report = pruned
    written, dataset = json.loads((folder / "prune.json").read_text()), prepare(data, SIZE)
    for name, path in (("before", trained), ("after", report.model)):
        net, figures = open_model(path), written[name]
        assert figures["macs"] == model_macs(net)
        assert figures["parameters"] == model_parameters(net)
        assert figures["val_f1"] == evaluate(net, dataset.split("val")).macro_f1
        assert figures["test_f1"] == evaluate(net, dataset.split("test")).macro_f1
        assert 0 < figures["median_ms"] <= figures["p90_ms"]
    after = widths(open_model(report.model))
    assert written["widths"] == {name: [width, after[name]] for name, width in widths(open_model(trained)).items()}
    assert (written["settings"]["target"], written["classes"]) == (0.5, list(CLASSES))


def test_rounds_share_the_way_and_the_epochs(pruned, trained):
    folder, report = pruned
    first, second = report.rounds
    whole = model_macs(open_model(trained))
    assert 0.5 * whole < first.macs <= 0.5**0.5 * whole
    assert second.macs == report.after.macs < first.macs
    assert [len(read_csv(folder / f"step-{step:02d}" / "metrics.csv")) for step in (1, 2)] == [2, 3]
    assert (first.epochs, second.epochs) == (2, 3)


def test_fine_tuning_begins_with_the_kept_weights(pruned, data):
    part = prepare(data, SIZE).split("val")
    folder, report = pruned
    assert evaluate(open_model(folder / "step-01" / "narrowed.keras"), part).macro_f1 > 0.4  # chance: a third
    assert report.after.val_f1 > 0.6


def test_a_killed_run_goes_on_with_the_channels_it_had_chosen(pruned, trained, data, tmp_path):
    whole, report = pruned
    folder = tmp_path / "killed"
    shutil.copytree(whole, folder)
    for name in ("best.keras", "prune.json", "step-02/best.keras", "step-02/metrics.csv", "step-02/last.weights.h5"):
        (folder / name).unlink()
    early = [*folder.glob("step-01/*"), folder / "step-02" / "narrowed.keras"]
    stamps = [path.stat().st_mtime_ns for path in early]
    again = prune(trained, data, RECIPE, SETTINGS, folder)
    assert [path.stat().st_mtime_ns for path in early] == stamps
    assert again.rounds == report.rounds
    for found, expected in zip(
        open_model(again.model).get_weights(), open_model(report.model).get_weights(), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_share_of_the_parameters(trained, data, tmp_path):
    settings = PruneSettings(target=0.7, measure="parameters", steps=1, criterion="l2")
    report = prune(trained, data, replace(RECIPE, epochs=1), settings, tmp_path)
    assert report.after.parameters <= 0.7 * report.before.parameters


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    """A net whose time is nearly all in its wide convolution."""
    path = tmp_path_factory.mktemp("wide") / "wide.keras"
    save_model(build_model((Conv(64, kernel=3), Conv(128, kernel=3), Pool()), SIZE, classes=3), path, CLASSES)
    return path


def test_a_share_of_the_time_is_measured(wide, data, tmp_path):
    settings = PruneSettings(target=0.6, measure="milliseconds", steps=1)
    report = prune(wide, data, replace(RECIPE, epochs=1), settings, tmp_path)
    assert sum(after for _, after in report.widths.values()) < sum(before for before, _ in report.widths.values())


def assert_nothing_is_trained(folder: Path) -> None:
    assert not list(folder.rglob("*.keras")) and not (folder / "prune.json").exists()


@pytest.mark.parametrize("measure", ["macs", "parameters"])
def test_a_target_that_cannot_be_reached_names_the_least_that_can(trained, data, tmp_path, measure):
    settings = PruneSettings(target=0.05, measure=measure)
    with pytest.raises(ModelError, match=rf"at its narrowest it has [\d,]+ of [\d,]+ {measure}, a share of 0\.\d+"):
        prune(trained, data, RECIPE, settings, tmp_path)
    assert_nothing_is_trained(tmp_path)


def test_a_time_that_cannot_be_reached_and_one_that_is_reached_already(trained, data, tmp_path):
    with pytest.raises(ModelError, match=r"takes 0\.\d+ of 0\.\d+ ms.* cannot be reached"):
        prune(trained, data, RECIPE, PruneSettings(milliseconds=1e-6), tmp_path)
    with pytest.raises(ConfigError, match=r"milliseconds=1e\+06 .* takes already"):
        prune(trained, data, RECIPE, PruneSettings(milliseconds=1e6), tmp_path)
    assert_nothing_is_trained(tmp_path)


def test_a_model_of_other_classes_is_refused(trained, data, tmp_path):
    save_model(open_model(trained), tmp_path / "net.keras", ("dots", "checks", "stripes"))
    with pytest.raises(ModelError, match=r"net\.keras: knows dots, checks, stripes"):
        prune(tmp_path / "net.keras", data, RECIPE, SETTINGS, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_began_with_another_model_is_not_continued(trained, wide, data, tmp_path):
    shutil.copyfile(trained, tmp_path / "net.keras")
    one_round = replace(SETTINGS, steps=1)
    prune(tmp_path / "net.keras", data, replace(RECIPE, epochs=1), one_round, tmp_path / "run")
    shutil.copyfile(wide, tmp_path / "net.keras")
    with pytest.raises(ConfigError, match="began with another model"):
        prune(tmp_path / "net.keras", data, replace(RECIPE, epochs=1), one_round, tmp_path / "run")


def test_fewer_epochs_than_rounds_are_refused(trained, data, tmp_path):
    with pytest.raises(ConfigError, match="epochs=1 must be at least steps=2"):
        prune(trained, data, replace(RECIPE, epochs=1), SETTINGS, tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"target": 1.0}, {"target": 0.0}, {"milliseconds": 0.0}, {"steps": 0}, {"multiple": 0}]
)
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PruneSettings(**wrong)


def test_the_command_line_fine_tunes_gently_and_names_its_folder():
    config = PruneConfig(model=Path("runs/train-resnet18d/best.keras"))
    assert config.usual_name == "prune-train-resnet18d"
    assert config.recipe.learning_rate < Recipe().learning_rate / 2
    assert config.recipe.epochs < Recipe().epochs / 2
