"""Every choice of the space is a net that can be built, and recipes take what was chosen."""

import math

import keras_tuner
import pytest

from kerastrash.errors import ConfigError
from kerastrash.models import build_model, parameters
from kerastrash.training.recipe import Recipe
from tuners.space import Space, declare, recipe_of, rows_of


def draw(seed, space=Space(), sizes=(48, 64)):  # noqa: B008
    hp = keras_tuner.HyperParameters()
    declare(hp, space, sizes)
    values = {}
    for number, parameter in enumerate(hp.space):
        if all(condition.is_active(values) for condition in parameter.conditions):
            values[parameter.name] = parameter.random_sample(seed * 100 + number)
    return values


@pytest.mark.parametrize("seed", range(4))
def test_any_choice_is_a_net_of_the_counted_size(seed):
    values = draw(seed)
    rows = rows_of(values)
    model = build_model(rows, values["input_size"])
    assert parameters(rows) == sum(math.prod(weight.shape) for weight in model.trainable_weights)


def test_more_stages_repeats_and_width_make_a_larger_net():
    base = draw(1, Space(stages=(2,), repeats=(1,), widths=(0.5,)))
    stages = draw(1, Space(stages=(3,), repeats=(1,), widths=(0.5,)))
    assert parameters(rows_of({**base, "width": 1.0})) > parameters(rows_of(base))
    assert parameters(rows_of({**base, "repeats_1": 3})) > parameters(rows_of(base))
    assert parameters(rows_of(stages)) > parameters(rows_of(base))


def test_the_recipe_takes_what_was_chosen_and_keeps_the_rest():
    values = {"n_select": 3, "loss": "logit_adjusted", "learning_rate": 0.2, "batch_size": 32}
    recipe = recipe_of(values, Recipe(cutout=0.3, epochs=7))
    assert recipe == Recipe(cutout=0.3, epochs=7, **values)


@pytest.mark.parametrize(
    "settings",
    [{"kernels": ()}, {"stages": (9,)}, {"kernels": (4,)}, {"learning_rates": (0.3, 0.1)}, {"repeats": (0,)}],
)
def test_a_space_that_cannot_be_searched_is_named(settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=f"space.{name}"):
        Space(**settings)
