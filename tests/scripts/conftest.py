"""Runs a command in this process, as its line would, in a folder with photographs, a net, and files that are none."""

import runpy
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerastrash.export.formats import FORMATS
from kerastrash.export.writing import write_model
from kerastrash.models import Conv, InvertedResidual, Pool, build_model
from kerastrash.models.saved import open_model, save_model

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.append(str(SCRIPTS / "benchmarks"))  # where Python finds what one of them imports of another


@pytest.fixture
def script(monkeypatch, capsys) -> Callable[[str], tuple[int, str, str]]:
    """`script("tune --data images")` -> exit status, standard output, standard error without its line breaks."""

    def run(line: str) -> tuple[int, str, str]:
        name, *arguments = shlex.split(line)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        try:
            runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
            status = 0
        except SystemExit as stop:
            status = stop.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err.replace("\n", " ")

    return run


@pytest.fixture
def done(script) -> Callable[[str], tuple[str, str]]:
    """`done("tune --data images")` -> standard output and error of a command that ends with status 0."""

    def run(line: str) -> tuple[str, str]:
        status, out, error = script(line)
        assert status == 0, error
        return out, error

    return run


@pytest.fixture
def refused(script) -> Callable[[str], str]:
    """`refused("tune --data absent")` -> what is said by a command that ends with status 2."""

    def run(line: str) -> str:
        status, out, error = script(line)
        assert status == 2, error
        assert "Traceback" not in error
        assert not out or "crops by class" in out  # no results but the summary of the data
        return error

    return run


@pytest.fixture(scope="session")
def stock(tmp_path_factory) -> Path:
    """The files of `here`."""
    folder, rng = tmp_path_factory.mktemp("stock"), np.random.default_rng(9)
    for name, ground in (("dark", 0), ("light", 150)):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(12):
            pixels = ground + rng.integers(0, 100, (16, 16, 3))
            Image.fromarray(pixels.astype("uint8")).save(folder / "images" / name / f"{number}.png")
    (folder / "net.yaml").write_text("- conv: {channels: 8, kernel: 3, stride: 2}\n- pool\n")
    rows = (Conv(16, kernel=3, stride=2), InvertedResidual(3, 4, 16, squeeze_excite=True), Conv(32), Pool())
    model = build_model(rows, 16, classes=2)
    save_model(model, folder / "mine" / "best.keras", ("dark", "light"))
    model.save(folder / "unnamed.keras")
    (folder / "empty").mkdir()
    for name in ("file", "bad.keras", "bad.onnx"):
        (folder / name).write_text("not a model")
    return folder


@pytest.fixture
def here(stock, tmp_path, monkeypatch) -> Path:
    """The working folder, a copy of `stock`.

    images/ holds the classes dark and light, twelve images of 16 px each. net.yaml is a tiny net; mine/best.keras an
    untrained one, of 16 px, unnamed.keras the same without class names.
    empty/, file, bad.keras and bad.onnx are what they say.
    """
    shutil.copytree(stock, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def net_onnx(here) -> Path:
    """mine/best.keras as net.onnx."""
    if missing := FORMATS["onnx"].missing():
        pytest.skip(f"ONNX cannot be written here: {missing}")
    return write_model(open_model(here / "mine" / "best.keras"), "onnx", here / "net.onnx")
