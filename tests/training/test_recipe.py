"""A recipe refuses what is out of range; OneCycle and its SGD are PyTorch's own, step by step."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from kerastrash.errors import ConfigError
from kerastrash.training.optimizer import recipe_optimizer
from kerastrash.training.recipe import Recipe

STEPS = 60
OUT_OF_RANGE = [
    *({"workers": -1}, {"workers": 257}, {"mixup": -0.1}, {"n_level": 0}, {"operations": ("Swirl",)}),
    *({"beta": 1.0}, {"gamma": -1.0}, {"label_smoothing": 1.0}, {"average": 1.0}),
    *({"freeze": -1}, {"backbone_rate": 0.0}, {"backbone_rate": 1.5}),
]


@pytest.mark.parametrize("settings", OUT_OF_RANGE, ids=str)
def test_settings_out_of_range_are_refused_by_name(settings):
    ((name, value),) = settings.items()
    with pytest.raises(ConfigError, match=f"{name}={value!r} ".replace("(", r"\(").replace(")", r"\)")):
        Recipe(**settings)


@pytest.mark.parametrize("module", ["kerastrash.training.recipe", "kerastrash.augment", "kerastrash.metrics"])
def test_modules_of_settings_import_neither_keras_nor_a_backend(module):
    heavy = ("keras", "torch", "jax", "tensorflow", "rich")
    program = f"import {module}, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.backends
def test_rate_and_momentum_follow_pytorchs_one_cycle():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=STEPS, pct_start=0.05)
    for step, (rate, momentum) in enumerate(recipe_optimizer(Recipe(), STEPS).settings_at(np.arange(STEPS))):
        group = optimizer.param_groups[0]
        assert rate == pytest.approx(group["lr"], rel=1e-4, abs=1e-8)
        assert momentum == pytest.approx(group["momentum"], rel=1e-5)
        optimizer.step()
        if step < STEPS - 1:
            schedule.step()


@pytest.mark.backends
def test_the_schedule_stays_at_its_end_and_is_finite_for_a_single_step():
    (later,) = recipe_optimizer(Recipe(), STEPS).settings_at(np.array([10 * STEPS]))
    assert later == pytest.approx((0.1 / 25 / 1e4, 0.95))
    (only,) = recipe_optimizer(Recipe(), 1).settings_at(np.array([0]))
    assert np.isfinite(only).all()


@pytest.mark.backends
def test_the_weights_follow_pytorchs_sgd_with_a_slower_group_and_l2_of_kernels_alone():
    torch = pytest.importorskip("torch")
    start = {"row": np.array([[1.0, -2.0]]), "bias": np.array([0.3]), "logits": np.array([[0.5, 4.0]])}
    weights = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in start.items()}
    groups = [{"params": [weights["row"]]}, {"params": [weights["bias"]], "weight_decay": 0.0}]
    groups = [group | {"lr": 0.01} for group in groups] + [{"params": [weights["logits"]], "lr": 0.1}]
    theirs = torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(theirs, max_lr=[0.01, 0.01, 0.1], total_steps=40, pct_start=0.05)
    variables = {name: keras.Variable(value.astype("float32"), name=name) for name, value in start.items()}
    rates = {variables[name].path: 0.1 for name in ("row", "bias")}
    ours = recipe_optimizer(Recipe(learning_rate=0.1, weight_decay=0.01), 40, rates)
    ours.build(list(variables.values()))
    rng = np.random.default_rng(0)
    for step in range(40):
        gradients = {name: rng.standard_normal(value.shape) for name, value in start.items()}
        for name, gradient in gradients.items():
            weights[name].grad = torch.tensor(gradient)
        theirs.step()
        if step < 39:
            schedule.step()
        ours.apply(
            [keras.ops.convert_to_tensor(gradients[name], "float32") for name in start], list(variables.values())
        )
    for name, variable in variables.items():
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(variable), weights[name].detach().numpy(), rtol=1e-4, atol=1e-5, err_msg=name
        )


@pytest.mark.backends
def test_the_optimizer_survives_its_configuration():
    optimizer = recipe_optimizer(Recipe(weight_decay=0.02), STEPS, {"row01/kernel": 0.1})
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert copy.l2 == 0.02
    assert copy.rates == {"row01/kernel": 0.1}
    assert float(copy.momentum(7)) == float(optimizer.momentum(7))
