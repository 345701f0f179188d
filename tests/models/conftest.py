"""What several tests build their nets with: a dtype policy, and tensors of a PyTorch state."""

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import pytest


@pytest.fixture
def policy(request) -> Iterator[str]:
    """Sets the policy that the test is parametrised with, and the earlier one afterwards."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.fixture(scope="session")
def filled() -> Callable[[Sequence, int], dict[str, np.ndarray]]:
    """Fills a state of [key, shape] with the draws of a seed, in its order, as golden/README.md describes."""

    def fill(state: Sequence, seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)

        def draw(key: str, shape: list[int]) -> np.ndarray:
            if key.endswith("running_var"):
                return rng.uniform(0.5, 1.5, shape)
            if key.endswith(("running_mean", "bias")):
                return 0.1 * rng.standard_normal(shape)
            if len(shape) == 1:
                return rng.uniform(0.5, 1.5, shape)
            return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))

        return {key: draw(key, shape).astype("float32") for key, shape in state}

    return fill
