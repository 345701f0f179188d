"""Training learns, chooses its best epoch, and goes on after a kill as if there had been none."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.format import Description
from kerastrash.files import TEMPORARY, read_csv
from kerastrash.models import build_model
from kerastrash.models.layers import Conv, Pool
from kerastrash.models.mobilenet_v3 import InvertedResidual
from kerastrash.models.saved import open_model, read_description
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.checkpoint import BEST, LAST, TrainingDiverged
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

ROWS = (Conv(8, kernel=3, stride=2), InvertedResidual(3, 2, 8, True, True, 1), Conv(16), Pool())
RECIPE = Recipe(epochs=5, batch_size=6, learning_rate=0.05, n_select=1, weight_decay=1e-4)


def build() -> keras.Model:
    return build_model(ROWS, 16, classes=3)


@pytest.fixture(scope="module")
def whole(coloured_squares, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return train(build, coloured_squares, RECIPE, folder), folder


@pytest.mark.backends
def test_a_net_learns_and_the_best_epoch_is_the_one_kept(whole, coloured_squares):
    training, folder = whole
    rows = read_csv(folder / "metrics.csv")
    assert [int(row["epoch"]) for row in rows] == list(range(1, 6))
    assert training.f1 == max(float(row["val_macro_f1"]) for row in rows) > 0.8
    assert float(rows[training.best_epoch - 1]["val_macro_f1"]) == training.f1
    kept = evaluate(open_model(training.model), coloured_squares.part("val"))
    assert kept.macro_f1 == pytest.approx(training.f1, abs=1e-6)


@pytest.mark.backends
@pytest.mark.parametrize(("average", "column"), [(0.0, "val_macro_f1"), (0.9, "averaged_f1")])
def test_the_last_epoch_is_kept_where_asked_for_and_its_averages_if_there_are_any(
    coloured_squares, tmp_path, average, column
):
    training = train(build, coloured_squares, replace(RECIPE, epochs=3, keep="last", average=average), tmp_path)
    rows = read_csv(tmp_path / "metrics.csv")
    assert training.best_epoch == len(rows) == 3
    assert training.f1 == float(rows[-1][column])
    kept = evaluate(open_model(training.model), coloured_squares.part("val"))
    assert kept.macro_f1 == pytest.approx(training.f1, abs=1e-6)


@pytest.mark.backends
def test_a_training_stopped_and_called_again_equals_one_that_ran_through(whole, coloured_squares, tmp_path):
    for until in (2, None):
        again = train(build, coloured_squares, RECIPE, tmp_path, until=until)
    assert_same_metrics(tmp_path, whole[1])
    images = coloured_squares.images[:8]
    ours, theirs = (keras.ops.convert_to_numpy(open_model(t.model)(images)) for t in (again, whole[0]))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_what_a_killed_epoch_wrote_is_written_again(whole, coloured_squares, tmp_path):
    train(build, coloured_squares, RECIPE, tmp_path, until=2)
    state = (tmp_path / LAST).read_bytes()
    train(build, coloured_squares, RECIPE, tmp_path, until=3)
    (tmp_path / LAST).write_bytes(state)  # killed after the metrics of epoch 3, before its state
    train(build, coloured_squares, RECIPE, tmp_path)
    assert_same_metrics(tmp_path, whole[1])


def test_a_finished_training_is_not_trained_again(whole, coloured_squares):
    training, folder = whole
    state = (folder / LAST).read_bytes()
    assert train(build, coloured_squares, RECIPE, folder) == training
    assert (folder / LAST).read_bytes() == state


class Logger(keras.callbacks.Callback):
    """What an experiment's logger does: a line an epoch, added to one file."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        names = ("val_macro_f1", "learning_rate", "images_per_second")
        with self.path.open("a") as stream:
            stream.write(f"{epoch + 1},{','.join(repr(float(logs[name])) for name in names)}\n")


@pytest.mark.backends
def test_callbacks_see_each_finished_epoch_once_also_in_a_training_that_goes_on(coloured_squares, tmp_path):
    log = tmp_path / "log.csv"
    for until in (2, 3, 3):
        train(build, coloured_squares, replace(RECIPE, epochs=3), tmp_path, until=until, callbacks=[Logger(log)])
    rows = [
        (row["epoch"], *(float(row[name]) for name in ("val_macro_f1", "learning_rate", "images_per_second")))
        for row in read_csv(tmp_path / "metrics.csv")
    ]
    lines = [line.split(",") for line in log.read_text().splitlines()]
    assert [(epoch, *map(float, figures)) for epoch, *figures in lines] == rows
    assert len(rows) == 3


def test_an_epoch_is_saved_before_callbacks_see_it_and_one_of_them_may_end_the_training(coloured_squares, tmp_path):
    seen = []

    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, (tmp_path / LAST).exists(), "averaged_f1" in logs))
            self.model.stop_training = True

    recipe = replace(RECIPE, average=0.9)
    assert train(build, coloured_squares, recipe, tmp_path, callbacks=[Enough()]).epochs == 1
    assert train(build, coloured_squares, recipe, tmp_path, until=2).epochs == 2
    assert seen == [(0, True, True)]


def test_what_a_killed_process_was_writing_is_gone_when_the_training_goes_on(coloured_squares, tmp_path):
    train(build, coloured_squares, RECIPE, tmp_path, until=1)
    whole = {path.name for path in tmp_path.iterdir()}
    left = (tmp_path / f"{TEMPORARY}1.{BEST}", tmp_path / f"{TEMPORARY}1.{LAST}")
    for path in left:
        path.write_bytes(b"half")
    train(build, coloured_squares, RECIPE, tmp_path, until=1)
    assert {path.name for path in tmp_path.iterdir()} == whole == {"metrics.csv", BEST, LAST}


def test_a_loss_that_is_not_finite_says_to_lower_the_rate(coloured_squares, tmp_path):
    with pytest.raises(TrainingDiverged, match="lower the learning rate"):
        train(build, coloured_squares, Recipe(epochs=30, batch_size=12, learning_rate=99, weight_decay=0.9), tmp_path)


def test_a_damaged_state_is_named(coloured_squares, tmp_path):
    (tmp_path / LAST).write_bytes(b"no state")
    with pytest.raises(ModelError, match=r"last\.weights\.h5"):
        train(build, coloured_squares, RECIPE, tmp_path)


def test_the_state_of_another_net_is_refused(coloured_squares, tmp_path):
    train(build, coloured_squares, RECIPE, tmp_path, until=1)
    with pytest.raises(ModelError, match=r"last\.weights\.h5"):
        train(lambda: build_model((Conv(16, 3, 2), Pool()), 16, 3), coloured_squares, RECIPE, tmp_path)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_and_resumes_with_its_loss_scale(coloured_squares, tmp_path, policy):
    recipe = Recipe(epochs=2, batch_size=12, learning_rate=0.02, n_select=0, dtype_policy=policy)
    try:
        train(build, coloured_squares, recipe, tmp_path / "a")
        train(build, coloured_squares, recipe, tmp_path / "b", until=1)
        train(build, coloured_squares, recipe, tmp_path / "b")
    finally:
        keras.config.set_dtype_policy("float32")
    assert_same_metrics(tmp_path / "a", tmp_path / "b", tolerance=0.02)


def assert_same_metrics(ours, theirs, tolerance=1e-4):
    for name in ("epoch", "loss", "val_loss", "val_macro_f1"):
        columns = [[float(row[name]) for row in read_csv(folder / "metrics.csv")] for folder in (ours, theirs)]
        np.testing.assert_allclose(*columns, rtol=tolerance, atol=tolerance, err_msg=name)


def test_memory_that_runs_out_says_what_to_lower(coloured_squares, tmp_path):
    if keras.backend.backend() != "torch":
        pytest.skip("asks torch's allocator")
    import torch

    class Hungry(keras.layers.Layer):
        def call(self, x, training=None):
            return torch.empty(2**52) if training else x

    def hungry() -> keras.Model:
        net = build()
        return keras.Model(net.input, Hungry()(net.output))

    with pytest.raises(ConfigError, match=r"no memory left for batch_size=6 at 16 px.*lower the batch size"):
        train(hungry, coloured_squares, RECIPE, tmp_path)


def test_the_best_model_knows_the_names_of_its_classes(whole):
    assert Description.from_json(read_description(whole[0].model), "best.keras").classes == ("red", "green", "blue")
