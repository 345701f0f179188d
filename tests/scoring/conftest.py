"""A small trained-looking net in two formats, and images for it."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kerastrash.export.format import Description
from kerastrash.export.writing import write_model
from kerastrash.models import build_model
from kerastrash.models.saved import open_model, save_model

SIZE, CLASSES = 32, ("blue", "green", "red")


@pytest.fixture(scope="session")
def coloured(tmp_path_factory) -> Path:
    """A folder with `images/` of three colours, ten each."""
    folder = tmp_path_factory.mktemp("coloured")
    rng = np.random.default_rng(7)
    for channel, name in enumerate(reversed(CLASSES)):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 60, (20, 24, 3), "uint8")
            pixels[..., channel] += 150
            Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def net(coloured) -> Path:
    """net.keras beside the images."""
    keras.utils.set_random_seed(8)
    save_model(build_model("mobilenetv3_79", SIZE, classes=3, width=0.25), coloured / "net.keras", CLASSES)
    return coloured / "net.keras"


@pytest.fixture(scope="session")
def nets(net) -> Path:
    """The folder with net.keras, net.onnx and bad.onnx beside the images."""
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    write_model(open_model(net), "onnx", net.with_suffix(".onnx"), Description(CLASSES))
    net.with_name("bad.onnx").write_bytes(b"not a net")
    return net.parent
