"""Runs a script in this process, as its command line would; and photographs for it to train on."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """`script("tune", "--data", ...)` -> exit status, standard output, standard error without its line breaks."""

    def run(name: str, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        try:
            runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
            status = 0
        except SystemExit as stop:
            status = stop.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err.replace("\n", " ")

    return run


NET = "- conv: {channels: 8, kernel: 3, stride: 2}\n- pool\n"


@pytest.fixture(scope="session")
def draw_classes() -> Callable[[Path, int], None]:
    """`draw_classes(folder, 12)`: as many images of 16 px of each of two classes, dark and light, in folder/images."""

    def draw(folder: Path, count: int) -> None:
        rng = np.random.default_rng(9)
        for name, ground in (("dark", 0), ("light", 150)):
            (folder / "images" / name).mkdir(parents=True)
            for number in range(count):
                pixels = ground + rng.integers(0, 100, (16, 16, 3))
                Image.fromarray(pixels.astype("uint8")).save(folder / "images" / name / f"{number}.png")

    return draw


@pytest.fixture
def arguments(tmp_path, draw_classes):
    """A command line up to the net: two classes of twelve photographs of 16 px, three epochs."""
    draw_classes(tmp_path, 12)
    (tmp_path / "net.yaml").write_text(NET)
    folders = ["--data", tmp_path / "images", "--cache", tmp_path / "cache", "--runs", tmp_path / "runs"]
    baseline = ["--baseline-net", tmp_path / "net.yaml", "--baseline-size", 16, "--timed-images", 2]
    return [*folders, *baseline, "--epochs", 3, "--batch-size", 4]
