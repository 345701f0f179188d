"""Exported files on a device: opened and run where neither Keras nor torch nor tensorflow is installed.

`make test-device` makes the files with make_exported.py in the full environment and runs this in that of a device;
KERASTRASH_EXPORTED names the folder between them.
"""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerastrash.classifier import Classifier
from kerastrash.errors import ConfigError
from kerastrash.export.format import softmax
from kerastrash.export.formats import open_runtime

EXPORTED = os.environ.get("KERASTRASH_EXPORTED")
if not EXPORTED:
    reason = "KERASTRASH_EXPORTED names no folder of tests/device/make_exported.py: run make test-device"
    pytest.skip(reason, allow_module_level=True)
FOLDER = Path(EXPORTED)
FLOAT32 = ("net.onnx", "net.xml", "net.tflite")
FLOAT16 = "net-float16.onnx"
SOFTMAX = "net-softmax.tflite"
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "predict.py"


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    """`images`, uint8 (n, size, size, 3), and the Keras model's `logits`, float32 (n, classes)."""
    with np.load(FOLDER / "expected.npz") as file:
        return dict(file)


@pytest.mark.parametrize("package", ["keras", "torch", "tensorflow", "jax", "onnx"])
def test_what_trains_and_converts_is_not_installed_here(package):
    assert importlib.util.find_spec(package) is None


def test_the_photographs_get_different_classes(expected):
    assert len(np.unique(expected["logits"].argmax(axis=1))) >= 3


@pytest.mark.parametrize("name", [*FLOAT32, FLOAT16, SOFTMAX])
def test_a_file_opens_and_gives_the_models_logits_or_probabilities(name, expected):
    net, logits = open_runtime(FOLDER / name), expected["logits"]
    wanted, tolerance = softmax(logits) if name == SOFTMAX else logits, 2e-2 if name == FLOAT16 else 1e-4
    assert_same(net(expected["images"]), wanted, tolerance)
    assert_same(net(expected["images"][:1]), wanted[:1], tolerance)


def by_onnxruntime(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return lambda images: session.run(None, {session.get_inputs()[0].name: images})[0]


def by_openvino(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: compiled(images)[0]


def by_litert(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    entry, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(images: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(entry, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry, images)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return run


@pytest.mark.parametrize(("name", "opened"), list(zip(FLOAT32, (by_onnxruntime, by_openvino, by_litert), strict=True)))
def test_a_file_runs_by_the_runtimes_own_interface_alone(name, opened, expected):
    assert_same(opened(FOLDER / name)(expected["images"].astype("float32")), expected["logits"], 1e-4)


@pytest.mark.parametrize("name", [*FLOAT32, SOFTMAX])
def test_the_classifier_reads_image_files_and_names_the_classes(name, expected):
    classifier = Classifier(FOLDER / name)
    classes = json.loads((FOLDER / f"{name}.json").read_text())["description"]["classes"]
    predictions = classifier.predict(sorted((FOLDER / "images").iterdir()))
    probabilities = softmax(expected["logits"])
    labels = [classes[index] for index in probabilities.argmax(axis=1)]
    assert [prediction.label for prediction in predictions] == labels
    found = [[prediction.probabilities[label] for label in classes] for prediction in predictions]
    np.testing.assert_allclose(found, probabilities, atol=1e-3)


@pytest.mark.parametrize("name", FLOAT32)
def test_predict_prints_a_class_and_a_probability_for_each_image(name, expected):
    done = predict(FOLDER / name, FOLDER / "images", "--json")
    assert done.returncode == 0, done.stderr
    predictions = [json.loads(line) for line in done.stdout.splitlines()]
    classes = Classifier(FOLDER / name).classes
    assert [classes.index(each["label"]) for each in predictions] == expected["logits"].argmax(axis=1).tolist()


@pytest.mark.parametrize(("name", "package"), [("net.keras", "keras"), ("net.pt2", "torch")])
def test_a_file_whose_runtime_is_absent_names_the_package(name, package, tmp_path):
    path = FOLDER / name
    if not path.exists():
        path = tmp_path / name
        zipfile.ZipFile(path, "w").close()
    with pytest.raises(ConfigError, match=rf"{package} is not installed: run pip install"):
        open_runtime(path)
    done = predict(path, FOLDER / "images")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def predict(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def assert_same(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """The same classes, and no output further off than `tolerance` times the largest."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()
    second, first = np.sort(expected, axis=1)[:, -2:].T
    clear = first - second > 2 * tolerance * np.abs(expected).max()
    assert (found.argmax(axis=1) == expected.argmax(axis=1))[clear].all()
