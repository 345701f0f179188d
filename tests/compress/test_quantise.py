"""int8 files: 8 bits where they should be, close to float32, described, and refused where they lose too much."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from kerastrash.compress.config import QuantiseSettings
from kerastrash.compress.quantise import QuantisationReport, quantise
from kerastrash.data import prepare
from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.format import Description
from kerastrash.export.formats import open_runtime
from kerastrash.models import Conv, Pool, build_model
from kerastrash.models.saved import open_model, save_model
from kerastrash.scoring.evaluate import evaluate

SUFFIXES = {"onnx": ".onnx", "openvino": ".xml"}
OTHERS = {"onnx": "nncf", "openvino": "onnxruntime"}  # what a format's extra does not bring
TARGETS = (("vnni", 127, "uint8"), ("x86", 64, "uint8"), ("arm", 127, "int8"))
CLASSES, SIZE = ("checks", "dots", "stripes"), 32

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
openvino = pytest.importorskip("openvino", reason="openvino is not installed")
for package in ("onnxruntime", "nncf"):
    pytest.importorskip(package, reason=f"{package} is not installed")
if keras.backend.backend() != "torch":
    pytest.skip("the float32 files are written on the torch backend", allow_module_level=True)


@pytest.fixture(scope="module", params=SUFFIXES)
def quantised(request, trained, data, tmp_path_factory) -> tuple[Path, QuantisationReport]:
    path = tmp_path_factory.mktemp(request.param) / f"net{SUFFIXES[request.param]}"
    settings = QuantiseSettings(calibration_images=40, max_loss=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, OTHERS[request.param], None)  # the interpreter's own mark for "cannot be imported"
        return path, quantise(trained, request.param, path, data, settings)


@pytest.fixture(scope="module")
def images(data) -> np.ndarray:
    part = prepare(data, SIZE).split("test")
    return np.asarray(part.images[part.indices])


def test_the_outputs_stay_close_to_the_models_for_one_image_and_for_many(quantised, trained, images):
    path, _ = quantised
    expected, net = open_runtime(trained)(images), open_runtime(path)
    scale = np.abs(expected).max()
    assert 1e-5 < np.abs(net(images) - expected).mean() / scale < 0.05
    np.testing.assert_allclose(net(images[:1]), net(images)[:1], atol=0.01 * scale)
    assert net.description == Description(CLASSES, softmax=False, precision="int8")


def test_the_sidecar_has_the_figures_that_both_files_give_and_nothing_else_is_left(quantised, trained, data):
    path, report = quantised
    sidecar = json.loads(path.with_name(f"{path.name}.json").read_text())
    before, after = sidecar["before"], sidecar["after"]
    net, dataset = open_runtime(path), prepare(data, SIZE)
    assert after["val_f1"] == report.after.val_f1 == evaluate(net, dataset.split("val")).macro_f1
    assert after["test_f1"] == evaluate(net, dataset.split("test")).macro_f1
    assert before["test_f1"] == evaluate(open_runtime(trained), dataset.split("test")).macro_f1
    assert before["val_f1"] > 0.6
    files = [file for file in path.parent.iterdir() if file.suffix != ".json"]
    assert after["bytes"] == sum(file.stat().st_size for file in files)
    assert sidecar["method"] == min(sidecar["divergences"], key=sidecar["divergences"].get)
    assert len({*sidecar["divergences"].values()}) == len(sidecar["divergences"])  # each method gives other ranges
    assert (sidecar["images"], sidecar["settings"]["max_loss"]) == (40, 0.1)
    parts = {".xml": [".xml", ".bin"]}.get(path.suffix, [path.suffix])
    assert {file.name for file in path.parent.iterdir()} == {f"{path.name}.json", *(f"net{part}" for part in parts)}


@pytest.mark.parametrize("quantised", ["openvino"], indirect=True)
def test_openvino_weights_are_8_bits_but_for_the_first_convolution_and_the_classifier(quantised):
    operations = openvino.Core().read_model(quantised[0]).get_ordered_ops()
    kinds = ("Convolution", "GroupConvolution", "MatMul")
    first, *others, classifier = [has_8_bits(node) for node in operations if node.get_type_name() in kinds]
    assert others and all(others)
    assert not first and not classifier


def has_8_bits(node) -> bool:
    """Whether a node's weights are stored as int8, or, as depthwise ones, rounded to its levels when they are read."""
    node = node.input_value(1).get_node()
    while node.get_type_name() != "Constant":
        if node.get_type_name() == "FakeQuantize":
            return node.get_attributes()["levels"] <= 256
        node = node.input_value(0).get_node()
    return node.get_element_type().to_dtype().name == "int8"


@pytest.mark.parametrize(("target", "largest", "maps"), TARGETS)
def test_onnx_weights_are_8_bits_but_for_the_ends_and_the_target_sets_their_bits_and_the_sign_of_maps(
    trained, data, tmp_path, target, largest, maps
):
    settings = QuantiseSettings(calibration_images=20, max_loss=1, target=target)
    quantise(trained, "onnx", tmp_path / "net.onnx", data, settings)
    graph = onnx.load(tmp_path / "net.onnx").graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    weighted = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    first, *others, classifier = [makers.get(node.input[1], "float") for node in weighted]
    assert (first, set(others), classifier) == ("float", {"DequantizeLinear"}, "float")
    values = {entry.name: onnx.numpy_helper.to_array(entry) for entry in graph.initializer}
    weights = [value for name, value in values.items() if name.endswith("weight_quantized")]
    assert max(int(np.abs(value.astype(int)).max()) for value in weights) == largest
    assert {value.dtype.name for name, value in values.items() if name.endswith("output_0_zero_point")} == {maps}


@pytest.mark.parametrize("runtime", SUFFIXES)
def test_a_net_that_loses_too_much_is_refused_with_the_figures_and_leaves_what_stood_there_unless_forced(
    unequal, data, tmp_path, runtime
):
    path, settings = tmp_path / f"net{SUFFIXES[runtime]}", QuantiseSettings(calibration_images=20)
    path.write_text("an earlier file")
    with pytest.raises(ModelError, match=r"not kept, macro F1 .* falls from 0\.\d{4} to .*allowed: 0\.02.*--force"):
        quantise(unequal, runtime, path, data, settings)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "an earlier file"
    report = quantise(unequal, runtime, path, data, replace(settings, force=True))
    sidecar = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert sidecar["settings"]["force"] is True
    assert 0.02 < sidecar["before"]["val_f1"] - sidecar["after"]["val_f1"] == report.loss


def test_a_model_that_gives_probabilities_still_does(trained, data, images, tmp_path):
    model = open_model(trained)
    save_model(keras.Model(model.input, keras.layers.Softmax()(model.output)), tmp_path / "net.keras", CLASSES)
    settings = QuantiseSettings(calibration_images=20, max_loss=1)
    quantise(tmp_path / "net.keras", "onnx", tmp_path / "net.onnx", data, settings)
    net = open_runtime(tmp_path / "net.onnx")
    assert net.description.softmax
    np.testing.assert_allclose(net(images).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("runtime", SUFFIXES)
def test_a_net_of_one_convolution_has_nothing_to_quantise(data, tmp_path, runtime):
    save_model(build_model((Conv(8), Pool()), SIZE, classes=3), tmp_path / "net.keras")
    with pytest.raises(ModelError, match=r"net\.keras: cannot be quantised for .* 1 convolutions"):
        quantise(tmp_path / "net.keras", runtime, tmp_path / f"net{SUFFIXES[runtime]}", data)
    assert [file.name for file in tmp_path.iterdir()] == ["net.keras"]


def test_another_formats_suffix_and_a_missing_package_are_refused_with_the_remedy(trained, data, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"is no file of openvino: name it net\.xml"):
        quantise(trained, "openvino", tmp_path / "net.onnx", data)
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(ConfigError, match=r'nncf .*pip install "kerastrash\[openvino\]"'):
        quantise(trained, "openvino", tmp_path / "net.xml", data)
