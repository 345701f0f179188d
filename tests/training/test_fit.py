"""Training learns, chooses its best epoch, tells its callbacks, and goes on after a kill as if there had been none."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from kerastrash.console import console, progress_bar
from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.format import Description
from kerastrash.files import TEMPORARY, read_csv
from kerastrash.models import build_model
from kerastrash.models.layers import Conv, Pool
from kerastrash.models.saved import open_model, read_description
from kerastrash.training.callbacks import ProgressBar
from kerastrash.training.checkpoint import BEST, LAST, METRICS, TrainingDiverged
from kerastrash.training.feeding import evaluation_batches
from kerastrash.training.recipe import Recipe

RECIPE = Recipe(epochs=5, batch_size=6, learning_rate=0.05, n_select=1, weight_decay=1e-4)


@pytest.fixture(scope="module")
def whole(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return trained(RECIPE, folder), folder


@pytest.fixture
def assert_same(figures, coloured_squares):
    def compare(ours, theirs, tolerance=1e-4):
        columns = ("epoch", "loss", "val_loss", "val_macro_f1")
        metrics = [figures(folder, *columns) for folder in (ours, theirs)]
        np.testing.assert_allclose(*metrics, rtol=tolerance, atol=tolerance)
        nets = [open_model(folder / BEST) for folder in (ours, theirs)]
        answers = [keras.ops.convert_to_numpy(net(coloured_squares.images[:8])) for net in nets]
        np.testing.assert_allclose(*answers, rtol=tolerance, atol=tolerance / 10)

    return compare


@pytest.mark.backends
def test_a_net_learns_and_the_best_epoch_is_the_one_kept(whole, figures, kept_f1):
    training, folder = whole
    epochs, scores = figures(folder, "epoch", "val_macro_f1").T
    assert list(epochs) == [1, 2, 3, 4, 5]
    assert training.f1 == max(scores) > 0.8
    assert scores[training.best_epoch - 1] == training.f1
    assert kept_f1(training) == pytest.approx(training.f1, abs=1e-6)
    description = Description.from_json(read_description(training.model), BEST)
    assert description.classes == ("red", "green", "blue")


@pytest.mark.backends
@pytest.mark.parametrize("settings", [{"average": 0.9}, {"keep": "last"}, {"keep": "last", "average": 0.9}], ids=str)
def test_the_better_of_weights_and_averages_or_the_last_of_them_is_kept_and_the_row_says_which(
    trained, tmp_path, figures, kept_f1, settings
):
    recipe = replace(RECIPE, epochs=3, batch_size=12, **settings)
    training = trained(recipe, tmp_path)
    scores = figures(tmp_path, "val_macro_f1", "averaged_f1" if recipe.average else "val_macro_f1")
    averaged = [recipe.average > 0 and (recipe.keep == "last" or smooth > raw) for raw, smooth in scores]
    assert [row["weights"] == "averaged" for row in read_csv(tmp_path / METRICS)] == averaged
    assert training.f1 == (scores[-1, 1] if recipe.keep == "last" else scores.max())
    assert kept_f1(training) == pytest.approx(training.f1, abs=1e-6)
    if recipe.keep == "last":
        assert training.best_epoch == len(scores) == 3


@pytest.mark.backends
def test_a_training_killed_and_called_again_equals_one_that_ran_through_and_what_was_being_written_is_gone(
    whole, trained, tmp_path, assert_same
):
    trained(RECIPE, tmp_path, until=2)
    state = (tmp_path / LAST).read_bytes()
    trained(RECIPE, tmp_path, until=3)
    (tmp_path / LAST).write_bytes(state)  # killed after the metrics of epoch 3, before its state
    for name in (BEST, LAST):
        (tmp_path / f"{TEMPORARY}1.{name}").write_bytes(b"half")
    trained(RECIPE, tmp_path)
    assert_same(tmp_path, whole[1])
    assert {path.name for path in tmp_path.iterdir()} == {METRICS, BEST, LAST}


SETTINGS = [
    ({"freeze": 1, "backbone_rate": 0.1, "weight_decay": 1e-2}, 1e-4),
    *(({"dtype_policy": kind}, 0.02) for kind in ("mixed_float16", "mixed_bfloat16")),
]


@pytest.mark.parametrize(("settings", "tolerance"), SETTINGS, ids=["fine-tuning", "float16", "bfloat16"])
def test_other_trainings_go_on_too_those_in_16_bits_with_their_loss_scale(
    trained, tmp_path, assert_same, settings, tolerance
):
    recipe = replace(RECIPE, epochs=2, batch_size=12, learning_rate=0.02, n_select=0, **settings)
    try:
        for name, until in (("whole", 2), ("stopped", 1), ("stopped", 2)):
            trained(recipe, tmp_path / name, until=until)
        assert_same(tmp_path / "stopped", tmp_path / "whole", tolerance)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.backends
def test_callbacks_see_each_finished_epoch_once_also_in_a_training_that_goes_on_and_a_finished_one_stays(
    trained, tmp_path, figures
):
    names, seen, done = ("val_macro_f1", "learning_rate", "images_per_second"), [], []
    logger = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch + 1, *(float(logs[name]) for name in names)))
    )
    for until in (2, 3, 3):
        training = trained(replace(RECIPE, epochs=3), tmp_path, until=until, callbacks=[logger])
        done.append((training, (tmp_path / LAST).read_bytes()))
    np.testing.assert_array_equal(seen, figures(tmp_path, "epoch", *names))
    assert len(seen) == 3
    assert done[0] != done[1] == done[2]


def test_callbacks_see_an_epoch_while_it_is_saved_and_its_end_once_all_is_and_may_end_the_training(trained, tmp_path):
    seen = []

    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, "averaged_f1" in logs))
            self.model.stop_training = True

        def on_train_end(self, logs=None):
            seen.append((tmp_path / LAST).exists())

    recipe = replace(RECIPE, average=0.9)
    assert trained(recipe, tmp_path, callbacks=[Enough()]).epochs == 1
    assert trained(recipe, tmp_path, until=2).epochs == 2
    assert seen == [(0, True), True]


def test_brackets_in_the_description_are_shown_as_they_are(trained, coloured_squares, tmp_path, capsys):
    trained(RECIPE, tmp_path, until=1, description="trial [/a] [b]")
    assert "trial [/a] [b]: epoch 1/1" in capsys.readouterr().err
    bar, batches = progress_bar(), evaluation_batches(coloured_squares, "val", RECIPE)
    ProgressBar(bar, "trial [/a] [b]", batches, 0, 1)
    console.print(bar.get_renderable())
    assert "trial [/a] [b] " in capsys.readouterr().err


def test_a_loss_that_is_not_finite_says_to_lower_the_rate(trained, tmp_path):
    with pytest.raises(TrainingDiverged, match="lower the learning rate"):
        trained(Recipe(epochs=30, batch_size=12, learning_rate=99, weight_decay=0.9), tmp_path)


def test_a_state_that_is_damaged_or_of_another_net_or_without_averages_is_named(trained, build, tmp_path):
    def assert_named(recipe, net=build):
        with pytest.raises(ModelError, match=r"last\.weights\.h5"):
            trained(recipe, tmp_path, net=net)

    trained(RECIPE, tmp_path, until=1)
    assert_named(RECIPE, lambda: build_model((Conv(16, 3, 2), Pool()), 16, 3))
    assert_named(replace(RECIPE, average=0.9))
    (tmp_path / LAST).write_bytes(b"no state")
    assert_named(RECIPE)


def test_memory_that_runs_out_says_what_to_lower(trained, build, tmp_path):
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
        trained(RECIPE, tmp_path, net=hungry)
