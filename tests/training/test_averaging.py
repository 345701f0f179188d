"""Averaged weights: their formula, what is validated and kept, and that a kill changes nothing."""

import dataclasses

import h5py
import keras
import numpy as np
import pytest
from keras import ops

from kerastrash.files import read_csv
from kerastrash.models.saved import open_model
from kerastrash.training.batches import CropBatches
from kerastrash.training.callbacks import WeightAverage
from kerastrash.training.checkpoint import BEST, LAST, METRICS, EpochRecorder
from kerastrash.training.losses import CrossEntropy
from kerastrash.training.optimizer import recipe_optimizer
from kerastrash.training.recipe import Recipe

RECIPE = Recipe(epochs=4, batch_size=12, learning_rate=0.05, n_select=1, workers=0, average=0.9)


def copies(variables) -> list[np.ndarray]:
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


@pytest.fixture
def shifted(build):
    """A net and averages that differ from its weights."""
    net = build()
    average = WeightAverage(net, 0.9, None)
    for variable in average.averages:
        variable.assign(ops.convert_to_numpy(variable) + 0.3)
    return net, average


@pytest.mark.backends
@pytest.mark.parametrize("decay", [0.25, 0.999])
def test_the_average_follows_its_formula_for_weights_and_statistics(coloured_squares, build, decay):
    keras.utils.set_random_seed(4)
    part = coloured_squares.split("val")
    data = CropBatches(part.images, part.indices, part.labels, 4)
    net = build()
    net.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    average, seen = WeightAverage(net, decay, data), [copies(net.weights)]
    average.on_epoch_end = lambda *_: None  # no metrics here
    watching = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(copies(net.weights)))
    net.fit(data, epochs=4, callbacks=[average, watching], shuffle=False, verbose=0)
    expected, *weights_after = seen
    for step, weights in enumerate(weights_after, 1):
        share = min(decay, (1 + step) / (10 + step))
        expected = [share * mean + (1 - share) * weight for mean, weight in zip(expected, weights, strict=True)]
    assert len(weights_after) == 4 * len(data)
    for found, mean, variable in zip(copies(average.averages), expected, net.weights, strict=True):
        np.testing.assert_allclose(found, mean, rtol=1e-4, atol=1e-6, err_msg=variable.path)
    assert any("moving" in variable.path for variable in net.weights)
    assert any(np.abs(mean - weight).max() > 1e-3 for mean, weight in zip(expected, weights, strict=True))


@pytest.mark.backends
def test_the_averages_are_swapped_in_and_out_bit_for_bit(shifted):
    net, average = shifted
    weights, averages = copies(net.weights), copies(average.averages)
    with average.swapped_in():
        assert all(map(np.array_equal, copies(net.weights), averages))
    assert all(map(np.array_equal, copies(net.weights), weights))
    assert all(map(np.array_equal, copies(average.averages), averages))


@pytest.mark.backends
@pytest.mark.parametrize("keep", ["best", "last"])
def test_each_kept_net_is_the_better_of_weights_and_averages_or_the_last_ones_averages(
    coloured_squares, tmp_path, shifted, keep
):
    (net, average), images = shifted, coloured_squares.images[:4]
    with average.swapped_in():
        averaged = ops.convert_to_numpy(net(images))
    raw = ops.convert_to_numpy(net(images))
    net.compile(recipe_optimizer(RECIPE, 10), CrossEntropy([1, 1, 1]))
    net.optimizer.build(net.trainable_variables)
    recorder = EpochRecorder(tmp_path, 0, coloured_squares.classes, net, average, keep)
    recorder.set_model(net)
    figures = [(0.2, 0.3, averaged), (0.4, 0.3, raw), (0.4, 0.1, raw), (0.1, 0.4, raw), (0.4, 0.5, averaged)]
    for epoch, (f1, averaged_f1, kept) in enumerate(figures):
        recorder.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 1.0, "val_macro_f1": f1, "averaged_f1": averaged_f1})
        recorder.wait()
        kept = averaged if keep == "last" else kept
        found = ops.convert_to_numpy(open_model(tmp_path / BEST)(images))
        np.testing.assert_allclose(found, kept, rtol=1e-4, atol=1e-4, err_msg=str(epoch))
    better = ["averaged", "raw", "raw", "averaged", "averaged"]
    assert [row["weights"] for row in recorder.rows] == (["averaged"] * 5 if keep == "last" else better)


@pytest.mark.backends
def test_averages_survive_a_kill_bit_for_bit_and_change_nothing_of_the_training_itself(
    trained, build, tmp_path, figures, monkeypatch
):
    plain, whole, killed = (tmp_path / name for name in ("plain", "whole", "killed"))
    trained(dataclasses.replace(RECIPE, average=0.0), plain)
    trained(RECIPE, whole)
    trained(RECIPE, killed, until=2)
    with h5py.File(killed / LAST) as file:
        saved = [file[str(number)][()] for number in range(len(file))][-len(build().weights) :]  # the averages
    seen = []

    class Watching(WeightAverage):
        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            seen.append((self.step, copies(self.averages)))

    monkeypatch.setattr("kerastrash.training.fit.WeightAverage", Watching)
    trained(RECIPE, killed)
    step, restored = seen[0]
    assert step == 2 * 3
    assert all(map(np.array_equal, restored, saved))
    with h5py.File(killed / LAST) as ours, h5py.File(whole / LAST) as theirs:
        assert ours.keys() == theirs.keys()
        for name in theirs:
            np.testing.assert_allclose(ours[name][()], theirs[name][()], rtol=1e-4, atol=1e-5)
    columns = ("loss", "val_loss", "val_macro_f1", "averaged_f1")
    np.testing.assert_allclose(figures(killed, *columns), figures(whole, *columns), rtol=1e-4)
    assert {(row["averaged_f1"], row["weights"]) for row in read_csv(plain / METRICS)} == {("", "raw")}
    np.testing.assert_allclose(figures(plain, *columns[:2]), figures(whole, *columns[:2]), rtol=1e-4)
