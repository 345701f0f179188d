"""Every format holds the net, any batch size and what it says of itself; what cannot be written leaves nothing."""

import collections
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from kerastrash.errors import ConfigError, FileError, ModelError
from kerastrash.export.format import Description
from kerastrash.export.formats import FORMATS, open_runtime
from kerastrash.export.writing import write_elsewhere, write_model
from kerastrash.files import staged
from kerastrash.models import Conv, InvertedResidual, Pool, build_model
from kerastrash.models.builder import in_float32
from kerastrash.models.saved import open_model, read_description, save_model

SIZE, CLASSES = 32, ("Metall", "Papier", "Tüte", 'so "genannt"', "Rest", "Glas")
ROWS = (
    Conv(16, kernel=3, stride=2, activation="hard_swish"),
    InvertedResidual(5, 3, 24, squeeze_excite=True, hard_swish=True, stride=2),
    InvertedResidual(3, 2, 24),
    Conv(48),
    Pool(),
)
DESCRIPTION = Description(CLASSES, softmax=True)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A net whose batch norms are away from their initial values and whose logits tell images apart."""
    keras.utils.set_random_seed(6)
    rng = np.random.default_rng(6)
    model = build_model(ROWS, SIZE, classes=len(CLASSES))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    model.get_layer("logits").set_weights([rng.normal(0, 0.3, (48, 6)), rng.normal(0, 0.1, 6)])
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (5, SIZE, SIZE, 3)).astype("uint8")


@pytest.fixture(scope="module")
def logits(model, images) -> np.ndarray:
    return model.predict(images, verbose=0)


@pytest.fixture(scope="module")
def files(model, tmp_path_factory) -> dict[str, Path]:
    """The net in every format that can be written and opened here, each in a folder of its own."""
    folder, found = tmp_path_factory.mktemp("files"), {}
    save_model(model, folder / "model.keras")
    fresh = open_model(folder / "model.keras")  # never called, as a script has it
    for entry in FORMATS.values():
        if not entry.missing():
            found[entry.name] = write_model(fresh, entry.name, folder / entry.name / f"net{entry.suffix}", DESCRIPTION)
    return found


def of(files: dict[str, Path], name: str) -> Path:
    if name not in files:
        pytest.skip(f"{name} cannot be written or opened here: {FORMATS[name].missing()}")
    return files[name]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_probabilities_for_one_image_and_for_many(files, images, logits, name):
    net, expected = open_runtime(of(files, name)), softmax(logits)
    assert expected.std(axis=0).max() > 1e-3  # the images do matter
    np.testing.assert_allclose(net(images), expected, atol=1e-5)
    np.testing.assert_allclose(net(images[:1]), expected[:1], atol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_what_it_gives(files, name):
    assert open_runtime(of(files, name)).description == DESCRIPTION


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_else_is_left_beside_the_file(files, name):
    expected = {"net.xml", "net.bin"} if name == "openvino" else {of(files, name).name}
    assert {path.name for path in of(files, name).parent.iterdir()} == expected


def test_onnx_holds_folded_convolutions_of_any_batch(files):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    net = onnx.load(of(files, "onnx"))
    nodes = collections.Counter(node.op_type for node in net.graph.node)
    assert nodes["BatchNormalization"] == 0 and nodes["Transpose"] <= 2 and nodes["Conv"] > 5
    (entry,), (answer,) = net.graph.input, net.graph.output
    assert (entry.name, answer.name) == ("image", "probabilities")
    assert [side.dim_param or side.dim_value for side in entry.type.tensor_type.shape.dim] == ["batch", SIZE, SIZE, 3]
    assert {entry.type.tensor_type.elem_type, answer.type.tensor_type.elem_type} == {onnx.TensorProto.FLOAT}


def test_litert_holds_its_weights_and_none_of_tensorflows_own_operations(files, model):
    path = of(files, "litert")
    assert path.stat().st_size > 4 * sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) * 0.9
    assert b"Flex" not in path.read_bytes()
    assert zipfile.ZipFile(path).namelist() == ["kerastrash.json"]


def test_a_keras_file_is_opened_by_stock_keras(files, images, logits):
    model = keras.saving.load_model(of(files, "keras"), compile=True)
    np.testing.assert_allclose(model.predict(images, verbose=0), softmax(logits), atol=1e-5)
    assert Description.from_json(read_description(files["keras"]), "net.keras") == DESCRIPTION


@pytest.mark.backends
def test_logits_are_written_from_every_backend_and_from_any_dtype_policy(images, tmp_path):
    if FORMATS["onnx"].missing():
        pytest.skip(f"ONNX cannot be written here: {FORMATS['onnx'].missing()}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_model(ROWS, SIZE, classes=6)
    finally:
        keras.config.set_dtype_policy(before)
    net = open_runtime(write_model(model, "onnx", tmp_path / "net.onnx"))
    expected = in_float32(model).predict(images, verbose=0)
    np.testing.assert_allclose(net(images), expected, atol=1e-5 * np.abs(expected).max())
    assert net.description == Description()


def test_a_net_that_ends_in_a_softmax_is_not_given_a_second_one(model, images, logits, tmp_path):
    if FORMATS["onnx"].missing():
        pytest.skip(f"ONNX cannot be written here: {FORMATS['onnx'].missing()}")
    whole = keras.Model(model.input, layers.Softmax()(model.output))
    fused = in_float32(model)
    fused.get_layer("logits").activation = keras.activations.softmax
    for number, ending in enumerate((whole, fused)):
        net = open_runtime(write_model(ending, "onnx", tmp_path / f"{number}.onnx", DESCRIPTION))
        np.testing.assert_allclose(net(images), softmax(logits), atol=1e-5)
        assert net.description.softmax
    np.testing.assert_allclose(fused.predict(images, verbose=0), softmax(logits), atol=1e-5)  # left as it was


@pytest.mark.parametrize("name", ["onnx", "openvino", "litert"])
def test_float16_halves_the_file_and_hardly_changes_the_outputs(model, files, images, logits, tmp_path, name):
    whole = of(files, name)
    path = write_model(model, name, tmp_path / whole.name, Description(CLASSES, precision="float16"))
    net = open_runtime(path)
    difference = np.abs(net(images) - logits).max() / np.abs(logits).max()
    assert 1e-6 < difference < 1e-2
    assert net.description.precision == "float16"
    weights = ".bin" if name == "openvino" else whole.suffix
    assert path.with_suffix(weights).stat().st_size < 0.8 * whole.with_suffix(weights).stat().st_size


@pytest.mark.parametrize(("name", "precision"), [("keras", "float16"), ("torch", "float16")])
def test_a_precision_that_a_format_lacks_is_refused(model, tmp_path, name, precision):
    with pytest.raises(ConfigError, match=f"precision='{precision}' is not for {name}"):
        write_model(model, name, tmp_path / "net", Description(precision=precision))
    assert not list(tmp_path.iterdir())


def test_int8_is_not_written_without_images_to_calibrate_with(model, tmp_path):
    with pytest.raises(ConfigError, match=r"int8.*quantise\.py"):
        write_model(model, "onnx", tmp_path / "net.onnx", Description(precision="int8"))


@pytest.mark.parametrize(
    ("name", "module", "extras"),
    [("litert", "tensorflow", "tensorflow"), ("openvino", "openvino", "openvino"), ("onnx", "onnx", "onnx")],
)
def test_missing_packages_are_named_with_their_install_line_before_anything_runs(
    model, tmp_path, monkeypatch, name, module, extras
):
    monkeypatch.setitem(sys.modules, module, None)  # the interpreter's own mark for "cannot be imported"
    with pytest.raises(ConfigError, match=rf'{name} needs .*pip install "kerastrash\[{extras}'):
        write_model(model, name, tmp_path / "net")
    assert not list(tmp_path.iterdir())


def test_the_sentence_of_the_other_process_comes_back(model, tmp_path):
    (tmp_path / "net.keras").mkdir()
    with pytest.raises(ModelError, match=r"net\.keras: cannot be written"):
        write_elsewhere(model, "keras", tmp_path / "net.keras", Description(), keras.backend.backend())


def test_a_process_that_dies_without_a_sentence_is_reported(model, tmp_path):
    with pytest.raises(ModelError, match=r"keras: the process that writes it on nothing ended with exit status 1: \w+"):
        write_elsewhere(model, "keras", tmp_path / "net.keras", Description(), "nothing")


def test_a_net_that_a_converter_refuses_is_named_and_the_earlier_file_stays(tmp_path):
    if keras.backend.backend() != "torch":
        pytest.skip("the converter runs in this process on torch only")
    inputs = keras.Input((SIZE, SIZE, 3))
    odd = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(OfNoFormat()(inputs))), name="odd")
    path = tmp_path / "net.pt2"
    path.write_bytes(b"earlier")
    with pytest.raises(ModelError, match=r"odd: this net cannot be written as torch \(.*calling OfNoFormat"):
        write_model(odd, "torch", path)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


class OfNoFormat(layers.Layer):
    """A layer that can be built but not traced."""

    def call(self, inputs):
        raise ValueError("this cannot be traced")

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, inputs.dtype)


def test_a_folder_with_other_files_is_not_replaced(model, tmp_path):
    (tmp_path / "net" / "photos").mkdir(parents=True)
    with pytest.raises(FileError, match="a folder with other files"):
        write_model(model, "keras", tmp_path / "net")
    assert (tmp_path / "net" / "photos").is_dir()


def test_a_saved_model_takes_the_place_of_an_earlier_one_and_what_lies_beside_it_moves_along(tmp_path):
    for text in ("earlier", "later"):
        with staged(tmp_path / "net") as place:
            place.mkdir()
            for file in (place / "saved_model.pb", place / text, place.with_name("net.json")):
                file.write_text(text)
    assert {file.name for file in (tmp_path / "net").iterdir()} == {"saved_model.pb", "later"}
    assert {file.name: file.read_text() for file in tmp_path.iterdir() if file.is_file()} == {"net.json": "later"}
    assert len(list(tmp_path.iterdir())) == 2


def test_an_error_while_writing_leaves_what_was_there(tmp_path):
    (tmp_path / "net.xml").write_text("earlier")
    with pytest.raises(RuntimeError), staged(tmp_path / "net.xml") as place:
        place.with_suffix(".bin").write_text("half")
        raise RuntimeError
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"net.xml": "earlier"}


def test_a_quantised_net_is_refused(tmp_path):
    model = build_model(ROWS, SIZE, classes=6)
    model.quantize("int8")
    with pytest.raises(ModelError, match="logits hold quantised weights"):
        write_model(model, "keras", tmp_path / "net.keras")


def test_writing_prints_and_warns_nothing(model, tmp_path, capfd, recwarn):
    if keras.backend.backend() != "torch" or FORMATS["onnx"].missing():
        pytest.skip("written here on torch only")
    capfd.readouterr()
    for name in ("onnx", "torch"):
        write_model(model, name, tmp_path / f"net{FORMATS[name].suffix}")
    assert capfd.readouterr() == ("", "")
    assert not [warning for warning in recwarn if "__array__" not in str(warning.message)]  # that one is of Keras
