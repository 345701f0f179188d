"""What a training leaves in its folder, written while it goes on, in an order that survives a kill at any instant."""

import re
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from kerastrash.errors import FileError
from kerastrash.files import read_csv
from kerastrash.models.saved import save_model
from kerastrash.training import checkpoint
from kerastrash.training.checkpoint import BEST, LAST, METRICS, EpochRecorder, TrainingDiverged, restore_state, state_of
from kerastrash.training.losses import CrossEntropy
from kerastrash.training.optimizer import recipe_optimizer
from kerastrash.training.recipe import Recipe

RECIPE = Recipe(epochs=3, batch_size=12, learning_rate=0.05, n_select=1, workers=0, keep="last")
KILLED = """
import sys, time
from pathlib import Path
import keras
from kerastrash.backends import fix_threads
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.models import Conv, Pool, build_model
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

fix_threads(1)
folder, last = Path(sys.argv[1]), int(sys.argv[2])
waits = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch == last and time.sleep(3600))
recipe = Recipe(epochs=8, batch_size=12, learning_rate=0.05, n_select=1, workers=0, keep="last", average=0.9)
dataset = synthetic_dataset(24, 12, 16)
train(lambda: build_model((Conv(8, 3, 2), Conv(8), Pool()), 16, 6), dataset, recipe, folder, callbacks=[waits])
"""
"""Trains in a folder; the epoch that follows the one given never ends."""


def contents(variables) -> list[np.ndarray]:
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


@pytest.mark.backends
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_what_is_written_is_what_was_when_the_epoch_ended(build, tmp_path, monkeypatch, policy):
    keras.config.set_dtype_policy(policy)
    try:
        net = build()
        gate, write = threading.Event(), checkpoint.write_csv
        monkeypatch.setattr(checkpoint, "write_csv", lambda *arguments: gate.wait(60) and write(*arguments))
        net.compile(recipe_optimizer(RECIPE, 10), CrossEntropy([1, 1, 1]))
        recorder = EpochRecorder(tmp_path, 0, ("red", "green", "blue"), net, None, "best")
        recorder.set_model(net)
        save_model(net, tmp_path / "expected.keras", ("red", "green", "blue"))
        state = state_of(net, None)
        before = contents(state)
        recorder.on_epoch_end(0, {"loss": 1.0, "val_loss": 1.0, "val_macro_f1": 0.5})
        for variable in state:  # the next epoch, while nothing is written yet
            variable.assign(np.ones(variable.shape))
        gate.set()
        recorder.wait()
    finally:
        keras.config.set_dtype_policy("float32")
    with zipfile.ZipFile(tmp_path / BEST) as found, zipfile.ZipFile(tmp_path / "expected.keras") as expected:
        assert found.read("model.weights.h5") == expected.read("model.weights.h5")
        configs = [archive.read("config.json").decode() for archive in (found, expected)]
    without_addresses = [re.sub(r', "shared_object_id": \d+', "", config) for config in configs]
    assert without_addresses[0] == without_addresses[1]
    assert restore_state(state, tmp_path / LAST) == 1
    assert all(map(np.array_equal, contents(state), before))


def test_an_epochs_state_is_renamed_into_place_after_its_metrics_and_its_net(trained, tmp_path, monkeypatch):
    renamed, replace = [], Path.replace

    def noted(path, target):
        renamed.append(target.name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", noted)
    trained(RECIPE, tmp_path)
    assert renamed == [METRICS, BEST, LAST] * 3


@pytest.mark.parametrize("until", [1, 3])
def test_a_file_that_cannot_be_written_ends_the_training_by_the_next_epochs_end(trained, tmp_path, until):
    epochs = []
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    (tmp_path / BEST).mkdir()
    with pytest.raises(FileError, match=r"best\.keras: cannot be written"):
        trained(RECIPE, tmp_path, until=until, callbacks=[told])
    assert epochs == [0]
    assert not (tmp_path / LAST).exists()


@pytest.mark.parametrize(
    ("scaled", "loss", "val_loss", "sentence"),
    [
        (False, "nan", 1.0, r"epoch 3 is nan \(validation 1\.0\); lower the learning rate"),
        (False, 1.0, "inf", r"epoch 3 is 1\.0 \(validation inf\); lower the learning rate"),
        (True, "nan", "nan", r"epoch 3 is nan .*; float16 overflowed: train in mixed_bfloat16 or float32, or lower"),
    ],
)
def test_an_epoch_without_a_finite_loss_is_not_recorded_and_its_error_says_what_to_do(
    build, tmp_path, scaled, loss, val_loss, sentence
):
    net, optimizer = build(), keras.optimizers.SGD()
    net.compile(keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer, auto_scale_loss=False)
    recorder = EpochRecorder(tmp_path, 0, ("red", "green", "blue"), net, None, "best")
    recorder.set_model(net)
    with pytest.raises(TrainingDiverged, match=sentence):
        recorder.on_epoch_end(2, {"loss": float(loss), "val_loss": float(val_loss), "val_macro_f1": 0.5})
    recorder.wait()
    assert not recorder.rows and not list(tmp_path.iterdir())


def written(path: Path) -> int:
    """When a file was written, in ns; 0 before."""
    return path.stat().st_mtime_ns if path.exists() else 0


def killed_after(folder: Path, epoch: int, name: str) -> None:
    """Trains in a process of its own, killed when a file of this epoch is in place."""
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(folder), str(epoch)], stderr=subprocess.DEVNULL)
    metrics, file = folder / METRICS, folder / name
    try:
        while (
            len(read_csv(metrics)) < epoch or not file.exists() or file.stat().st_mtime_ns < metrics.stat().st_mtime_ns
        ):
            assert child.poll() is None
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait()


def test_a_training_killed_at_any_instant_of_the_writing_goes_on_as_if_there_had_been_no_kill(tmp_path, monkeypatch):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for epoch, name in ((2, METRICS), (4, BEST), (6, LAST)):
        killed_after(killed, epoch, name)
    for folder in (whole, killed):
        monkeypatch.setattr(sys, "argv", ["", str(folder), "8"])
        exec(KILLED, {})
    columns = ("epoch", "loss", "val_loss", "val_macro_f1", "averaged_f1")
    ours, theirs = (
        np.array([[float(row[name]) for name in columns] for row in read_csv(folder / METRICS)])
        for folder in (killed, whole)
    )
    assert len(theirs) == 8
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    nets = [keras.saving.load_model(folder / BEST) for folder in (killed, whole)]
    for mine, other in zip(*(net.weights for net in nets), strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(other), rtol=1e-5, atol=1e-7)
