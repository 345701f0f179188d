"""Checkpoints of torchvision and timm, generated with their key names and shapes, give the logits of their nets."""

import keras
import numpy as np
import pytest

from kerastrash.errors import ModelError
from kerastrash.models.pretrained import PRETRAINED, pretrained_model

torch = pytest.importorskip("torch", reason="writes .pth files")

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


def filled(layout: dict[str, tuple[int, ...]]) -> dict:
    """Tensors of a layout, drawn in its order as the golden outputs' are."""
    rng = np.random.default_rng(SEED)

    def draw(key: str, shape: tuple[int, ...]) -> np.ndarray:
        if key.endswith("running_var"):
            return rng.uniform(0.5, 1.5, shape)
        if key.endswith(("running_mean", "bias")):
            return 0.1 * rng.standard_normal(shape)
        if len(shape) == 1:
            return rng.uniform(0.5, 1.5, shape)
        return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))

    return {key: torch.from_numpy(draw(key, shape).astype("float32")) for key, shape in layout.items()}


def check(model: keras.Model, name: str) -> None:
    image = np.random.default_rng(SEED + 1).integers(0, 256, (1, SIZE, SIZE, 3)).astype("uint8")
    logits = keras.ops.convert_to_numpy(model(image, training=False))[0]
    expected, largest = EXPECTED[name]
    assert logits.shape == (1000,)
    np.testing.assert_allclose(logits[:4], expected, rtol=0, atol=1e-3 * largest)  # PyTorch's own float32: 3e-4


def test_every_state_dict_that_is_downloaded_has_its_layout_here(layouts):
    downloads = {name for name, entry in PRETRAINED.items() if str(entry.source).endswith(".pth")}
    assert set(layouts) == set(EXPECTED) == downloads


@pytest.mark.parametrize("name", [name for name in EXPECTED if not PRETRAINED[name].hub])
def test_a_pth_file_of_torchvision_gives_its_logits(name, layouts, tmp_path):
    torch.save(filled(layouts[name]()), tmp_path / "weights.pth")
    check(pretrained_model(f"{name}={tmp_path / 'weights.pth'}", SIZE), name)


@pytest.mark.parametrize("name", [name for name in EXPECTED if PRETRAINED[name].hub])
def test_a_safetensors_file_of_timm_gives_its_logits(name, layouts, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch", reason="hub files are .safetensors")
    safetensors.save_file(filled(layouts[name]()), tmp_path / "model.safetensors")
    check(pretrained_model(f"{name}={tmp_path / 'model.safetensors'}", SIZE), name)


def test_the_first_tensor_of_another_net_is_named(layouts, tmp_path):
    torch.save(filled(layouts["resnet18"]()), tmp_path / "weights.pth")
    mismatch = r"weights\.pth: conv1\.weight: shape \(64, 3, 7, 7\) does not fit layer row01"
    with pytest.raises(ModelError, match=mismatch):
        pretrained_model(f"resnet18d={tmp_path / 'weights.pth'}", SIZE)


def test_a_new_head_stands_on_the_pretrained_layers(layouts, tmp_path):
    torch.save(filled(layouts["shufflenet_v2_x0_5"]()), tmp_path / "weights.pth")
    weights = f"shufflenet_v2_x0_5={tmp_path / 'weights.pth'}"
    whole, model = pretrained_model(weights, SIZE), pretrained_model(weights, SIZE, classes=6)
    assert model.output_shape == (None, 6)
    for layer in model.layers[:-1]:
        for ours, theirs in zip(layer.get_weights(), whole.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    kernel, bias = model.get_layer("logits").get_weights()
    assert 0 < kernel.std() < 0.02 and not bias.any()
