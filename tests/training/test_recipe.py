"""A recipe refuses what is out of range by its name, and its module loads no framework."""

import subprocess
import sys

import pytest

from kerastrash.errors import ConfigError
from kerastrash.training.recipe import Recipe

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
