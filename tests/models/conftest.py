"""The dtype policy under which a test builds its nets."""

from collections.abc import Iterator

import keras
import pytest


@pytest.fixture
def policy(request) -> Iterator[str]:
    """Sets the policy that the test is parametrised with, and the earlier one afterwards."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)
