"""A pruned net: within its target, fine-tuned, described, reported as it is, and continued after a kill."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from kerastrash.commands.settings import PruneConfig
from kerastrash.compress.config import PruneSettings, QuantiseSettings
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
def pruned(trained, data, tmp_path_factory) -> PruneReport:
    return prune(trained, data, RECIPE, SETTINGS, tmp_path_factory.mktemp("pruned"))


def test_the_net_is_within_its_target_and_the_report_has_the_figures_of_both_nets(pruned, trained, data):
    folder, dataset = pruned.model.parent, prepare(data, SIZE)
    assert pruned.model == folder / "best.keras"
    written = json.loads((folder / "prune.json").read_text())
    for name, path in (("before", trained), ("after", pruned.model)):
        net, figures = open_model(path), written[name]
        assert figures["macs"] == model_macs(net)
        assert figures["parameters"] == model_parameters(net)
        assert figures["val_f1"] == evaluate(net, dataset.split("val")).macro_f1
        assert figures["test_f1"] == evaluate(net, dataset.split("test")).macro_f1
        assert 0 < figures["median_ms"] <= figures["p90_ms"]
    assert 0.3 * pruned.before.macs < pruned.after.macs <= 0.5 * pruned.before.macs
    after = widths(open_model(pruned.model))
    assert all(width % 4 == 0 for name, width in after.items() if name != "logits")
    assert written["widths"] == {name: [width, after[name]] for name, width in widths(open_model(trained)).items()}
    assert (written["settings"]["target"], written["classes"]) == (0.5, list(CLASSES))
    assert Description.from_json(read_description(pruned.model), "").classes == CLASSES


def test_rounds_share_the_way_and_the_epochs_and_begin_with_the_kept_weights(pruned, data):
    first, second = pruned.rounds
    assert 0.5 * pruned.before.macs < first.macs <= 0.5**0.5 * pruned.before.macs
    assert second.macs == pruned.after.macs < first.macs
    folders = [pruned.model.parent / f"step-{step:02d}" for step in (1, 2)]
    assert [len(read_csv(folder / "metrics.csv")) for folder in folders] == [2, 3]
    assert (first.epochs, second.epochs) == (2, 3)
    narrowed = open_model(folders[0] / "narrowed.keras")
    assert evaluate(narrowed, prepare(data, SIZE).split("val")).macro_f1 > 0.4  # chance: a third
    assert pruned.after.val_f1 > 0.6


def test_a_killed_run_goes_on_with_the_channels_it_had_chosen(pruned, trained, data, tmp_path):
    folder = shutil.copytree(pruned.model.parent, tmp_path / "killed")
    for name in ("best.keras", "prune.json", "step-02/best.keras", "step-02/metrics.csv", "step-02/last.weights.h5"):
        (folder / name).unlink()
    early = [*folder.glob("step-01/*"), folder / "step-02" / "narrowed.keras"]
    stamps = [path.stat().st_mtime_ns for path in early]
    again = prune(trained, data, RECIPE, SETTINGS, folder)
    assert [path.stat().st_mtime_ns for path in early] == stamps
    assert again.rounds == pruned.rounds
    weights = (open_model(report.model).get_weights() for report in (again, pruned))
    for found, expected in zip(*weights, strict=True):
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


@pytest.mark.parametrize(
    ("kind", "sentence", "settings"),
    [
        (ModelError, r"at its narrowest it has [\d,]+ of [\d,]+ macs, a share of 0\.\d+", {"target": 0.05}),
        (ModelError, r"of [\d,]+ parameters, a share of 0\.\d+", {"target": 0.05, "measure": "parameters"}),
        (ModelError, r"takes 0\.\d+ of 0\.\d+ ms.* cannot be reached", {"milliseconds": 1e-6}),
        (ConfigError, r"milliseconds=1e\+06 .* takes already", {"milliseconds": 1e6}),
        (ConfigError, r"epochs=5 must be at least steps=6", {"steps": 6}),
    ],
)
def test_a_target_that_cannot_be_reached_or_is_reached_already_trains_nothing(
    trained, data, tmp_path, kind, sentence, settings
):
    with pytest.raises(kind, match=sentence):
        prune(trained, data, RECIPE, PruneSettings(**settings), tmp_path)
    assert not list(tmp_path.rglob("*.keras")) and not (tmp_path / "prune.json").exists()


def test_a_model_of_other_classes_is_refused(trained, data, tmp_path):
    save_model(open_model(trained), tmp_path / "net.keras", ("dots", "checks", "stripes"))
    with pytest.raises(ModelError, match=r"net\.keras: knows dots, checks, stripes"):
        prune(tmp_path / "net.keras", data, RECIPE, SETTINGS, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_began_with_another_model_is_not_continued(pruned, wide, data, tmp_path):
    begun = json.loads((pruned.model.parent / "source.json").read_text())
    (tmp_path / "source.json").write_text(json.dumps({**begun, "model": str(wide)}))  # the same path, as it was then
    with pytest.raises(ConfigError, match="began with another model"):
        prune(wide, data, RECIPE, SETTINGS, tmp_path)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        *((PruneSettings, "target", value) for value in (0.0, 1.0)),
        *((PruneSettings, name, 0) for name in ("milliseconds", "steps", "multiple")),
        *((QuantiseSettings, "max_loss", value) for value in (1.5, -0.1)),
        (QuantiseSettings, "calibration_images", 0),
        (QuantiseSettings, "calibration_seed", -1),
    ],
)
def test_settings_out_of_range_are_named(kind, name, value):
    with pytest.raises(ConfigError, match=name):
        kind(**{name: value})


def test_the_command_line_fine_tunes_gently():
    config = PruneConfig(model=Path("best.keras"))
    assert config.recipe.learning_rate < Recipe().learning_rate / 2
    assert config.recipe.epochs < Recipe().epochs / 2
