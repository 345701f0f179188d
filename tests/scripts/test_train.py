"""`scripts/train.py` trains a net given as YAML or fine-tunes a saved one, and goes on with the same command."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kerastrash.files import read_csv, read_json, read_yaml
from kerastrash.models.saved import open_model


def test_a_net_without_python_is_trained_and_resumed(script, tmp_path, arguments):
    arguments += ["--net", tmp_path / "net.yaml", "--input-size", 16, "--name", "mine"]
    for _ in range(2):
        status, out, error = script("train", *arguments)
        assert status == 0, error
        assert "on the test split" in out
    assert len(read_csv(tmp_path / "runs" / "mine" / "metrics.csv")) == 3
    names = {path.name for path in (tmp_path / "runs" / "mine").iterdir()}
    assert {"best.keras", "score.json", "report.md", "predictions.png", "training.png"} <= names
    score = read_json(tmp_path / "runs" / "mine" / "score.json")
    assert f"{score['macro_f1']:.4f} on the test split" in out.replace("\n", " ")
    status, _, error = script("train", *arguments, "--epochs", 4)
    assert status == 2
    assert "epochs=3, not 4" in error


def test_a_saved_net_is_fine_tuned_at_its_own_size(script, tmp_path, arguments):
    first = ["--net", tmp_path / "net.yaml", "--input-size", 16, "--name", "first", "--epochs", 1]
    assert script("train", *arguments, *first)[0] == 0
    saved = tmp_path / "runs" / "first" / "best.keras"
    status, _, error = script("train", *arguments, "--weights", saved, "--name", "again", "--freeze", 1)
    assert status == 0, error
    before, after = (open_model(tmp_path / "runs" / name / "best.keras") for name in ("first", "again"))
    for layer in before.layers:
        same = all(map(np.array_equal, layer.get_weights(), after.get_layer(layer.name).get_weights()))
        assert same == (layer.name != "logits"), layer.name
    status, _, error = script("train", *arguments, "--weights", saved, "--name", "third", "--input-size", 32)
    assert status == 2
    assert "takes 16 px" in error


def test_a_saved_net_takes_the_dtype_policy_of_the_recipe(script, tmp_path, arguments):
    first = ["--net", tmp_path / "net.yaml", "--input-size", 16, "--name", "first", "--epochs", 1]
    assert script("train", *arguments, *first)[0] == 0
    saved = tmp_path / "runs" / "first" / "best.keras"
    try:
        status, _, error = script(
            "train", *arguments, "--weights", saved, "--name", "b", "--dtype-policy", "mixed_bfloat16"
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert status == 0, error
    trained = open_model(tmp_path / "runs" / "b" / "best.keras")
    assert trained.get_layer("row01_conv").compute_dtype == "bfloat16"
    assert trained.get_layer("logits").compute_dtype == "float32"


def test_a_saved_net_of_other_classes_is_refused(script, tmp_path, arguments):
    assert script("train", *arguments, "--net", tmp_path / "net.yaml", "--input-size", 16, "--name", "first")[0] == 0
    (tmp_path / "images" / "dark").rename(tmp_path / "images" / "black")
    status, _, error = script("train", *arguments, "--weights", tmp_path / "runs" / "first" / "best.keras")
    assert status == 2
    assert "knows dark, light, but" in error and "(black, light)" in error


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--net", "resnet18", "--weights", "resnet18"], "give one"),
        (["--weights", "resnet18", "--width", 0.5], "only a net from scratch can be scaled"),
        (["--weights", "resnet19"], "resnet19"),
        (["--weights", "absent.keras"], "absent.keras: no such file"),
        (["--net", "best.keras"], "net=best.keras has learned: give it as --weights best.keras"),
    ],
)
def test_nets_that_contradict_or_are_not_there_are_refused(script, arguments, tmp_path, options, sentence):
    status, _, error = script("train", *arguments, *options)
    assert status == 2
    assert sentence in error
    assert not (tmp_path / "runs").exists()


def test_a_command_on_a_run_takes_its_data_and_split(script, tmp_path, arguments, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = ["--net", tmp_path / "net.yaml", "--input-size", 16, "--epochs", 1, "--split-seed", 5, "--runs", "runs"]
    assert script("train", *arguments, *first, "--name", "first")[0] == 0
    run, cache = Path("runs") / "first", ("--cache", tmp_path / "cache")
    status, _, error = script("export", run, *cache, "--formats", "keras")
    assert status == 0, error
    for model, seed in ((run, ()), (run / "exports" / "best.keras", ("--split-seed", 6))):
        status, _, error = script("adjust", model, *cache, *seed, "--name", f"adjusted{len(seed)}")
        assert status == 0, error
        known = read_yaml(Path("runs") / f"adjusted{len(seed)}" / "config.yaml")["data"]
        assert (known["data"], known["split_seed"]) == (str(tmp_path / "images"), 6 if seed else 5)


def test_a_model_of_no_run_asks_for_its_data(script, tmp_path, arguments):
    script("train", *arguments, "--net", tmp_path / "net.yaml", "--input-size", 16, "--epochs", 1, "--name", "first")
    (tmp_path / "runs" / "first" / "best.keras").rename(tmp_path / "alone.keras")
    for verb in ("export", "quantise", "prune", "adjust", "score", "benchmark"):
        status, _, error = script(verb, tmp_path / "alone.keras")
        assert status == 2, verb
        assert "alone.keras: no run that knows its data holds this model; name the data with --data" in error


def test_a_second_training_of_a_net_gets_the_next_free_name(script, tmp_path, arguments):
    arguments += ["--net", tmp_path / "net.yaml", "--input-size", 16]
    for epochs in (1, 2, 1):
        assert script("train", *arguments, "--epochs", epochs)[0] == 0
    assert sorted(path.name for path in (tmp_path / "runs").glob("train-*")) == ["train-net", "train-net-2"]
