"""A benchmark of small files, each in a process of its own: every row beside its baseline, or with its reason."""

import os
import shutil
import signal
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kerastrash.console import say_once
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError, KerastrashError
from kerastrash.export.formats import open_runtime
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy
from kerastrash.models.saved import open_model, save_model
from kerastrash.reports.scoring import benchmark_tables
from kerastrash.runs import processor_name
from kerastrash.scoring import score
from kerastrash.scoring.baseline import baseline_of, dtype_policy_of, open_baselines
from kerastrash.scoring.benchmark import Benchmark, benchmark_columns, run_benchmark
from kerastrash.scoring.candidates import Candidate
from kerastrash.scoring.clocks import Timing, seconds_in_turns
from kerastrash.scoring.config import BenchmarkConfig, TimingConfig
from kerastrash.scoring.evaluate import evaluate
from kerastrash.scoring.preparing import candidates_of


@pytest.fixture(scope="module")
def config(nets) -> BenchmarkConfig:
    return BenchmarkConfig(
        models=(nets / "net.keras", nets / "bad.onnx", nets / "absent.tflite"),
        formats=("keras", "onnx"),
        batches=(1, 4),
        data=DataConfig(data=str(nets / "images"), cache=nets / "cache"),
        timing=TimingConfig(baseline_size=40, timed_images=3, blocks=2),
    )


@pytest.fixture(scope="module")
def found(config) -> Benchmark:
    return run_benchmark(config)


def test_a_keras_file_is_a_row_in_every_format_and_others_are_rows_as_they_are(found):
    assert [(Path(row.model).name, row.format, row.runtime) for row in found.rows] == [
        ("net.keras", "keras", "keras-torch"),
        ("net.keras", "onnx", "onnxruntime"),
        ("bad.onnx", "onnx", ""),
        ("absent.tflite", "litert", ""),
    ]


def test_a_row_that_went_well_has_every_figure_and_a_score_beside_its_runtime_s_baseline(found, nets, config):
    expected = evaluate(open_runtime(nets / "net.keras"), prepare(config.data, 32).split("test")).macro_f1
    for row in found.rows[:2]:
        for batch, timing in row.timings.items():
            assert 0 < timing.median_ms <= timing.p90_ms <= timing.p99_ms
            assert timing.images_per_second == pytest.approx(1000 * batch / timing.median_ms)
        assert list(row.timings) == [1, 4]
        assert row.timings[1].images == 3
        assert 0 < row.start_mb < row.peak_mb
        assert (row.input_size, row.threads, row.weights, row.reason) == (32, 1, "float32", "")
        assert (row.macro_f1, row.baseline_runtime) == (expected, row.runtime)
        assert row.score == score(row.macro_f1, row.timings[1].median_ms, 0.7, row.baseline_ms)
        assert set(row.settings()) == set(benchmark_columns((1, 4)))
    assert found.rows[0].file_mb == (nets / "net.keras").stat().st_size / 1e6
    assert found.rows[0].baseline_ms != found.rows[1].baseline_ms
    assert (found.images, found.timed_images, found.turns) == (6, 3, 2)
    assert found.baseline == "mobilenetv3_79 at 40 px, F1 0.7000 (published)"


def test_a_row_that_failed_says_why_and_has_no_figures(found):
    bad, absent = found.rows[2:]
    assert "bad.onnx: ONNX Runtime cannot open it" in bad.reason
    assert "absent.tflite" in absent.reason
    for row in (bad, absent):
        assert not row.timings
        assert (row.macro_f1, row.baseline_ms, row.score, row.peak_mb) == (None,) * 4
        assert set(row.settings()) <= set(benchmark_columns((1, 4)))


@pytest.fixture(scope="module")
def policies(config) -> Benchmark:
    """A file in two dtype policies, of which the first is its own."""
    models = (config.models[0],)
    return run_benchmark(replace(config, models=models, formats=None, policies=("float32", "mixed_float16")))


def test_a_keras_file_is_timed_in_every_dtype_policy_beside_the_baseline_in_it(policies, nets):
    exact, half = policies.rows
    assert [row.dtype_policy for row in policies.rows] == ["float32", "mixed_float16"]
    assert [row.model for row in policies.rows] == [str(nets / "net.keras")] * 2
    for row in policies.rows:
        assert row.score == score(row.macro_f1, row.timings[1].median_ms, 0.7, row.baseline_ms)
        assert (row.baseline_runtime, row.reason) == ("keras-torch", "")
    assert exact.baseline_ms != half.baseline_ms


def test_a_sentence_says_which_dtype_policy_is_faster_at_each_batch_and_by_how_much(policies, table):
    def timed(row, *milliseconds: float):
        times = zip(row.timings.items(), milliseconds, strict=True)
        return replace(row, timings={batch: replace(timing, median_ms=ms) for (batch, timing), ms in times})

    exact, half = timed(policies.rows[0], 3.0, 4.0), timed(policies.rows[1], 2.0, 5.0)
    shown = table(replace(policies, rows=(exact, half)))
    told = "1 thread): at batch 1 mixed_float16 is 1.50 times as fast as float32; at batch 4 float32 is 1.25 times as"
    assert told in shown and "keras-torch, mixed_float16" in shown
    shown = table(replace(policies, rows=tuple(replace(row, device="NVIDIA Test") for row in (exact, half))))
    assert "NVIDIA Test, 1 thread): at batch 1 mixed_float16 is 1.50 times as fast as TF32" in shown
    assert "as fast as" not in table(replace(policies, rows=(exact, timed(exact, 9.0, 9.0))))


def test_on_an_accelerator_a_keras_file_is_timed_in_float32_and_16_bits_beside_its_own_policy(config, nets, tmp_path):
    save_model(in_policy(open_model(nets / "net.keras"), "mixed_bfloat16"), tmp_path / "half.keras")
    models = (tmp_path / "half.keras", nets / "net.keras", nets / "net.onnx")
    config = replace(config, models=models, formats=None)
    found = [(each.model.name, each.dtype_policy) for each in candidates_of(config, tmp_path, "NVIDIA Test")]
    own = [("half.keras", "mixed_bfloat16"), ("net.keras", "float32"), ("net.onnx", "float32")]
    more = [("half.keras", "float32"), ("half.keras", "mixed_float16"), ("net.keras", "mixed_float16")]
    assert found == [own[0], *more[:2], own[1], more[2], own[2]]
    files = candidates_of(config, tmp_path)
    assert [(each.model.name, each.dtype_policy) for each in files] == own
    assert [each.path for each in files] == list(models)


def test_a_file_written_in_another_policy_keeps_the_names_of_its_classes(config, nets, tmp_path):
    config = replace(config, models=(nets / "net.keras",), formats=None, policies=("mixed_float16",))
    (file,) = candidates_of(config, tmp_path)
    assert dtype_policy_of(open_model(file.path)) == "mixed_float16"
    assert open_runtime(file.path).description.classes == ("blue", "green", "red")


@pytest.fixture
def table(drawn):
    """What the terminal shows of a benchmark, in one line."""
    return lambda found: " ".join(drawn(*benchmark_tables(found)).split())


def test_the_table_has_every_row_its_failures_and_a_mark_at_a_baseline_of_another_runtime(found, table):
    shown = table(found)
    for row in found.rows[:2]:
        assert f"{row.score:.4f}" in shown and f"{row.timings[4].images_per_second:.1f}" in shown
    for words in ("images/s", "at 4", "failed:", "bad.onnx: ONNX Runtime cannot open it", "mobilenetv3_79 at 40 px"):
        assert words in shown
    assert "*" not in shown
    row = replace(found.rows[0], baseline_runtime="onnxruntime", baseline_ms=12.344)
    marked = table(replace(found, rows=(row,)))
    assert "12.34*" in marked and "*: in ONNX Runtime" in marked


def test_what_was_left_out_of_the_data_is_said(found, config, nets, tmp_path, table):
    assert found.left_out == ""
    shutil.copytree(nets / "images", tmp_path / "images")
    (tmp_path / "images" / "red" / "damaged.png").write_bytes(b"no image")
    data = DataConfig(data=str(tmp_path / "images"), cache=tmp_path / "cache")
    damaged = run_benchmark(replace(config, models=(nets / "net.onnx",), data=data))
    assert damaged.left_out.startswith("1 x ") and damaged.left_out in table(damaged)


def test_no_file_that_opens_is_a_benchmark_of_reasons(config, nets):
    found = run_benchmark(replace(config, models=(nets / "bad.onnx",)))
    assert [bool(row.reason) for row in found.rows] == [True]


def test_a_net_for_other_classes_is_a_row_that_failed(config, tmp_path):
    build_model("mobilenetv3_79", 32, classes=4, width=0.25).save(tmp_path / "four.keras")
    found = run_benchmark(replace(config, models=(tmp_path / "four.keras",), formats=None))
    assert "four.keras: gives 4 outputs, but images has 3 classes" in found.rows[0].reason


@pytest.fixture
def opened(nets):
    """Opens a file of the folder as a candidate, and ends its process after the test."""
    with ExitStack() as stack:

        def open_file(name: str, **values) -> Candidate:
            candidate = Candidate(nets / name, name.split(".")[1], nets / name, **values)
            candidate.open(stack)
            return candidate

        yield open_file


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), "uint8")


def test_it_answers_as_the_runtime_does_here_and_goes_on_after_a_failure(opened, nets, images):
    net = opened("net.onnx").net
    with pytest.raises(KerastrashError, match=r"^InvalidArgument: .*invalid dimensions"):
        net(images[:, :16])
    np.testing.assert_allclose(net(images), open_runtime(nets / "net.onnx")(images), rtol=1e-5, atol=1e-6)
    assert (net.name, net.input_size, net.classes) == ("onnxruntime", 32, 3)
    assert net.description.classes == ("blue", "green", "red")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_its_memory_is_its_own_and_holds_neither_keras_nor_torch(opened, images):
    ballast = np.ones(80_000_000)  # 640 MB here, which a new process would inherit in its ru_maxrss
    candidate = opened("net.onnx")
    candidate.net(images)
    candidate.keep(1, [0.001])
    assert 10e6 < candidate.bytes_before < candidate.peak_bytes < 250e6 < ballast.nbytes


def test_a_process_that_cannot_start_is_reported_by_its_last_line(opened, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "abacus")
    assert "abacus" in opened("net.keras").failure


def test_a_keras_file_runs_on_the_backend_that_is_named(opened, nets, images):
    pytest.importorskip("jax", reason="jax is not installed")
    net = opened("net.keras", backend="jax").net
    assert net.name == "keras-jax"
    np.testing.assert_allclose(net(images), open_runtime(nets / "net.keras")(images), rtol=1e-4, atol=1e-5)


def test_a_file_that_no_runtime_takes_to_the_gpu_is_timed_on_the_processor_and_that_is_said(nets, capsys):
    say_once.cache_clear()
    with ExitStack() as stack:
        for name in ("net.onnx", "net.keras", "net.onnx"):
            candidate = Candidate(nets / name, name.split(".")[1], nets / name)
            candidate.open(stack, "NVIDIA Test")
            assert (candidate.net.device, candidate.failure) == (processor_name(), "")
    said = capsys.readouterr().err.replace("\n", " ")
    assert said.count("ONNX Runtime runs on the processor and not on NVIDIA Test") == said.count("runs on") == 1


def test_a_process_that_dies_while_it_is_timed_leaves_the_others_their_times(nets):
    killed, other = (Candidate(nets / "net.onnx", "onnx", nets / "net.onnx", threads=threads) for threads in (1, 2))
    images = np.zeros((4, 32, 32, 3), "uint8")
    with ExitStack() as stack:
        killed.open(stack)
        other.open(stack)
        os.kill(killed.process.pid, signal.SIGKILL)
        seconds = seconds_in_turns({each: each.time_block for each in (killed, other)}, {killed: images, other: images})
        for candidate, values in seconds.items():
            candidate.keep(1, values)
    assert killed.failure == "its process ended with signal 9 (out of memory?): it said nothing"
    assert (killed.timings, other.failure) == ({}, "")
    assert other.timings[1].images == 4


def test_a_baseline_that_the_runtime_does_not_take_is_timed_in_onnx_runtime(nets, tmp_path, capsys):
    # the backend is one on which no baseline can be opened
    candidate = Candidate(nets / "net.onnx", "keras", nets / "net.onnx", backend="abacus")
    candidate.timings[1] = Timing.of([0.001])
    with ExitStack() as stack:
        baselines = open_baselines(build_model("mobilenetv3_79", 32, 3, 0.25), "small", [candidate], tmp_path, stack)
        (baseline,) = (each for each in baselines.values() if not each.failure)
        assert baseline_of(candidate, baselines) is None  # not timed yet
        baseline.keep(1, [0.002])
        assert baseline_of(candidate, baselines) is baseline
        assert baseline.net.name == "onnxruntime"
    assert "small cannot be timed in Keras" in capsys.readouterr().err.replace("\n", " ")


def test_a_keras_file_of_another_dtype_policy_is_timed_beside_the_baseline_in_that_policy(config, nets, tmp_path):
    save_model(in_policy(open_model(nets / "net.keras"), "mixed_bfloat16"), tmp_path / "half.keras")
    models = (tmp_path / "half.keras", nets / "net.keras")
    candidates = candidates_of(replace(config, models=models, formats=None), tmp_path)
    with ExitStack() as stack:
        baselines = open_baselines(build_model("mobilenetv3_79", 32, 3, 0.25), "small", candidates, tmp_path, stack)
        opened = [dtype_policy_of(open_model(baseline.path)) for baseline in baselines.values()]
        for each in (*candidates, *baselines.values()):
            each.timings[1] = Timing.of([0.001])
        assert [baseline_of(each, baselines) for each in candidates] == list(baselines.values())
    assert opened == ["mixed_bfloat16", "float32"]


def test_all_formats_are_those_that_are_installed_and_the_others_are_named(config, tmp_path, monkeypatch, capsys):
    for name in ("openvino", "ai_edge_litert", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)
    files = candidates_of(replace(config, models=config.models[:1], formats="all"), tmp_path)
    assert [file.format for file in files] == ["keras", "onnx", "torch"]
    said = capsys.readouterr().err.replace("\n", " ")
    for name in ("openvino", "litert", "saved_model"):
        assert f"is not timed as {name}: run pip install" in said


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("threads", values) for values in ((0,), (), (1, 1))),
        *(("batches", values) for values in ((4,), (1, 0))),
        ("models", ()),
        ("policies", ()),
    ],
)
def test_a_setting_out_of_range_is_named(setting, value):
    with pytest.raises(ConfigError, match=f"^{setting}="):
        BenchmarkConfig(**{"models": (Path("net.onnx"),), setting: value})


def test_results_go_to_a_folder_named_after_the_first_model():
    assert BenchmarkConfig(models=(Path("runs/mine/best.keras"), Path("b.onnx"))).folder == Path("benchmarks/mine-best")
    assert BenchmarkConfig(models=(Path("a.onnx"),), output=Path("here")).folder == Path("here")
