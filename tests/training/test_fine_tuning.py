"""Fine-tuning: what is frozen stays bit for bit, the rest learns at its own rate, and the file trains whole again."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from kerastrash.errors import ConfigError
from kerastrash.training.checkpoint import trainable_copy
from kerastrash.training.fit import backbone_rates, set_trainable
from kerastrash.training.recipe import Recipe

RECIPE = Recipe(epochs=2, batch_size=12, learning_rate=0.05, n_select=0, weight_decay=1e-2, workers=0)


def tuned(**settings) -> Recipe:
    return dataclasses.replace(RECIPE, **settings)


def values(net: keras.Model) -> dict[str, np.ndarray]:
    return {variable.path: np.array(ops.convert_to_numpy(variable)) for variable in net.variables}


FROZEN = [
    ({"freeze": 2}, lambda path: path.startswith(("row01_", "row02_"))),  # statistics among them
    ({"norms": "frozen"}, lambda path: path.endswith(("gamma", "beta", "moving_mean", "moving_variance"))),
    ({"freeze": 4}, lambda path: path not in ("logits/kernel", "logits/bias")),
]


@pytest.mark.backends
@pytest.mark.parametrize(("settings", "frozen"), FROZEN, ids=["two rows", "norms", "all rows"])
def test_what_is_frozen_stays_bit_for_bit_and_all_else_learns_but_the_kept_file_trains_whole(
    build, trained, tmp_path, settings, frozen
):
    net = build()
    for variable in net.variables:  # statistics, scales and shifts that are not 0 and 1
        if "_norm" in variable.path:
            variable.assign(ops.convert_to_numpy(variable) + 0.1)
    before = values(net)
    training = trained(tuned(**settings), tmp_path, net=lambda: net)
    kept = {path for path, value in values(net).items() if np.array_equal(value, before[path])}
    assert kept == {path for path in before if frozen(path)}
    assert set() < kept < set(before)
    opened = keras.saving.load_model(training.model)
    assert all(layer.trainable for layer in opened.layers)
    assert len(opened.trainable_variables) == len(build().trainable_variables)


@pytest.mark.backends
def test_a_net_that_was_frozen_before_trains_by_the_recipe_alone(build):
    net = build()
    net.get_layer("row01_conv").trainable = False
    set_trainable(net, RECIPE)
    assert len(net.trainable_variables) == len(build().trainable_variables)
    set_trainable(net, tuned(freeze=1))
    frozen = [layer.name for layer in net.layers if not layer.trainable]
    assert frozen and all(name.startswith("row01_") for name in frozen)
    assert all(layer.trainable for layer in trainable_copy(net).layers)
    assert [layer.name for layer in net.layers if not layer.trainable] == frozen


def test_norms_inside_a_nested_model_are_frozen_too():
    block = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.BatchNormalization(), keras.layers.Flatten()])
    inputs = keras.Input((16, 16, 3))
    net = keras.Model(inputs, keras.layers.Dense(3)(block(inputs)))
    set_trainable(net, tuned(norms="frozen"))
    assert len(net.trainable_variables) == 2
    assert len(trainable_copy(net).trainable_variables) == 4
    assert len(net.trainable_variables) == 2


def test_more_rows_than_the_net_has_and_rates_of_a_net_without_a_classifier_are_refused(build):
    with pytest.raises(ConfigError, match=r"freeze=5: .* has 4 rows; freeze at most 4"):
        set_trainable(build(), tuned(freeze=5))
    inputs = keras.Input((16, 16, 3))
    net = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    with pytest.raises(ConfigError, match=r"freeze=1: .* no layers named rowNN_"):
        set_trainable(net, tuned(freeze=1))
    with pytest.raises(ConfigError, match=r"backbone_rate=0\.1: .* no layer named logits"):
        backbone_rates(net, tuned(backbone_rate=0.1))
    set_trainable(net, RECIPE)
    assert backbone_rates(net, RECIPE) is None


def test_every_layer_but_the_classifier_has_the_backbones_rate(build):
    net = build()
    rates = backbone_rates(net, tuned(backbone_rate=0.2))
    assert set(rates.values()) == {0.2}
    assert {variable.path for variable in net.trainable_variables} - set(rates) == {"logits/kernel", "logits/bias"}


def test_a_slower_backbone_moves_less_while_the_classifier_learns(build, trained, tmp_path):
    def moved(rate: float) -> list[float]:
        net = build()
        before = values(net)
        trained(tuned(epochs=1, backbone_rate=rate), tmp_path / str(rate), net=lambda: net)
        return [np.abs(values(net)[path] - before[path]).mean() for path in ("row01_conv/kernel", "logits/kernel")]

    (backbone, classifier), (slow_backbone, its_classifier) = moved(1.0), moved(0.01)
    assert slow_backbone < 0.1 * backbone
    assert its_classifier > 0.3 * classifier
