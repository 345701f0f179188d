"""A saved model is scored from end to end on a small folder of images, in a runtime that is there."""

import json
import sys
from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

from kerastrash.backends import device_description
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.format import Description
from kerastrash.export.formats import open_runtime, write_sidecar
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy
from kerastrash.models.saved import open_model, save_model
from kerastrash.reports.scoring import score_tables
from kerastrash.runs import processor_name
from kerastrash.scoring import PUBLISHED_REFERENCE, score
from kerastrash.scoring.baseline import TimedFile, dtype_policy_of, measure_beside_baseline, resolve_runtime
from kerastrash.scoring.config import ClockConfig, ScoreConfig
from kerastrash.scoring.report import ScoreReport, score_model

SIZE, IMAGES = 32, 10
CLASSES = ("blue", "green", "red")


@pytest.fixture(scope="module")
def config(net) -> ScoreConfig:
    """Thirty images of three colours, and an untrained net that tells them apart by chance."""
    if keras.backend.backend() != "torch":
        pytest.skip("other backends take their threads before they start: tests/scripts/test_models.py runs them")
    data = DataConfig(data=str(net.with_name("images")), cache=net.with_name("cache"))
    return ScoreConfig(net, data=data, clock=ClockConfig(runtime="keras", blocks=2, baseline_size=40))


def clocked(config, **values) -> ScoreConfig:
    """The settings with others of its clock."""
    return replace(config, clock=replace(config.clock, **values))


@pytest.fixture(scope="module")
def report(config) -> ScoreReport:
    return score_model(config)


def test_the_report_describes_the_model_and_the_data(report):
    assert report.classes == CLASSES
    assert (report.input_size, report.split, report.runtime, report.threads) == (SIZE, "test", "keras-torch", 1)
    assert report.images == report.evaluation.confusion.sum() == 3 * IMAGES * 0.2
    assert report.device


def test_both_clocks_score_against_the_baseline_measured_beside_the_model(report):
    assert [clock.clock for clock in report.clocks] == ["inference", "total"]
    for clock in report.clocks:
        assert clock.model.images == clock.baseline.images == report.images
        assert clock.seconds == clock.model.seconds(report.images)
        assert clock.reference.baseline_time == clock.baseline_seconds == clock.baseline.seconds(report.images)
        assert clock.reference.time_source.startswith("measured here: mobilenetv3_79 at 40 px, keras-torch, ")
        assert clock.reference.time_source.endswith(", 1 thread")
        assert clock.score == score(report.evaluation.macro_f1, clock.seconds, 0.7, clock.baseline_seconds)
        opened = clock.clock == "total"
        assert (clock.model.load_s > 0, clock.baseline.load_s > 0) == (opened, opened)
    assert report.score == report.clocks[0].score


def test_published_constants_are_taken_and_a_given_f1_is_marked_as_given(config):
    clock = score_model(clocked(config, reference="published", timed_images=2)).clocks[0]
    assert (clock.reference, clock.model.images) == (PUBLISHED_REFERENCE, 2)
    reference = score_model(clocked(config, baseline_f1=0.5, timed_images=2)).clocks[0].reference
    assert (reference.baseline_f1, reference.f1_source) == (0.5, "given")


def test_the_f1_of_a_trained_baseline_is_measured_on_the_same_part(config, report):
    clock = score_model(clocked(config, baseline_net=str(config.model), timed_images=2)).clocks[0]
    assert clock.reference.f1_source == "measured here"
    assert clock.reference.baseline_f1 == report.evaluation.macro_f1
    assert clock.score == pytest.approx(0.5 * clock.seconds / clock.baseline_seconds + 0.5)


def test_onnx_runtime_gives_the_same_predictions_also_of_an_exported_file(config, report, nets, drawn):
    written = score_model(clocked(config, runtime="onnx", timed_images=2))
    exported = replace(config, model=nets / "net.onnx")
    found = score_model(clocked(exported, runtime="auto", timed_images=2))
    for each in (written, found):
        np.testing.assert_array_equal(each.evaluation.predicted, report.evaluation.predicted)
        assert each.runtime == "onnxruntime"
        assert all("onnxruntime" in clock.reference.time_source for clock in each.clocks)
    assert (found.input_size, found.parameters) == (SIZE, None)
    assert ": - parameters" in drawn(*score_tables(found))
    with pytest.raises(ConfigError, match=r"net\.onnx: is run by ONNX Runtime, not by runtime='keras'"):
        score_model(exported)


@pytest.mark.parametrize("runtime", ["keras", "onnx"])
def test_a_model_file_that_is_another_than_its_sidecar_was_written_with_is_refused(config, tmp_path, runtime):
    path = tmp_path / "net.keras"
    save_model(open_model(config.model), path, CLASSES)
    write_sidecar(Description(CLASSES), path)
    save_model(open_model(config.model), path)
    with pytest.raises(ModelError, match=r"net\.keras: was damaged or replaced"):
        score_model(clocked(replace(config, model=path), runtime=runtime))


def test_a_model_or_trained_baseline_for_other_classes_is_refused(config, tmp_path):
    path = tmp_path / "other.keras"
    save_model(open_model(config.model), path, ("red", "green", "blue"))
    with pytest.raises(ModelError, match=r"other\.keras: knows red, green, blue, but .* has 3 classes \(blue, green"):
        score_model(replace(config, model=path))
    build_model("mobilenetv3_79", SIZE, classes=6, width=0.25).save(path)
    with pytest.raises(ModelError, match=r"other\.keras: gives 6 outputs, but .* has 3 classes \(blue, green, red\)"):
        score_model(replace(config, model=path))
    with pytest.raises(ModelError, match=r"other\.keras: gives 6 outputs, the data has 3 classes"):
        score_model(clocked(config, baseline_net=str(path)))


def test_the_settings_of_a_report_are_json_with_every_figure(report):
    values = json.loads(json.dumps(report.settings(), allow_nan=False))
    assert values["score"] == report.score
    assert list(values["class_f1"]) == list(CLASSES)
    assert values["clocks"]["total"]["reference"]["time_source"].startswith("measured here")
    assert values["clocks"]["inference"]["model"] == asdict(report.clocks[0].model)


def test_the_tables_show_the_score_its_reference_and_the_published_rows_as_not_comparable(report, drawn):
    text = drawn(*score_tables(report))
    assert f"{report.score:.4f}" in text and f"{report.evaluation.macro_f1:.4f}" in text
    assert str(report.clocks[0].reference) in text and str(report.clocks[1].reference) in text
    assert "1.1676" in text and "not comparable" in text and "V100" in text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        *(({name: 0}, f"^{name}=") for name in ("threads", "blocks", "timed_images")),
        ({"baseline_f1": 1.5}, "^baseline_f1="),
        ({"reference": "published", "baseline_f1": 0.5}, "contradicts reference='published'"),
    ],
)
def test_a_setting_out_of_range_is_named(values, told):
    with pytest.raises(ConfigError, match=told):
        ClockConfig(**values)


def test_a_float16_model_is_timed_beside_the_baseline_in_the_same_policy(config, tmp_path):
    net = in_policy(open_model(config.model), "mixed_float16")
    save_model(net, tmp_path / "half.keras", CLASSES)
    found = score_model(clocked(replace(config, model=tmp_path / "half.keras"), timed_images=2))
    assert found.dtype_policy == "mixed_float16"
    assert all("at 40 px, mixed_float16, keras-torch" in clock.reference.time_source for clock in found.clocks)
    assert found.settings()["dtype_policy"] == "mixed_float16"


@pytest.mark.parametrize("policy", ["mixed_float16", "float32"])
@pytest.mark.parametrize("trained", [False, True])
def test_the_baseline_has_the_runtime_and_the_policy_of_the_net_beside_it(config, tmp_path, policy, trained):
    net = str(config.model) if trained else "mobilenetv3_79"
    clock = replace(config.clock, timed_images=2, baseline_net=net)
    timed = TimedFile(config.model, open_runtime(config.model), policy)
    part = prepare(config.data, SIZE).split("test")
    beside = measure_beside_baseline(timed, part, clock, config.data, "test", tmp_path)
    assert dtype_policy_of(open_model(tmp_path / "baseline.keras")) == policy
    assert list(beside.times) == ["inference"]
    assert {name: timing.images for name, timing in beside.times["inference"].items()} == {"model": 2, "baseline": 2}
    images = open_model(tmp_path / "baseline.keras").input_shape[1]
    assert images == (SIZE if trained else 40)


@pytest.fixture
def on_a_processor() -> None:
    """Skips where Keras computes on an accelerator, for which the answer is Keras."""
    if device_description() != processor_name():
        pytest.skip("Keras computes on an accelerator")


@pytest.mark.usefixtures("on_a_processor", "nets")
def test_auto_is_onnx_runtime_on_a_processor(capsys):
    assert resolve_runtime(ClockConfig(threads=2, blocks=3)) == ClockConfig(runtime="onnx", threads=2, blocks=3)
    assert capsys.readouterr().err == "nets are timed in ONNX Runtime\n"


@pytest.mark.usefixtures("on_a_processor")
@pytest.mark.parametrize("package", ["onnxruntime", "onnx"])
def test_auto_is_keras_with_a_sentence_where_onnx_runtime_is_not_installed(monkeypatch, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)  # the interpreter's own mark for "cannot be imported"
    assert resolve_runtime(ClockConfig()).runtime == "keras"
    assert 'pip install "kerastrash[onnx]"' in capsys.readouterr().err.replace("\n", "")


def test_a_runtime_that_was_named_stays_in_silence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    config = ClockConfig(runtime="onnx")
    assert resolve_runtime(config) is config
    assert capsys.readouterr().err == ""
