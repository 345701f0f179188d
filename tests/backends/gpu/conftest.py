"""What the tests on a GPU share. Where KERAS_TORCH_DEVICE is `cpu` a processor rehearses them, with small nets.

What a test measures stands among its properties, with its tolerance, for the report of `make gpu`.
"""

import os
from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import ops

from kerastrash.backends import set_tf32, training_model
from kerastrash.data import Dataset
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy
from kerastrash.training.fit import compile_by_recipe
from kerastrash.training.recipe import Recipe

ON_GPU = os.environ["KERAS_TORCH_DEVICE"].startswith("cuda")
SIZE, BATCH = (64, 32) if ON_GPU else (32, 4)


@pytest.fixture(scope="session")
def on_gpu() -> bool:
    return ON_GPU


@pytest.fixture(autouse=True)
def exact_float32():
    set_tf32(False)


@pytest.fixture
def rehearsed() -> Callable[[str], None]:
    """`rehearsed("graphs")`: ends a test that means nothing on a processor, on which it has run all the same."""

    def end(what: str) -> None:
        if not ON_GPU:
            pytest.skip(f"{what}: not on this device, rehearsed alone")

    return end


@pytest.fixture
def measure(record_property) -> Callable[[dict[str, tuple[float, float]]], None]:
    """`measure({"losses": (2e-6, 1e-3)})`: keeps figures for the report, each to be within its tolerance."""

    def keep(figures: dict[str, tuple[float, float]]) -> None:
        for what, (figure, tolerance) in figures.items():
            record_property(what, f"{figure:.1e} (at most {tolerance:.2g})")
        for what, (figure, tolerance) in figures.items():
            assert figure <= tolerance, f"{what}: {figure:.2e} is above {tolerance:.2g}"

    return keep


@pytest.fixture(scope="session")
def crops() -> Dataset:
    return synthetic_dataset(8 * BATCH, BATCH, SIZE)


@pytest.fixture(scope="session")
def build() -> Callable[..., keras.Model]:
    """`build("resnet18", "mixed_float16")`: the net for the crops, its weights the same every time."""

    def built(name: str, policy: str = "float32", size: int = SIZE) -> keras.Model:
        keras.utils.set_random_seed(4)
        scale = {} if ON_GPU else {"width": 0.25, "depth": 0.3}
        return in_policy(build_model(name, size, **scale), policy)

    return built


@pytest.fixture
def made(build, crops) -> Callable[..., keras.Model]:
    """`made("resnet18", "float32", graphs=True)`: the net compiled to train; with graphs=None stock Keras's."""

    def compiled(name: str, policy: str, graphs: bool | None = True, rate: float = 0.002) -> keras.Model:
        net = build(name, policy)
        model = net if graphs is None else training_model(net, graphs)
        compile_by_recipe(model, crops, Recipe(learning_rate=rate), 1000)
        model.optimizer.build(model.trainable_variables)
        return model

    return compiled


@pytest.fixture
def batch(crops) -> Callable[[int], tuple]:
    """`batch(3)`: images, float32, and labels on the device, others in each of eight steps."""

    def at(step: int) -> tuple:
        rows = np.arange(BATCH) + step % 8 * BATCH
        return ops.convert_to_tensor(crops.images[rows], "float32"), ops.convert_to_tensor(crops.labels[rows])

    return at


@pytest.fixture
def losses(batch) -> Callable[[keras.Model, int], np.ndarray]:
    """`losses(model, 20)`: trains, and gives the loss of each step."""

    def trained(model: keras.Model, steps: int) -> np.ndarray:
        values = []
        for step in range(steps):
            model.reset_metrics()
            model.train_step(batch(step))
            values.append(float(model.get_metrics_result()["loss"]))
        return np.array(values)

    return trained
