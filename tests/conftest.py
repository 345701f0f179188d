"""Shared fixtures: the backend under test and the folder of real data and golden outputs."""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import pytest

SHARED = Path(os.environ.get("KERASTRASH_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real photographs and golden outputs; the test skips, saying so, where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: set KERASTRASH_SHARED to the folder with data/ and golden/")
    return SHARED
