"""Files as torchvision, timm and Keras publish them, of random weights, give the logits of their nets."""

import functools
import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from kerastrash.backends import read_torch_state
from kerastrash.errors import ModelError
from kerastrash.models.pretrained import PRETRAINED, pretrained_model

torch = pytest.importorskip("torch", reason="writes .pth files")
load = functools.partial(pretrained_model, read_state=read_torch_state)

SEED, SIZE = 7, 64
# The first four logits, and the largest of the thousand, which torchvision 0.28 and timm 1.0.31 compute in float64 of
# the same tensors and the same image, normalised as their configurations say.
EXPECTED = {
    "shufflenet_v2_x0_5": ((-22.643, -98.301, -163.98, -5.8861), 645),
    "shufflenet_v2_x1_0": ((-49.787, -151.55, 204.71, -136.41), 845),
    "shufflenet_v2_x1_5": ((-98.48, 220.6, -150.01, 93.006), 619),
    "shufflenet_v2_x2_0": ((81.4, -615.32, 243.9, 523.76), 1282),
    "resnet18": ((-62.2, 146.9, -35.181, 31.314), 249),
    "resnet50": ((-20542, -9928.5, -13010, 3683.5), 22434),
    "mobilenet_v3_small": ((-2.1121, 4.4678, 1.476, -0.93078), 5.145),
    "mobilenet_v3_large": ((297.68, -161.42, 86.115, -7.4013), 1797),
    "resnet18d": ((-63.794, 46.718, -58.467, 11.876), 163),
    "resnet18_timm": ((-62.2, 146.9, -35.181, 31.314), 249),
    "resnet50_timm": ((-20542, -9928.5, -13010, 3683.5), 22434),
    "mobilenet_v3_small_timm": ((-2.1871, 4.5588, 1.5096, -0.92463), 5.272),
    "mobilenet_v3_large_timm": ((314.52, -54.366, 142.24, 18.833), 1659),
}


@pytest.fixture
def state(filled):
    """The tensors of a published state dict."""
    layouts = json.loads((Path(__file__).parents[2] / "golden" / "state_layouts.json").read_text())

    def of(name: str) -> dict:
        layout = layouts.get(name) or layouts[name.removesuffix("_timm")]
        return {key: torch.from_numpy(array) for key, array in filled(layout, SEED).items()}

    return of


def logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=False))


def test_every_state_dict_that_is_downloaded_is_tested_here():
    addresses = {name: getattr(entry.source, "address", "") for name, entry in PRETRAINED.items()}
    assert set(EXPECTED) == {name for name, address in addresses.items() if address.endswith(".pth")}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_pth_file_of_torchvision_or_a_safetensors_file_of_timm_gives_its_logits(name, state, tmp_path):
    if PRETRAINED[name].hub:
        safetensors = pytest.importorskip("safetensors.torch", reason="hub files are .safetensors")
        path = tmp_path / "model.safetensors"
        safetensors.save_file(state(name), path)
    else:
        path = tmp_path / "weights.pth"
        torch.save(state(name), path)
    image = np.random.default_rng(SEED + 1).integers(0, 256, (1, SIZE, SIZE, 3)).astype("uint8")
    found = logits(load(f"{name}={path}", SIZE), image)[0]
    expected, largest = EXPECTED[name]
    assert found.shape == (1000,)
    np.testing.assert_allclose(found[:4], expected, rtol=0, atol=1e-3 * largest)  # PyTorch's own float32: 3e-4


def test_what_reads_a_pytorch_file_must_be_given():
    with pytest.raises(ModelError, match="resnet18: a PyTorch file; give read_state=kerastrash"):
        pretrained_model("resnet18")


def test_the_first_tensor_of_another_net_is_named(state, tmp_path):
    torch.save(state("resnet18"), tmp_path / "weights.pth")
    mismatch = r"weights\.pth: conv1\.weight: shape \(64, 3, 7, 7\) does not fit layer row01"
    with pytest.raises(ModelError, match=mismatch):
        load(f"resnet18d={tmp_path / 'weights.pth'}", SIZE)


def test_a_new_head_stands_on_the_pretrained_layers(state, tmp_path):
    torch.save(state("shufflenet_v2_x0_5"), tmp_path / "weights.pth")
    weights = f"shufflenet_v2_x0_5={tmp_path / 'weights.pth'}"
    whole, model = load(weights, SIZE), load(weights, SIZE, classes=6)
    assert (model.input_shape, model.output_shape) == ((None, SIZE, SIZE, 3), (None, 6))
    for layer in model.layers[:-1]:
        for ours, theirs in zip(layer.get_weights(), whole.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    kernel, bias = model.get_layer("logits").get_weights()
    assert 0 < kernel.std() < 0.02 and not bias.any()


def application(name: str, **arguments) -> keras.Model:
    """The net of keras.applications with weights by which each layer changes the logits."""
    net = getattr(keras.applications, name)(weights=None, classifier_activation=None, **arguments)
    rng = np.random.default_rng(5)
    for variable in (variable for layer in net.layers for variable in layer.weights):
        shape = tuple(variable.shape)
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, shape))
        elif len(shape) == 1:
            variable.assign(0.1 * rng.standard_normal(shape))
        else:
            inputs = np.prod(shape[:2]) if "depthwise" in variable.path else np.prod(shape[:3])
            variable.assign(rng.standard_normal(shape) * np.sqrt(2 / inputs))
    return net


def save(net: keras.Model, path: Path) -> None:
    """Writes the older HDF5 layout, in which Keras publishes these files, or today's `.weights.h5`."""
    if path.name.endswith(".weights.h5"):
        net.save_weights(path)
        return
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, net)


@pytest.mark.parametrize(
    ("net", "file", "size"),
    [
        ("small", "weights.h5", 64),
        ("small", "small.weights.h5", 40),  # its 5 px maps pad otherwise
        ("large", "weights.h5", 40),
    ],
)
def test_a_file_of_keras_applications_gives_its_logits(net, file, size, tmp_path):
    # the input is stated: else it pads odd maps as it does even ones
    published = application(f"MobileNetV3{net.title()}", input_shape=(size, size, 3))
    save(published, tmp_path / file)
    images = np.random.default_rng(6).integers(0, 256, (2, size, size, 3)).astype("float32")
    expected = logits(published, images)
    found = logits(load(f"mobilenet_v3_{net}_keras={tmp_path / file}", size), images)
    assert np.ptp(expected, axis=0).max() > 0.1 * np.abs(expected).max()  # the image tells in the logits
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    "write",
    [
        lambda path: save(application("MobileNetV3Small", alpha=0.75), path),
        lambda path: path.write_bytes(b"no weights at all"),
    ],
)
def test_another_net_of_keras_applications_and_a_damaged_file_are_refused(tmp_path, write):
    write(tmp_path / "weights.h5")
    with pytest.raises(ModelError, match=r"weights\.h5: not the weights of keras.applications' MobileNetV3Small \(.*"):
        load(f"mobilenet_v3_small_keras={tmp_path / 'weights.h5'}")
