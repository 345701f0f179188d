"""What a user's mistake looks like from each script: a sentence, exit status 2, nothing half-written."""

from pathlib import Path

import pytest

TUNE = "tune --data images --input-sizes 16"
REFUSED = [
    ("prepare --data empty", "empty"),
    ("prepare --data images --cache file/cache", "cannot be written"),
    ("check --cache cache", "no data is named", "--data"),
    ("check --data images --near=-1", "near"),
    ("check --data images --near=17", "near"),
    ("train --data images --runs file", "file", "cannot be written"),
    ("train --data images --net resnet18 --weights resnet18", "give one"),
    ("train --data images --weights resnet18 --width 0.5", "only a net from scratch can be scaled"),
    ("train --data images --weights absent.keras", "absent.keras: no such file"),
    ("train --data images --net best.keras", "net=best.keras has learned: give it as --weights best.keras"),
    ("distill --data images", "teachers: none is given", "--teacher-weights efficientnet_lite0"),
    ("distill --data images --teachers a.keras --hard-share 2", "--hard-share"),
    ("tune --data images --runs file", "file", "cannot be written"),
    (f"{TUNE} --max-epochs 0", "--max-epochs"),
    (f"{TUNE} --threads 0", "threads"),
    (f"{TUNE} --max-params 5", "max_params"),  # before any training
    (f"{TUNE} --baseline-net mobilenetv3_97", "did you mean mobilenetv3_79"),
    (f"{TUNE} --baseline-net absent.keras", "absent.keras"),
    ("compare systems.yaml --data images --only b", "only='b' is no system; the systems are a"),
    ("compare systems.yaml --data absent", "absent: no such file or folder"),
    ("adjust none.keras --data images", "none.keras: no such file"),
    ("benchmark --data images", "models"),
    ("export bad.keras --data images --formats keras", "bad.keras: not a .keras archive"),
]


@pytest.mark.parametrize(("line", "words"), [(line, words) for line, *words in REFUSED])
def test_a_mistake_is_a_sentence_and_nothing_is_left(refused, here, line, words):
    (here / "systems.yaml").write_text("systems: [{name: a, net: net.yaml, input_size: 16}]")
    before = {*here.rglob("*")}
    error = refused(line)
    for word in words:
        assert word in error
    made = {path.relative_to(here) for path in {*here.rglob("*")} - before}
    kept = set() if line.startswith("train --data images --") and "--runs" not in line else {Path("runs")}
    assert not [path for path in made - kept if path.parts[0] != "data"]


@pytest.mark.parametrize("name", ["prepare", "check", "train", "tune"])
def test_a_missing_source_writes_nothing_at_all(refused, here, name):
    before = {*here.rglob("*")}
    assert "absent.json: no such file" in refused(f"{name} --data absent.json")
    assert {*here.rglob("*")} - before <= {here / "runs"}


def test_a_run_made_with_other_settings(refused, here):
    (here / "runs" / "mine").mkdir(parents=True)
    (here / "runs" / "mine" / "config.yaml").write_text("data: other\n")
    for name in ("train", "tune"):
        error = refused(f"{name} --data images --name mine")
        assert "mine" in error and "data='other'" in error and "--name" in error


@pytest.mark.parametrize("line", ["train --data annotations.json", TUNE, "score mine/best.keras --data images"])
def test_a_gpu_that_is_not_there(refused, here, monkeypatch, line):
    monkeypatch.setattr("keras.src.backend.torch.core.DEFAULT_DEVICE", "cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "KERAS_TORCH_DEVICE=cuda: torch" in refused(line)


def test_a_model_of_no_run_asks_for_its_data(refused, here):
    for verb in ("export", "quantise", "prune", "adjust", "score", "benchmark"):
        error = refused(f"{verb} mine/best.keras")
        assert "best.keras: no run that knows its data holds this model; name the data with --data" in error
