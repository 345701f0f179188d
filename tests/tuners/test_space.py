"""Every choice of the space is a net that can be built, and recipes take what was chosen."""

import itertools
import math

import keras_tuner
import pytest

from kerastrash.errors import ConfigError, ModelError
from kerastrash.models import build_model, macs, parameters, preset, preset_names
from kerastrash.training.recipe import Recipe
from tuners.config import Space, TuneConfig, declare, recipe_of, rows_of


def draw(seed, **settings):
    hp = keras_tuner.HyperParameters()
    declare(hp, TuneConfig(**settings))
    values = {}
    for number, parameter in enumerate(hp.space):
        if all(condition.is_active(values) for condition in parameter.conditions):
            values[parameter.name] = parameter.random_sample(seed * 100 + number)
    return values


@pytest.mark.parametrize(("seed", "net"), [*((seed, None) for seed in range(4)), (0, "resnet18")])
def test_any_choice_is_a_net_of_the_counted_size(seed, net):
    values = draw(seed, net=net)
    rows = rows_of(values, net)
    model = build_model(rows, values["input_size"])
    assert parameters(rows) == sum(math.prod(weight.shape) for weight in model.trainable_weights)


def test_more_stages_repeats_and_width_make_a_larger_net():
    base = draw(1, space=Space(stages=(2,), repeats=(1,), widths=(0.5,)))
    stages = draw(1, space=Space(stages=(3,), repeats=(1,), widths=(0.5,)))
    assert parameters(rows_of({**base, "width": 1.0})) > parameters(rows_of(base))
    assert parameters(rows_of({**base, "repeats_1": 3})) > parameters(rows_of(base))
    assert parameters(rows_of(stages)) > parameters(rows_of(base))


@pytest.mark.parametrize("net", preset_names())
def test_every_choice_of_width_and_depth_is_a_net_no_larger_than_the_preset(net):
    sizes = {}
    for width, depth in itertools.product((0.5, 0.75, 1.0), Space().depths):
        rows = rows_of({"width": width, "depth": depth}, net)
        sizes[width, depth] = parameters(rows)
        assert macs(rows, 64) > 0  # the rows follow each other
    assert sizes[1.0, 1.0] == parameters(preset(net)) == max(sizes.values())
    assert sizes[0.5, 1.0] < sizes[0.75, 1.0] < sizes[1.0, 1.0]
    assert sizes[1.0, 0.5] < sizes[1.0, 1.0] and sizes[1.0, 0.5] <= sizes[1.0, 0.75] <= sizes[1.0, 1.0]


def test_a_net_that_is_unknown_or_runs_out_of_pixels_is_refused_at_once():
    with pytest.raises(ModelError, match="no such net; did you mean resnet18"):
        TuneConfig(net="resnet19")
    with pytest.raises(ModelError, match="at input size 8"):
        TuneConfig(net="resnet18", input_sizes=(64, 8))


def test_the_recipe_takes_what_was_chosen_and_keeps_the_rest():
    values = {"n_select": 3, "loss": "logit_adjusted", "learning_rate": 0.2, "batch_size": 32}
    recipe = recipe_of(values, Recipe(cutout=0.3, epochs=7))
    assert recipe == Recipe(cutout=0.3, epochs=7, **values)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(("kernels", ()), ("kernels", (4,)), ("stages", (9,)), ("learning_rates", (0.3, 0.1))),
        *(("repeats", (0,)), ("depths", (0.0,)), ("widths", (-1.0,))),
    ],
)
def test_a_space_that_cannot_be_searched_is_named(name, values):
    with pytest.raises(ConfigError, match=f"space.{name}"):
        Space(**{name: values})
