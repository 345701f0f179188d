"""Every runtime gives what the file says, for any number of images of any type."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from kerastrash.export.format import Description
from kerastrash.export.formats import open_runtime
from kerastrash.export.keras_file import keras_runtime
from kerastrash.export.open_net import conditions
from kerastrash.export.writing import open_as
from kerastrash.models import Conv, InvertedResidual, Pool, build_model
from kerastrash.models.saved import add_description

SIZE = 16


def colours(images: np.ndarray) -> np.ndarray:
    """What the net in the files gives: (batch, 3)."""
    return images.astype("float64").mean(axis=(1, 2))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Five images of different colours, uint8."""
    rng = np.random.default_rng(5)
    grounds = rng.integers(20, 236, (5, 1, 1, 3))
    return (grounds + rng.integers(-20, 20, (5, SIZE, SIZE, 3))).astype("uint8")


def assert_gives_colours(net, images, tolerance=1e-3):
    """For several images and for one, in both types."""
    for given in (images, images[:1], images[:2], images.astype("float32"), images.astype("float64")[1:4]):
        given.setflags(write=False)
        outputs = net(given)
        assert outputs.dtype == np.float32
        np.testing.assert_allclose(outputs, colours(given), atol=tolerance)


@pytest.mark.parametrize(("name", "runtime"), [("onnx", "onnxruntime"), ("xml", "openvino"), ("pt2", "torch-export")])
@pytest.mark.parametrize("batch", [None, 1, 2])
def test_a_file_of_any_or_of_a_fixed_batch_answers_any_number_of_images(
    write_colours, description, images, tmp_path, name, runtime, batch
):
    net = open_runtime(write_colours(tmp_path / f"net.{name}", batch))
    assert (net.name, net.input_size, net.classes, net.description) == (runtime, SIZE, 3, description)
    assert net.device
    assert_gives_colours(net, images)


@pytest.mark.parametrize("name", ["onnx", "xml", "pt2"])
@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_a_file_gets_images_of_the_type_it_takes(write_colours, images, tmp_path, name, dtype):
    net = open_runtime(write_colours(tmp_path / f"net.{name}", dtype=dtype))
    assert_gives_colours(net, images)
    rounded = net(np.full((1, SIZE, SIZE, 3), 99.6, "float32"))
    np.testing.assert_allclose(rounded, 100 if dtype == "uint8" else 99.6, atol=0.05)
    beyond = net(np.full((1, SIZE, SIZE, 3), 300, "float32"))
    np.testing.assert_allclose(beyond, 255 if dtype == "uint8" else 300)


@pytest.mark.parametrize(("name", "tolerance"), [("any", 1e-3), ("pairs", 1e-3), ("int8", 2), ("uint8", 2)])
def test_litert_files_of_any_batch_and_quantisation(description, tensorflow_files, images, name, tolerance):
    net = open_runtime(tensorflow_files / f"{name}.tflite")
    assert (net.name, net.input_size, net.classes, net.description) == ("litert", SIZE, 3, description)
    assert_gives_colours(net, images, tolerance)


def test_a_litert_file_is_read_without_its_description_or_with_a_damaged_one(tensorflow_files, images, tmp_path):
    whole = (tensorflow_files / "any.tflite").read_bytes()
    joined = whole.index(b"PK\x03\x04")
    for number, content in enumerate((whole[:joined], whole[:-30], whole[:joined] + b"PK\x05\x06" + b"\xff" * 90)):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(content)
        net = open_runtime(path)
        assert net.description == Description()
        assert_gives_colours(net, images)


SAVED_MODELS = """
import json, sys
import numpy as np
from kerastrash.errors import KerastrashError
from kerastrash.export.formats import open_runtime

def attempt(*arguments):
    try:
        return str(open_runtime(*arguments))
    except KerastrashError as error:
        return f"{type(error).__name__} {error}"

folder, images = sys.argv[1], np.load(sys.argv[1] + "/images.npy")
found = {}
for name in ("saved", "pairs"):
    net = open_runtime(f"{folder}/{name}")
    outputs = [net(given).tolist() for given in (images, images[:1], images.astype("float64"))]
    found[name] = [net.name, net.input_size, net.classes, net.description.classes, *outputs]
found["unsigned"] = attempt(f"{folder}/unsigned")
found["damaged"] = attempt(f"{folder}/damaged")
found["threads"] = attempt(f"{folder}/saved", 2)
print(json.dumps(found))
"""


def test_saved_models_answer_by_their_default_signature(description, python, tensorflow_files, images):
    np.save(tensorflow_files / "images.npy", images)
    (tensorflow_files / "damaged").mkdir()
    (tensorflow_files / "damaged" / "saved_model.pb").write_bytes(b"not a model")
    found = json.loads(python(SAVED_MODELS, tensorflow_files))
    for name, classes in (("saved", list(description.classes)), ("pairs", None)):
        *said, many, one, floats = found[name]
        assert said == ["tensorflow", SIZE, 3, classes]
        np.testing.assert_allclose(many, colours(images), atol=1e-3)
        np.testing.assert_allclose(one, colours(images[:1]), atol=1e-3)
        np.testing.assert_allclose(floats, colours(images), atol=1e-3)
    assert "unsigned: TensorFlow cannot open it (it has no signature serving_default)" in found["unsigned"]
    assert "damaged: TensorFlow cannot open it" in found["damaged"]
    assert found["threads"].startswith("ConfigError threads=2 cannot be set")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(6)
    expanded = InvertedResidual(5, 3, 24, squeeze_excite=True, hard_swish=True, stride=2)
    first = Conv(16, kernel=3, stride=2, activation="hard_swish")
    return build_model((first, expanded, InvertedResidual(3, 2, 24), Conv(48), Pool()), 32, classes=6)


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """Smooth coloured grounds with noise: what a photograph's statistics look like, unlike pure noise."""
    rng = np.random.default_rng(5)
    coarse = [Image.fromarray(rng.integers(0, 256, (4, 4, 3), "uint8")).resize((32, 32)) for _ in range(4)]
    noise = rng.integers(-8, 9, (4, 32, 32, 3))
    return np.clip(np.stack([np.asarray(image) for image in coarse]).astype(int) + noise, 0, 255).astype("uint8")


@pytest.mark.backends
def test_the_keras_runtime_gives_the_models_logits(model, photographs):
    runtime = keras_runtime(model)
    assert runtime.name == f"keras-{keras.backend.backend()}"
    assert (runtime.input_size, runtime.classes, runtime.description) == (32, 6, Description())
    np.testing.assert_allclose(runtime(photographs), model.predict(photographs, verbose=0), rtol=1e-4, atol=1e-5)


@pytest.mark.backends
def test_the_keras_runtime_opens_a_file_and_its_description(model, photographs, tmp_path):
    path = tmp_path / "net.keras"
    model.save(path)
    add_description(path, Description(tuple("abcdef")).to_json())
    runtime = open_runtime(path)
    assert runtime.description == Description(tuple("abcdef"))
    np.testing.assert_allclose(runtime(photographs), keras_runtime(model)(photographs), rtol=1e-4, atol=1e-5)


@pytest.mark.backends
def test_a_keras_net_that_ends_in_a_softmax_says_so(model):
    ending = keras.Model(model.input, keras.layers.Softmax()(model.output))
    assert keras_runtime(ending).description.softmax


def test_onnx_runtime_agrees_with_keras_for_one_image_and_for_many(model, photographs):
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    if keras.backend.backend() != "torch":
        pytest.skip("the exporting process of another backend is tested with the writers")
    expected = keras_runtime(model)(photographs)
    runtime = open_as(model, "onnx", threads=1)
    scale = np.abs(expected).max()
    assert expected.std(axis=0).max() > 1e-3 * scale  # the net tells the images apart
    assert np.abs(runtime(photographs) - expected).max() <= 1e-4 * scale
    assert np.abs(runtime(photographs[:1]) - expected[:1]).max() <= 1e-4 * scale


def test_torch_keeps_the_threads_that_a_program_was_opened_with(write_colours, images, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    before = torch.get_num_threads()
    try:
        net = open_runtime(write_colours(tmp_path / "net.pt2"), threads=2)
        torch.set_num_threads(1)
        net(images)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_conditions_state_the_threads():
    assert conditions("onnxruntime", "a processor", 1) == "onnxruntime, a processor, 1 thread"
    assert conditions("keras-jax", "a processor", 4) == "keras-jax, a processor, 4 threads"


CLASSIFY = """
import sys
from kerastrash import Classifier
Classifier(sys.argv[1], classes=["red", "green", "blue"]).predict(sys.argv[2])
heavy = ("keras", "torch", "tensorflow", "jax", "pandas", "scipy", "sklearn", "matplotlib", "h5py", "onnx")
print([name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize("name", ["net.onnx", "net.xml", "any.tflite"])
def test_a_device_file_needs_nothing_but_its_runtime(write_colours, python, tensorflow_files, tmp_path, name):
    path = tensorflow_files / name if name == "any.tflite" else write_colours(tmp_path / name)
    Image.new("RGB", (20, 10), "red").save(tmp_path / "image.png")
    assert python(CLASSIFY, path, tmp_path / "image.png") == "[]\n"
