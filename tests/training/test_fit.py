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
COMPARED = ("epoch", "loss", "val_loss", "val_macro_f1")


@pytest.fixture(scope="module")
def whole(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return trained(RECIPE, folder), folder


@pytest.fixture
def assert_same(figures):
    def compare(ours, theirs, tolerance=1e-4):
        ours, theirs = (figures(folder, *COMPARED) for folder in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)

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
@pytest.mark.parametrize(("average", "column"), [(0.0, "val_macro_f1"), (0.9, "averaged_f1")])
def test_the_last_epoch_is_kept_where_asked_for_and_its_averages_if_there_are_any(
    trained, tmp_path, figures, kept_f1, average, column
):
    training = trained(replace(RECIPE, epochs=3, keep="last", average=average), tmp_path)
    scores = figures(tmp_path, column)
    assert training.best_epoch == len(scores) == 3
    assert training.f1 == scores[-1]
    assert kept_f1(training) == pytest.approx(training.f1, abs=1e-6)


def predictions(training, dataset):
    return keras.ops.convert_to_numpy(open_model(training.model)(dataset.images[:8]))


@pytest.mark.backends
def test_a_training_stopped_and_called_again_equals_one_that_ran_through(
    whole, trained, coloured_squares, tmp_path, assert_same
):
    for until in (2, None):
        again = trained(RECIPE, tmp_path, until=until)
    assert_same(tmp_path, whole[1])
    ours, theirs = (predictions(training, coloured_squares) for training in (again, whole[0]))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_what_a_killed_epoch_wrote_is_written_again_and_what_it_was_writing_is_gone(
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


def test_a_finished_training_is_not_trained_again(whole, trained):
    training, folder = whole
    state = (folder / LAST).read_bytes()
    assert trained(RECIPE, folder) == training
    assert (folder / LAST).read_bytes() == state


class Logger(keras.callbacks.Callback):
    """What an experiment's logger does: a line an epoch, added to one file."""

    NAMES = ("val_macro_f1", "learning_rate", "images_per_second")

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        with self.path.open("a") as stream:
            print(epoch + 1, *(float(logs[name]) for name in self.NAMES), file=stream)


@pytest.mark.backends
def test_callbacks_see_each_finished_epoch_once_also_in_a_training_that_goes_on(trained, tmp_path, figures):
    log = tmp_path / "log.txt"
    for until in (2, 3, 3):
        trained(replace(RECIPE, epochs=3), tmp_path, until=until, callbacks=[Logger(log)])
    np.testing.assert_array_equal(np.loadtxt(log), figures(tmp_path, "epoch", *Logger.NAMES))
    assert len(read_csv(tmp_path / METRICS)) == 3


def test_an_epoch_is_saved_before_callbacks_see_it_and_one_of_them_may_end_the_training(trained, tmp_path):
    seen = []

    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, (tmp_path / LAST).exists(), "averaged_f1" in logs))
            self.model.stop_training = True

    recipe = replace(RECIPE, average=0.9)
    assert trained(recipe, tmp_path, callbacks=[Enough()]).epochs == 1
    assert trained(recipe, tmp_path, until=2).epochs == 2
    assert seen == [(0, True, True)]


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


def test_a_state_that_is_damaged_or_of_another_net_is_named(trained, tmp_path):
    trained(RECIPE, tmp_path, until=1)
    with pytest.raises(ModelError, match=r"last\.weights\.h5"):
        trained(RECIPE, tmp_path, net=lambda: build_model((Conv(16, 3, 2), Pool()), 16, 3))
    (tmp_path / LAST).write_bytes(b"no state")
    with pytest.raises(ModelError, match=r"last\.weights\.h5"):
        trained(RECIPE, tmp_path)


GOES_ON = [
    ({"n_select": 0, "batch_size": 12, "freeze": 1, "backbone_rate": 0.1, "weight_decay": 1e-2}, 1e-4),
    *(({"n_select": 0, "batch_size": 12, "dtype_policy": kind}, 0.02) for kind in ("mixed_float16", "mixed_bfloat16")),
]


@pytest.mark.parametrize(("settings", "tolerance"), GOES_ON, ids=["fine-tuning", "float16", "bfloat16"])
def test_other_trainings_go_on_too_those_in_16_bits_with_their_loss_scale(
    trained, coloured_squares, tmp_path, assert_same, settings, tolerance
):
    recipe = replace(RECIPE, epochs=2, learning_rate=0.02, **settings)
    try:
        runs = [trained(recipe, tmp_path / name, until=until) for name, until in (("a", 2), ("b", 1), ("b", 2))]
    finally:
        keras.config.set_dtype_policy("float32")
    assert_same(tmp_path / "a", tmp_path / "b", tolerance)
    if recipe.freeze:
        ours, theirs = (predictions(training, coloured_squares) for training in (runs[0], runs[2]))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


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
