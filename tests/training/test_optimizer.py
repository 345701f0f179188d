"""OneCycle and its SGD against PyTorch's own, step by step."""

import keras
import numpy as np
import pytest

from kerastrash.training.optimizer import recipe_optimizer
from kerastrash.training.recipe import Recipe

pytestmark = pytest.mark.backends
STEPS = 60


def torch_cycle():
    torch = pytest.importorskip("torch")
    weights = torch.nn.Parameter(torch.tensor([[1.0], [-2.0], [0.5]], dtype=torch.float64))
    optimizer = torch.optim.SGD([weights], lr=0.1, momentum=0.9, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=STEPS, pct_start=0.05)
    return torch, weights, optimizer, schedule


def test_rate_and_momentum_follow_pytorchs_one_cycle():
    _, _, optimizer, schedule = torch_cycle()
    for step, (rate, momentum) in enumerate(recipe_optimizer(Recipe(), STEPS).settings_at(np.arange(STEPS))):
        group = optimizer.param_groups[0]
        assert rate == pytest.approx(group["lr"], rel=1e-4, abs=1e-8)
        assert momentum == pytest.approx(group["momentum"], rel=1e-5)
        optimizer.step()
        if step < STEPS - 1:
            schedule.step()


def test_the_schedule_stays_at_its_end_and_is_finite_for_a_single_step():
    (later,) = recipe_optimizer(Recipe(), STEPS).settings_at(np.array([10 * STEPS]))
    assert later == pytest.approx((0.1 / 25 / 1e4, 0.95))
    (only,) = recipe_optimizer(Recipe(), 1).settings_at(np.array([0]))
    assert np.isfinite(only).all()


def test_the_weights_follow_pytorchs_sgd_under_one_cycle_with_l2():
    torch, weights, optimizer, schedule = torch_cycle()
    x = np.random.default_rng(0).standard_normal((STEPS, 8, 3))
    y = x @ np.array([[0.3], [0.1], [-0.7]])
    recipe = Recipe(learning_rate=0.1, weight_decay=0.01)
    variable = keras.Variable(weights.detach().numpy().astype("float32"))
    ours = recipe_optimizer(recipe, STEPS)
    ours.build([variable])
    for step in range(STEPS):
        optimizer.zero_grad()
        ((torch.tensor(x[step]) @ weights - torch.tensor(y[step])) ** 2).mean().backward()
        optimizer.step()
        if step < STEPS - 1:
            schedule.step()
        current = keras.ops.convert_to_numpy(variable).astype("float64")
        gradient = 2 * x[step].T @ (x[step] @ current - y[step]) / 8
        ours.apply([keras.ops.convert_to_tensor(gradient.astype("float32"))], [variable])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), weights.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_the_optimizer_survives_its_configuration():
    optimizer = recipe_optimizer(Recipe(weight_decay=0.02), STEPS, {"row01/kernel": 0.1})
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert copy.l2 == 0.02
    assert copy.rates == {"row01/kernel": 0.1}
    assert float(copy.momentum(7)) == float(optimizer.momentum(7))
