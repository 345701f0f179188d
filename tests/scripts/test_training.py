"""`train` and `distill`: a net given as YAML or a saved one learns, and the same command goes on with it."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kerastrash.files import read_csv, read_json, read_yaml
from kerastrash.models.saved import open_model

BASELINE = "--data images --baseline-net net.yaml --baseline-size 16 --timed-images 2 --batch-size 4"
FINE_TUNE = f"train {BASELINE} --epochs 3"
TRAIN = f"train {BASELINE} --net net.yaml --input-size 16"


@pytest.fixture
def first(here, done) -> Path:
    """A run of one epoch."""
    done(f"{TRAIN} --epochs 1 --split-seed 5 --name first")
    return Path("runs/first")


@pytest.mark.usefixtures("here")
def test_a_net_without_python_is_trained_and_resumed(done, refused):
    for _ in range(2):
        out, _ = done(f"{TRAIN} --epochs 3")
        assert "on the test split" in out
    run = Path("runs/train-net")
    assert len(read_csv(run / "metrics.csv")) == 3
    names = {path.name for path in run.iterdir()}
    assert {"best.keras", "score.json", "report.md", "predictions.png", "training.png"} <= names
    score = read_json(run / "score.json")
    assert f"{score['macro_f1']:.4f} on the test split" in out.replace("\n", " ")
    assert "epochs=3, not 4" in refused(f"{TRAIN} --epochs 4 --name train-net")


def test_a_saved_net_is_fine_tuned_at_its_own_size(done, refused, first):
    done(f"{FINE_TUNE} --weights {first}/best.keras --name again --freeze 1")
    before, after = (open_model(Path("runs") / name / "best.keras") for name in ("first", "again"))
    for layer in before.layers:
        same = all(map(np.array_equal, layer.get_weights(), after.get_layer(layer.name).get_weights()))
        assert same == (layer.name != "logits"), layer.name
    assert "takes 16 px" in refused(f"{FINE_TUNE} --weights {first}/best.keras --name third --input-size 32")


def test_a_saved_net_takes_the_dtype_policy_of_the_recipe(done, first):
    try:
        done(f"{FINE_TUNE} --weights {first}/best.keras --name b --dtype-policy mixed_bfloat16")
    finally:
        keras.config.set_dtype_policy("float32")
    trained = open_model("runs/b/best.keras")
    assert trained.get_layer("row01_conv").compute_dtype == "bfloat16"
    assert trained.get_layer("logits").compute_dtype == "float32"


def test_a_saved_net_of_other_classes_is_refused(refused, first):
    Path("images/dark").rename("images/black")
    error = refused(f"{FINE_TUNE} --weights {first}/best.keras")
    assert "knows dark, light, but" in error and "(black, light)" in error


def test_a_command_on_a_run_takes_its_data_and_split(done, first):
    done(f"export {first} --formats keras")
    for model, option, seed in ((first, "", 5), (first / "exports" / "best.keras", "--split-seed 6", 6)):
        done(f"adjust {model} {option} --name adjusted{seed}")
        known = read_yaml(Path(f"runs/adjusted{seed}/config.yaml"))["data"]
        assert (known["data"], known["split_seed"]) == ("images", seed)


@pytest.mark.usefixtures("here")
def test_a_student_is_distilled_beside_the_same_student_alone(done):
    done(f"train {BASELINE} --epochs 3 --net net.yaml --input-size 32 --name teacher")
    student = "--net net.yaml --input-size 16 --name student --alone --features 1"
    for _ in range(2):  # the second call finds everything done
        out, _ = done(f"distill {BASELINE} --epochs 3 {student} --teachers runs/teacher/best.keras")
        for line in ("teacher ", "student distilled", "student alone"):
            assert line in out
        assert out.count("on the test split") == 3
    folder = Path("runs/student")
    assert (folder / "report.md").exists() and (folder / "score.json").exists()
    histories = [read_csv(place / "metrics.csv") for place in (folder, folder / "alone")]
    assert [len(history) for history in histories] == [3, 3]
    assert histories[0][0]["loss"] != histories[1][0]["loss"]
    assert open_model(folder / "best.keras").output_shape == (None, 2)
