"""`scripts/quantise.py` from the command line: a table, or a refusal with status 2."""

import json
import re

import keras
import pytest

from kerastrash.models import Conv, Pool, build_model
from kerastrash.models.saved import save_model

for package in ("onnx", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed")
if keras.backend.backend() != "torch":
    pytest.skip("the float32 files are written on the torch backend", allow_module_level=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, draw_classes):
    """Dark and light images, and an untrained net for them: what it loses is chance."""
    folder = tmp_path_factory.mktemp("quantise")
    draw_classes(folder, 20)
    keras.utils.set_random_seed(9)
    model = build_model((Conv(8, kernel=3, stride=2), Conv(8), Pool()), 16, classes=2)
    save_model(model, folder / "net.keras", ("dark", "light"))
    return folder


def options(folder) -> tuple[object, ...]:
    return (folder / "net.keras", "--data", folder / "images", "--cache", folder / "cache", "--calibration-images", 8)


def test_a_table_shows_accuracy_and_size_before_and_after(script, folder):
    status, shown, _ = script("quantise", *options(folder), "--force")
    sidecar = json.loads((folder / "exports" / "net-int8.onnx.json").read_text())
    assert status == 0
    for name, figures in (("float32", sidecar["before"]), ("int8", sidecar["after"])):
        row = rf"{name}\D+{figures['bytes'] / 1e6:.3f}\D+{figures['val_f1']:.4f}\D+{figures['test_f1']:.4f}"
        assert re.search(row, shown), shown
    assert (folder / "exports" / "net-int8.onnx").is_file()


def test_other_classes_are_a_sentence_and_status_2_and_write_nothing(script, folder, tmp_path):
    save_model(build_model((Conv(8), Conv(8), Pool()), 16, classes=2), tmp_path / "net.keras", ("light", "dark"))
    status, shown, said = script("quantise", tmp_path / "net.keras", *options(folder)[1:])
    assert (status, shown) == (2, "")
    assert "knows light, dark, but images has 2 classes (dark, light)" in said
    assert [path.name for path in tmp_path.iterdir()] == ["net.keras"]


def test_the_help_names_every_setting(script):
    status, shown, _ = script("quantise", "--help")
    assert status == 0
    for option in ("--runtime", "--output", "--max-loss", "--force", "--calibration-images", "--target", "--data"):
        assert option in shown
