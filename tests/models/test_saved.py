"""A saved model is opened when it is whole and holds Keras's own layers, and refused with a sentence otherwise."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from kerastrash.errors import ModelError
from kerastrash.models.saved import image_size, open_model, read_description, save_model

pytestmark = pytest.mark.backends

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype("float32")


@keras.saving.register_keras_serializable("kerastrash_tests")
class Doubled(layers.Layer):
    def call(self, inputs):
        return inputs * 2


@keras.saving.register_keras_serializable("kerastrash_tests")
def doubled(inputs):
    return inputs * 2


def net(middle: layers.Layer | None = None) -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(4, 3, kernel_regularizer="l2", activation="hard_swish", name="stem")(x)
    x = layers.BatchNormalization()(x)
    x = middle(x) if middle else x
    return keras.Model(inputs, layers.Dense(2, dtype="float32")(layers.GlobalAveragePooling2D()(x)))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    keras.utils.set_random_seed(1)
    path = tmp_path / "net.keras"
    net().save(path)
    return path


def rewrite(path: Path, name: str, content: bytes) -> None:
    """Replaces one file inside the archive, its checksum included."""
    with zipfile.ZipFile(path) as archive:
        contents = {entry: archive.read(entry) for entry in archive.namelist()} | {name: content}
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in contents.items():
            archive.writestr(entry, data)


def change_stem(path: Path, **changes: object) -> None:
    """Overwrites keys of the first convolution in the file's config."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    (stem,) = (layer for layer in config["config"]["layers"] if layer["name"] == "stem")
    stem.update(changes)
    rewrite(path, "config.json", json.dumps(config).encode())


def test_a_net_saved_with_its_optimizer_opens_without_it_and_with_the_same_outputs(tmp_path):
    model, path = net(), tmp_path / "net.keras"
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(np.zeros((2, 8, 8, 3)), np.array([0, 1]), verbose=0)
    model.save(path)
    opened = open_model(path)
    np.testing.assert_allclose(opened.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), rtol=1e-5)
    assert image_size(opened) == 8 and not opened.compiled


def test_a_net_inside_a_net_and_an_operation_on_tensors_open(tmp_path):
    inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential([layers.Conv2D(2, 1), layers.GlobalAveragePooling2D()])
    keras.Model(inputs, keras.ops.relu(inner(inputs)) + 1).save(tmp_path / "net.keras")
    assert open_model(tmp_path / "net.keras").output_shape == (None, 2)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def without_config(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", b"")


def flip_a_byte_of_the_weights(path: Path) -> None:
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("model.weights.h5")
    content[entry.header_offset + entry.compress_size // 2] ^= 0xFF
    path.write_bytes(content)


HDF5 = b"\x89HDF\r\n\x1a\n"


@pytest.mark.parametrize(
    ("sentence", "spoil"),
    [
        (r"net\.keras: no such file", Path.unlink),
        (r"not named \.keras", lambda path: path.rename(path.with_suffix(".zip"))),
        ("a folder", as_folder),
        (r"not a \.keras archive", lambda path: path.write_bytes(b"")),
        (r"not a \.keras archive", lambda path: path.write_bytes(b"not an archive")),
        (r"not a \.keras archive", lambda path: path.write_bytes(HDF5 + bytes(100))),
        (r"without config\.json", without_config),
        (r"net\.keras: ", lambda path: rewrite(path, "config.json", b"{")),
        (r"net\.keras: ", lambda path: rewrite(path, "config.json", b"[]")),
        (r"net\.keras: ", lambda path: rewrite(path, "config.json", b"\xff\xfe")),
        (r"net\.keras: ", lambda path: rewrite(path, "config.json", b"{}")),
        ("damaged", lambda path: path.write_bytes(path.read_bytes()[:-200])),
        (r"model\.weights\.h5 inside it is damaged", flip_a_byte_of_the_weights),
        ("cannot open it", lambda path: rewrite(path, "model.weights.h5", b"")),
        ("cannot open it", lambda path: rewrite(path, "model.weights.h5", HDF5 + bytes(500))),
    ],
)
def test_a_file_that_is_no_whole_model_is_refused(saved, sentence, spoil):
    moved = spoil(saved)
    with pytest.raises(ModelError, match=sentence):
        open_model(moved if isinstance(moved, Path) else saved)


@pytest.mark.filterwarnings("ignore:.*lambda:UserWarning")
@pytest.mark.parametrize(
    ("middle", "sentence"),
    [
        (lambda: layers.Lambda(lambda x: x + 1, output_shape=(6, 6, 4)), r"keras\.layers\.Lambda"),
        (lambda: layers.Activation(lambda x: x + 1), r"net\.keras: "),
        (lambda: Doubled(), "Doubled"),
        (lambda: layers.Activation(doubled), "doubled"),
    ],
)
def test_code_from_outside_keras_is_refused(tmp_path, middle, sentence):
    net(middle()).save(tmp_path / "net.keras")
    with pytest.raises(ModelError, match=sentence):
        open_model(tmp_path / "net.keras")


@pytest.mark.parametrize(
    "changes",
    [
        {"module": "os", "class_name": "system"},
        {"module": "builtins", "class_name": "eval"},
        {"module": "keras_hub.layers", "class_name": "Conv2D"},
        {"module": "kerasevil.layers", "class_name": "Conv2D"},
        {"module": "keras.utils", "class_name": "get_file"},
        {"module": "keras.src.saving.saving_lib", "class_name": "load_model"},
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
        {"module": None, "class_name": "Conv2D"},
        {"class_name": "__lambda__", "config": {"value": "cGFzcw=="}},
        {"class_name": ["Conv2D"]},
        {"registered_name": "kerastrash_tests>Doubled"},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper"},
        {"module": "keras.layers", "class_name": "TFSMLayer"},
    ],
    ids=str,
)
def test_a_class_that_is_not_a_layer_of_keras_is_refused_before_keras_reads_it(saved, changes):
    change_stem(saved, **changes)
    with pytest.raises(ModelError, match="would run code from outside"):
        open_model(saved)


def test_a_class_hidden_in_a_layers_settings_is_refused(saved):
    evil = {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None}
    change_stem(saved, build_config={"input_shape": [None, 8, 8, 3], "deep": [{"deeper": evil}]})
    with pytest.raises(ModelError, match=r"os\.system"):
        open_model(saved)


@pytest.mark.parametrize(
    ("shape", "last", "sentence"),
    [
        ((None, None, 3), layers.GlobalAveragePooling2D, "input is"),
        ((8, 9, 3), layers.GlobalAveragePooling2D, "input is"),
        ((8, 8, 1), layers.GlobalAveragePooling2D, "input is"),
        ((8, 8, 3), layers.ReLU, "output is"),
    ],
)
def test_a_net_of_other_images_and_one_that_is_no_classifier_are_named(shape, last, sentence):
    inputs = keras.Input(shape)
    with pytest.raises(ModelError, match=sentence):
        image_size(keras.Model(inputs, last()(layers.Conv2D(2, 1)(inputs))))


NAMES = ("Tüte", 'so "genannt"')


def test_class_names_are_kept_in_a_file_that_stock_keras_opens(tmp_path):
    model, path = net(), tmp_path / "net.keras"
    model.compile("sgd", "sparse_categorical_crossentropy")
    save_model(model, path, NAMES)
    expected = model.predict(IMAGES, verbose=0)
    for opened in (keras.saving.load_model(path, compile=True), open_model(path)):
        assert not opened.compiled
        np.testing.assert_allclose(opened.predict(IMAGES, verbose=0), expected, rtol=1e-5)
    assert json.loads(read_description(path)) == {"classes": list(NAMES)}
    assert [file.name for file in tmp_path.iterdir()] == ["net.keras"]


def test_a_file_saved_without_names_or_by_stock_keras_describes_nothing(saved, tmp_path):
    save_model(net(), tmp_path / "other.keras")
    (tmp_path / "text.keras").write_text("no archive")
    for path in (saved, tmp_path / "other.keras", tmp_path / "text.keras"):
        assert read_description(path) is None


def test_names_must_be_as_many_as_outputs(tmp_path):
    with pytest.raises(ModelError, match=r"net\.keras: 1 class names for 2 outputs"):
        save_model(net(), tmp_path / "net.keras", ["one"])
    assert not list(tmp_path.iterdir())


def test_a_damaged_description_is_noticed(tmp_path):
    path = tmp_path / "net.keras"
    save_model(net(), path, NAMES)
    path.write_bytes(path.read_bytes().replace(b'"classes"', b'"masters"', 1))
    with pytest.raises(ModelError, match=r"kerastrash\.json cannot be read"):
        read_description(path)
    with pytest.raises(ModelError, match=r"kerastrash\.json inside it is damaged"):
        open_model(path)


def test_an_endless_description_is_refused(saved):
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("kerastrash.json", b"{}" + bytes(2**21))
    with pytest.raises(ModelError, match="above"):
        read_description(saved)
