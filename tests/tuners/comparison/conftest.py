"""Systems files small enough for a test: nets of 16 px on the photographs of the searches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

TINY = "- conv: {channels: 16, kernel: 3, stride: 2}\n- conv: {channels: 16, kernel: 3}\n- pool\n"
SystemsWriter = Callable[..., Path]


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
        path = folder / "systems.yaml"
        path.write_text(yaml.safe_dump({**document, **fields}, sort_keys=False))
        return path

    return write
