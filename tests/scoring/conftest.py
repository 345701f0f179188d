"""A small trained-looking net in two formats, and images for it."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kerastrash.export.format import Description
from kerastrash.export.writing import write_model
from kerastrash.models import build_model
from kerastrash.models.saved import save_model

SIZE, CLASSES = 32, ("blue", "green", "red")


@pytest.fixture(scope="session")
def nets(tmp_path_factory) -> Path:
    """A folder with net.keras, net.onnx and bad.onnx, and `images/` of three colours, ten each."""
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    folder = tmp_path_factory.mktemp("nets")
    rng = np.random.default_rng(7)
    for channel, name in enumerate(reversed(CLASSES)):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 60, (20, 24, 3), "uint8")
            pixels[..., channel] += 150
            Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    keras.utils.set_random_seed(8)
    model = build_model("mobilenetv3_79", SIZE, classes=3, width=0.25)
    save_model(model, folder / "net.keras", CLASSES)
    write_model(model, "onnx", folder / "net.onnx", Description(CLASSES))
    (folder / "bad.onnx").write_bytes(b"not a net")
    return folder
