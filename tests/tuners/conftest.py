"""A search and systems files small enough for a test: three colours as folders of photographs, nets of 16 px."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from kerastrash.data import DataConfig
from kerastrash.scoring.config import ClockConfig
from tuners.config import Space, TuneConfig
from tuners.tune import Tuned, tune

COLOURS = {"Metal": (200, 60, 60), "Paper": (60, 200, 60), "Plastic": (60, 60, 200)}
TINY = "- conv: {channels: 16, kernel: 3, stride: 2}\n- conv: {channels: 16, kernel: 3}\n- pool\n"
SystemsWriter = Callable[..., Path]
SHIFT = 60
"""Deviation of a photograph's colour: so much that the nets make mistakes, and seeds differ."""
SPACE = Space(
    stages=(1, 2), repeats=(1,), widths=(0.25, 0.5), expansions=(2.0,), n_select=(0, 1), batch_sizes=(8,), kernels=(3,)
)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """16 photographs a class, 24 px, a shifted colour with noise."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir()
        for number in range(16):
            pixels = np.clip(rng.normal(rng.normal(colour, SHIFT), 40, (24, 24, 3)), 0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def small_config(photographs: Path, folder: Path) -> TuneConfig:
    """Five trials of one or two epochs."""
    data = DataConfig(data=str(photographs), cache=folder / "cache")
    where = {"data": data, "runs": folder / "runs", "name": "small"}
    clock = ClockConfig(baseline_size=32, timed_images=2, blocks=1)
    return TuneConfig(**where, clock=clock, space=SPACE, input_sizes=(16,), max_epochs=2, factor=2)


@pytest.fixture
def config(photographs, tmp_path) -> TuneConfig:
    """The settings of a small search in a folder of the test's own."""
    return small_config(photographs, tmp_path)


@pytest.fixture(scope="session")
def finished(photographs, tmp_path_factory) -> tuple[Tuned, TuneConfig]:
    """A small search that ran through."""
    config = small_config(photographs, tmp_path_factory.mktemp("search"))
    return tune(config), config


@pytest.fixture(scope="session")
def write_systems(photographs) -> SystemsWriter:
    """`write_systems(folder, {name: ...}, ..., field=value)` writes systems.yaml, and tiny.yaml beside it."""

    def write(folder: Path, *systems: Any, **fields: Any) -> Path:
        (folder / "tiny.yaml").write_text(TINY)
        document = {
            "data": {"data": str(photographs), "cache": str(folder / "cache")},
            "recipe": {"epochs": 1, "batch_size": 8, "n_select": 0, "workers": 0},
            "systems": list(systems),
        }
        (folder / "systems.yaml").write_text(yaml.safe_dump({**document, **fields}, sort_keys=False))
        return folder / "systems.yaml"

    return write
