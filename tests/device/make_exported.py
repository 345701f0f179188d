"""Writes what test_device.py opens: one net in every device format, photographs, and the model's outputs for them.

python tests/device/make_exported.py FOLDER

The photographs are those of the sample. For the environment with everything in it; the test then runs where neither
Keras nor a backend is installed.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from PIL import Image

from kerastrash.data import DataConfig, open_source, read_crop
from kerastrash.export.export import export_model, exported_name, open_original
from kerastrash.export.format import Description
from kerastrash.models import build_model
from kerastrash.models.saved import save_model

SIZE, PHOTOGRAPHS, SEED = 64, 40, 17
CLASSES = ("Metal", "Paper", "Paperpack", "Plastic", "Plasticbag", "Styrofoam")
EXPORTS = (
    ("onnx", Description(CLASSES)),
    ("onnx", Description(CLASSES, precision="float16")),
    ("openvino", Description(CLASSES)),
    ("litert", Description(CLASSES)),
    ("litert", Description(CLASSES, softmax=True)),
)


def main(folder: Path) -> None:
    """Exports a small net to every device format, with photographs and the Keras model's outputs for them."""
    crops = open_source(DataConfig()).crops
    chosen = np.linspace(0, len(crops) - 1, min(PHOTOGRAPHS, len(crops))).astype(int)
    images = np.stack([read_crop(crops[index], SIZE) for index in chosen])
    (folder / "images").mkdir(parents=True, exist_ok=True)
    save_model(_net(images), folder / "net.keras", CLASSES)
    original = open_original(folder / "net.keras", images)
    for name, description in EXPORTS:
        stem = "net-softmax" if description.softmax else "net"
        path = folder / exported_name(stem, name, description.precision)
        export_model(original, name, path, description)
    np.savez_compressed(folder / "expected.npz", images=images, logits=original.outputs)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / "images" / f"{number:02d}.png")


def _net(images: np.ndarray) -> keras.Model:
    """A net whose batch norms are those of the photographs, so that its answers differ from one to the next."""
    keras.utils.set_random_seed(SEED)
    model = build_model("mobilenetv3_79", SIZE, classes=len(CLASSES), width=0.5)
    for _ in range(100):
        model(images, training=True)
    logits = model.get_layer("logits")
    kernel, bias = logits.get_weights()
    raw = model.predict(images, verbose=0)
    logits.set_weights([kernel / raw.std(), bias - raw.mean(axis=0) / raw.std()])
    return model


if __name__ == "__main__":
    main(Path(sys.argv[1]))
