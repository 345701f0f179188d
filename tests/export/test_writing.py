"""Every format holds the net, any batch size and what it says of itself; what cannot be written leaves nothing."""

import collections
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from scipy.special import softmax

from kerastrash.errors import ConfigError, FileError, ModelError
from kerastrash.export.format import Description, OpenNet
from kerastrash.export.formats import FORMATS, open_runtime
from kerastrash.export.keras_file import keras_runtime
from kerastrash.export.writing import open_as, write_elsewhere, write_model
from kerastrash.models import build_model
from kerastrash.models.builder import in_float32
from kerastrash.models.saved import add_description, open_model, save_model

SIZE, CLASSES = 32, ("Metall", "Papier", "Tüte", 'so "genannt"', "Rest", "Glas")
DESCRIPTION = Description(CLASSES, softmax=True)
on_torch = pytest.mark.skipif(keras.backend.backend() != "torch", reason="the converter runs in this process on torch")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A small net whose batch norms are away from their initial values and whose logits tell images apart."""
    keras.utils.set_random_seed(6)
    rng = np.random.default_rng(6)
    model = build_model("mobilenetv3_79", SIZE, classes=len(CLASSES), width=0.25, depth=0.3)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    logits = model.get_layer("logits")
    logits.set_weights([rng.normal(0, 0.3, weight.shape) for weight in logits.get_weights()])
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (5, SIZE, SIZE, 3)).astype("uint8")


@pytest.fixture(scope="module")
def logits(model, images) -> np.ndarray:
    return model.predict(images, verbose=0)


@pytest.fixture(scope="module")
def files(model, tmp_path_factory) -> dict[str, Path]:
    """The net in every format, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("files")
    save_model(model, folder / "model.keras")
    fresh = open_model(folder / "model.keras")  # never called, as a script has it
    paths = {name: folder / name / f"net{entry.suffix}" for name, entry in FORMATS.items()}
    return {name: write_model(fresh, name, path, DESCRIPTION) for name, path in paths.items()}


def assert_gives(net: OpenNet, images: np.ndarray, expected: np.ndarray):
    """For one image and for many."""
    assert expected.std(axis=0).max() > 1e-3 * np.abs(expected).max()  # the images do matter
    atol = 1e-5 * max(1, np.abs(expected).max())
    np.testing.assert_allclose(net(images), expected, rtol=1e-6, atol=atol)
    np.testing.assert_allclose(net(images[:1]), expected[:1], rtol=1e-6, atol=atol)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_probabilities_and_says_what_it_gives(files, images, logits, name):
    net = open_runtime(files[name])
    assert_gives(net, images, softmax(logits, axis=1))
    assert net.description == DESCRIPTION
    expected = {"net.xml", "net.bin"} if name == "openvino" else {files[name].name}
    assert {path.name for path in files[name].parent.iterdir()} == expected  # nothing else is left


def test_onnx_holds_folded_convolutions_of_any_batch(files):
    net = onnx.load(files["onnx"])
    nodes = collections.Counter(node.op_type for node in net.graph.node)
    assert nodes["BatchNormalization"] == 0 and nodes["Transpose"] <= 2 and nodes["Conv"] > 5
    (entry,), (answer,) = net.graph.input, net.graph.output
    assert (entry.name, answer.name) == ("image", "probabilities")
    assert [side.dim_param or side.dim_value for side in entry.type.tensor_type.shape.dim] == ["batch", SIZE, SIZE, 3]
    assert {entry.type.tensor_type.elem_type, answer.type.tensor_type.elem_type} == {onnx.TensorProto.FLOAT}


def test_litert_holds_its_weights_and_none_of_tensorflows_own_operations(files, model):
    path = files["litert"]
    assert path.stat().st_size > 4 * sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) * 0.9
    assert b"Flex" not in path.read_bytes()
    assert zipfile.ZipFile(path).namelist() == ["kerastrash.json"]


@pytest.mark.backends
def test_the_keras_runtime_gives_a_models_logits_and_a_files_and_its_description(model, images, logits, tmp_path):
    runtime = keras_runtime(model)
    assert runtime.name == f"keras-{keras.backend.backend()}"
    assert (runtime.input_size, runtime.classes, runtime.description) == (SIZE, 6, Description())
    np.testing.assert_allclose(runtime(images), logits, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "net.keras")
    add_description(tmp_path / "net.keras", Description(tuple("abcdef")).to_json())
    opened = open_runtime(tmp_path / "net.keras")
    assert opened.description == Description(tuple("abcdef"))
    np.testing.assert_allclose(opened(images), logits, rtol=1e-4, atol=1e-5)
    assert keras_runtime(keras.Model(model.input, layers.Softmax()(model.output))).description.softmax


@on_torch
def test_a_model_is_opened_in_a_runtime_by_way_of_a_file(model, images, logits):
    assert open_as(model, "keras").name == "keras-torch"
    assert_gives(open_as(model, "onnx", threads=1), images, logits)


def test_a_net_that_ends_in_a_softmax_is_not_given_a_second_one(model, images, logits, tmp_path):
    whole = keras.Model(model.input, layers.Softmax()(model.output))
    fused = in_float32(model)
    fused.get_layer("logits").activation = keras.activations.softmax
    for number, ending in enumerate((whole, fused)):
        net = open_runtime(write_model(ending, "onnx", tmp_path / f"{number}.onnx", DESCRIPTION))
        np.testing.assert_allclose(net(images), softmax(logits, axis=1), atol=1e-5)
        assert net.description.softmax
    np.testing.assert_allclose(fused.predict(images, verbose=0), softmax(logits, axis=1), atol=1e-5)  # left as it was


@pytest.mark.parametrize("name", ["onnx", "openvino", "litert"])
def test_float16_halves_the_file_and_hardly_changes_the_outputs(model, files, images, logits, tmp_path, name):
    whole = files[name]
    path = write_model(model, name, tmp_path / whole.name, Description(CLASSES, precision="float16"))
    net = open_runtime(path)
    difference = np.abs(net(images) - logits).max() / np.abs(logits).max()
    assert 1e-6 < difference < 1e-2
    assert net.description.precision == "float16"
    weights = ".bin" if name == "openvino" else whole.suffix
    assert path.with_suffix(weights).stat().st_size < 0.8 * whole.with_suffix(weights).stat().st_size


@pytest.mark.parametrize(("name", "precision", "message"), [
    ("keras", "float16", "precision='float16' is not for keras: choose float32, or one of onnx, openvino, litert"),
    ("torch", "float16", "precision='float16' is not for torch"),
    ("onnx", "int8", r"int8.*kerastrash quantise"),  # there are no images to calibrate with
])  # fmt: skip
def test_a_precision_that_a_format_lacks_is_refused(model, tmp_path, name, precision, message):
    with pytest.raises(ConfigError, match=message):
        write_model(model, name, tmp_path / "net", Description(precision=precision))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "package"), [("litert", "tensorflow"), ("openvino", "openvino"), ("onnx", "onnx")])
def test_missing_packages_are_named_with_their_install_line(model, tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)  # the interpreter's own mark for "cannot be imported"
    with pytest.raises(ConfigError, match=rf'{name} needs .*pip install "kerastrash\[{package}'):
        write_model(model, name, tmp_path / "net")
    assert not list(tmp_path.iterdir())


def test_the_sentence_of_the_other_process_comes_back_and_one_that_cannot_start_its_keras_is_reported(model, tmp_path):
    (tmp_path / "net.keras").mkdir()
    with pytest.raises(FileError, match=r"net\.keras: cannot be written"):
        write_elsewhere(model, "keras", tmp_path / "net.keras", Description(), keras.backend.backend())
    with pytest.raises(ModelError, match=r"keras: cannot be written with Keras on nothing \(.*\w+.*\)"):
        write_elsewhere(model, "keras", tmp_path / "other.keras", Description(), "nothing")


class OfNoFormat(layers.Layer):
    """A layer that can be built but not traced."""

    def call(self, inputs):
        raise ValueError("this cannot be traced")

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, inputs.dtype)


@on_torch
def test_a_net_that_a_converter_refuses_is_named_and_the_earlier_file_stays(tmp_path):
    inputs = keras.Input((SIZE, SIZE, 3))
    odd = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(OfNoFormat()(inputs))), name="odd")
    path = tmp_path / "net.pt2"
    path.write_bytes(b"earlier")
    with pytest.raises(ModelError, match=r"odd: this net cannot be written as torch \(.*calling OfNoFormat"):
        write_model(odd, "torch", path)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_with_other_files_is_not_replaced(model, tmp_path):
    (tmp_path / "net" / "photos").mkdir(parents=True)
    with pytest.raises(FileError, match="a folder with other files"):
        write_model(model, "keras", tmp_path / "net")
    assert (tmp_path / "net" / "photos").is_dir()


def test_a_quantised_net_is_refused(model, tmp_path, recwarn):
    model = in_float32(model)
    model.quantize("int8")
    with pytest.raises(ModelError, match="logits hold quantised weights"):
        write_model(model, "keras", tmp_path / "net.keras")


@on_torch
def test_writing_prints_and_warns_nothing(model, tmp_path, capfd, recwarn):
    capfd.readouterr()
    for name in ("onnx", "torch"):
        write_model(model, name, tmp_path / f"net{FORMATS[name].suffix}")
    assert capfd.readouterr() == ("", "")
    assert not [warning for warning in recwarn if "__array__" not in str(warning.message)]  # that one is of Keras
