"""`scripts/prune.py` from the command line: a table and a picture, or a refusal with status 2."""

import json

import keras
import pytest

from kerastrash.models import Conv, InvertedResidual, Pool, build_model
from kerastrash.models.saved import save_model

for package in ("onnx", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed")
if keras.backend.backend() != "torch":
    pytest.skip("the ONNX files that are timed are written on the torch backend", allow_module_level=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, draw_classes):
    """Dark and light images, and an untrained net for them."""
    folder = tmp_path_factory.mktemp("prune")
    draw_classes(folder, 20)
    rows = (Conv(16, kernel=3, stride=2), InvertedResidual(3, 4, 16, squeeze_excite=True), Conv(32), Pool())
    save_model(build_model(rows, 16, classes=2), folder / "mine" / "best.keras", ("dark", "light"))
    return folder


def arguments(folder, tmp_path) -> list:
    data = ["--data", folder / "images", "--cache", folder / "cache"]
    return [folder / "mine" / "best.keras", *data, "--runs", tmp_path, "--epochs", 2, "--steps", 1, "--workers", 0]


def test_the_table_and_the_files(script, folder, tmp_path):
    for _ in range(2):  # the second time as after a kill at the very end
        status, out, error = script("prune", *arguments(folder, tmp_path), "--target", 0.5)
        assert status == 0, error
        assert "before" in out and "after" in out and "-5" in out
    run = tmp_path / "prune-mine"
    report = json.loads((run / "prune.json").read_text())
    assert report["after"]["macs"] <= 0.5 * report["before"]["macs"]
    for name in ("best.keras", "widths.png", "config.yaml"):
        assert (run / name).exists()
    status, _, error = script("prune", *arguments(folder, tmp_path), "--target", 0.4, "--name", "prune-mine")
    assert status == 2
    assert "target=0.5, not 0.4" in error
    assert script("prune", *arguments(folder, tmp_path), "--target", 0.4)[0] == 0
    assert (tmp_path / "prune-mine-2" / "prune.json").exists()  # another run has the next free name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--target", 0.01), ("best.keras: at its narrowest", "a share of 0.", "--target")),
        (("--target", 1), ("target=1", "must lie in (0, 1)")),
        (("--steps", 3), ("epochs=2", "steps=3")),
    ],
)
def test_wrong_settings_end_with_a_sentence(script, folder, tmp_path, options, words):
    status, _, error = script("prune", *arguments(folder, tmp_path), *options)
    assert status == 2
    assert "Traceback" not in error
    for word in words:
        assert word in error
    assert not list(tmp_path.rglob("*.keras"))
    assert not list(tmp_path.glob("prune-*"))  # so the mended command may have the name


def test_a_layer_that_is_not_understood_ends_with_its_name(script, folder, tmp_path):
    image = keras.Input((16, 16, 3))
    x = keras.layers.SeparableConv2D(16, 3, name="strange")(image)
    logits = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    save_model(keras.Model(image, logits), folder / "other" / "best.keras", ("dark", "light"))
    status, _, error = script("prune", folder / "other" / "best.keras", *arguments(folder, tmp_path)[1:])
    assert status == 2
    assert "layer strange (SeparableConv2D) is not understood" in error
