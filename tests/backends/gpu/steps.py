"""Training steps on the device, recorded as CUDA graphs, do what stock Keras does there, and wait for nothing."""

import contextlib
import os
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops

from kerastrash.backends import is_out_of_memory, training_model
from kerastrash.training.fit import compile_by_recipe
from kerastrash.training.recipe import Recipe

NET = "mobilenetv3_79"
FURTHER = () if os.environ["KERAS_TORCH_DEVICE"] == "cpu" else ("shufflenet_v2_x1_0", "efficientnet_lite0")
SIXTEEN = ("mixed_float16", "mixed_bfloat16")


def variables(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Weights, velocities and moving statistics."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    kinds = model.trainable_variables, optimizer.velocities, model.non_trainable_variables
    return dict(zip(("weights", "velocities", "statistics"), map(list, kinds), strict=True))


def state(model: keras.Model) -> dict[str, np.ndarray]:
    """Those of a kind in one vector."""
    return {
        kind: np.concatenate([ops.convert_to_numpy(variable).ravel() for variable in group])
        for kind, group in variables(model).items()
    }


@pytest.mark.parametrize("name", (NET, "resnet18", *FURTHER))
def test_each_of_twenty_steps_is_that_of_stock_keras(name, made, batch, measure):
    """Each from stock Keras's state: one activation that rounding moves across 0 changes a gradient by a percent."""
    stock, fast = made(name, "float32", graphs=None), made(name, "float32")
    apart = {"losses": 0.0, "weights": 0.0, "velocities": 0.0, "statistics": 0.0}
    for step in range(20):
        for kind, group in variables(fast).items():
            for mine, theirs in zip(group, variables(stock)[kind], strict=True):
                mine.assign(theirs)
        before, losses = state(stock), []
        for model in (stock, fast):
            model.reset_metrics()
            model.train_step(batch(step))
            losses.append(float(model.get_metrics_result()["loss"]))
        apart["losses"] = max(apart["losses"], abs(losses[1] / losses[0] - 1))
        mine, theirs = state(fast), state(stock)
        for kind in before:
            moved = theirs[kind] - (0 if kind == "velocities" else before[kind])
            apart[kind] = max(apart[kind], np.linalg.norm(mine[kind] - theirs[kind]) / np.linalg.norm(moved))
    tolerances = {"losses": 1e-4, "statistics": 1e-3, "velocities": 0.15, "weights": 0.15}
    measure({kind: (apart[kind], tolerance) for kind, tolerance in tolerances.items()})


@pytest.mark.parametrize("policy", ("float32", *SIXTEEN))
def test_graphs_train_as_single_kernels_do(policy, made, losses, measure, rehearsed):
    expected, found = (losses(made(NET, policy, graphs), 12) for graphs in (False, True))
    measure({"losses of ten steps": (np.max(np.abs(found - expected)[:10] / expected[:10]), 2e-2)})
    rehearsed("graphs")


@pytest.mark.parametrize("policy", SIXTEEN)
def test_sixteen_bits_learn_as_float32_does(policy, made, losses, measure, on_gpu):
    expected, found = (losses(made(NET, name, rate=0.1), 50 if on_gpu else 24) for name in ("float32", policy))
    measure({"losses of five steps": (np.max(np.abs(found - expected)[:5] / expected[:5]), 5e-2)})
    assert found[-8:].mean() < 0.9 * found[:8].mean()
    assert found[-8:].mean() < 1.2 * expected[-8:].mean() + 0.05


@contextlib.contextmanager
def nothing_waits() -> Iterator[None]:
    """Inside, whatever waits for the GPU is an error."""
    if not torch.cuda.is_available():
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("graphs", (False, True))
@pytest.mark.parametrize("policy", ("float32", "mixed_float16"))
def test_a_step_never_waits_for_the_device(policy, graphs, made, batch, rehearsed):
    model, here = made(NET, policy, graphs), batch(0)
    for _ in range(5):  # the first are made ready, and recorded
        model.train_step(here)
    with nothing_waits():
        for _ in range(3):
            model.train_step(here)
    rehearsed("waiting")


@pytest.mark.parametrize("where", ("forward", "backward"))
def test_an_overflow_changes_no_weight_no_velocity_and_no_statistic(where, made, batch):
    model = made(NET, "mixed_float16")
    images, labels = batch(0)
    for _ in range(6):
        model.train_step((images, labels))
    if where == "backward":
        model.optimizer.dynamic_scale.assign(2.0**60)
    before, scale = state(model), float(model.optimizer.dynamic_scale)
    model.train_step((ops.full_like(images, 1e30) if where == "forward" else images, labels))
    for kind, values in state(model).items():
        np.testing.assert_array_equal(values, before[kind], err_msg=kind)
    assert float(model.optimizer.dynamic_scale) == scale / 2
    model.optimizer.dynamic_scale.assign(2.0**10)
    model.train_step((images, labels))
    for kind, values in state(model).items():
        assert np.isfinite(values).all() and (values != before[kind]).any(), kind


def test_eleven_hundred_steps_follow_the_schedule(crops, batch, measure):
    """The rates are sent 1,024 at a time; here each step is computed again, in float64."""
    inputs = keras.Input(crops.images.shape[1:])
    means = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(inputs))
    model = training_model(keras.Model(inputs, layers.Dense(6, dtype="float32")(means)))
    compile_by_recipe(model, crops, Recipe(learning_rate=0.1), 1200)
    weights = [np.append(*(ops.convert_to_numpy(each).reshape(-1, 6) for each in model.trainable_variables), axis=0)]
    velocity = np.zeros((4, 6))
    for step, (rate, momentum) in enumerate(model.optimizer.settings_at(np.arange(1100))):
        images, labels = batch(step)
        model.train_step((images, labels))
        known = np.append(ops.convert_to_numpy(images).mean((1, 2), "float64") / 255, np.ones((len(labels), 1)), axis=1)
        odds = np.exp(known @ weights[-1])
        wrong = odds / odds.sum(1, keepdims=True) - np.eye(6)[ops.convert_to_numpy(labels)]
        velocity = momentum * velocity + known.T @ wrong / len(labels)
        weights.append(weights[-1] - rate * velocity)
    found = np.append(*(ops.convert_to_numpy(each).reshape(-1, 6) for each in model.trainable_variables), axis=0)
    assert int(model.optimizer.iterations) == 1100
    measure({"weights": (np.linalg.norm(found - weights[-1]) / np.linalg.norm(weights[-1] - weights[0]), 1e-3)})


def test_two_nets_in_turns_train_as_each_alone(made, batch, losses, measure):
    names = (NET, "mobilenet_v3_small")
    alone = [losses(made(name, "float32"), 12) for name in names]
    models, together = [made(name, "float32") for name in names], [[], []]
    for step in range(12):
        for model, values in zip(models, together, strict=True):
            model.reset_metrics()
            model.train_step(batch(step))
            values.append(model.get_metrics_result()["loss"])
    apart = [np.max(np.abs(found - expected) / expected) for expected, found in zip(alone, together, strict=True)]
    measure({f"losses of {name}": (each, 1e-3) for name, each in zip(names, apart, strict=True)})


def test_memory_that_runs_out_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        keras.ops.zeros((2**50,))
    assert is_out_of_memory(caught.value)
