"""`scripts/export.py` from the command line."""

import keras
import pytest

from kerastrash.export.formats import FORMATS
from kerastrash.models import build_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory, draw_classes):
    """Twenty images of two classes, and a net for them."""
    folder = tmp_path_factory.mktemp("export")
    draw_classes(folder, 10)
    keras.utils.set_random_seed(4)
    build_model("mobilenetv3_79", 32, classes=2, width=0.25).save(folder / "net.keras")
    return folder


@pytest.fixture
def data(folder):
    return ("--data", folder / "images", "--cache", folder / "cache")


def test_each_format_is_a_row_and_a_failed_one_says_why(script, folder, data):
    if FORMATS["onnx"].missing():
        pytest.skip(f"ONNX cannot be written here: {FORMATS['onnx'].missing()}")
    status, out, err = script(
        "export",
        folder / "net.keras",
        *data,
        "--formats",
        "torch",
        "onnx",
        "--precision",
        "float16",
        "--classes",
        "a",
        "b",
    )
    assert status == 1
    assert "net-float16.onnx" in out and "onnxruntime" in out and "100.0% of 4" in out
    assert "failed, see below" in out and "torch: precision='float16' is not for torch" in " ".join(out.split())
    assert {path.name for path in (folder / "exports").iterdir()} == {"net-float16.onnx", "net-float16.onnx.json"}
    assert "names no classes" not in err


def test_all_is_well_with_status_0_and_missing_class_names_are_mentioned(script, folder, data, tmp_path):
    status, out, err = script("export", folder / "net.keras", *data, "--formats", "keras", "--output", tmp_path)
    assert (status, {path.name for path in tmp_path.iterdir()}) == (0, {"net.keras", "net.keras.json"})
    assert "keras-" in out
    assert "net.keras: names no classes" in err and "--classes" in err


def test_a_bad_model_and_a_bad_option_are_sentences_with_status_2(script, folder, data, tmp_path):
    (tmp_path / "bad.keras").write_bytes(b"not a model")
    status, out, err = script("export", tmp_path / "bad.keras", *data, "--formats", "keras")
    assert (status, out) == (2, "") and "bad.keras: not a .keras archive" in err
    status, out, err = script("export", folder / "net.keras", "--formats", "tflite")
    assert status == 2 and "formats" in err
    assert {path.name for path in tmp_path.iterdir()} == {"bad.keras"}
