"""A small net trained on drawn images of three classes."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kerastrash.data import DataConfig, prepare
from kerastrash.models import Conv, InvertedResidual, Pool, build_model
from kerastrash.models.saved import open_model, save_model

SIZE, CLASSES, EACH = 32, ("checks", "dots", "stripes"), 80
ROWS = (
    Conv(8, kernel=3, stride=2, activation="hard_swish"),
    InvertedResidual(3, 2, 16, squeeze_excite=True, stride=2),
    Conv(16),
    Pool(),
)


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> DataConfig:
    """Patterns of any two colours: what tells the classes apart is texture."""
    folder, rng = tmp_path_factory.mktemp("patterns"), np.random.default_rng(11)
    rows, columns = np.indices((SIZE, SIZE)) // 4 % 2
    masks = {"checks": rows ^ columns, "dots": rows & columns, "stripes": rows}
    for name in CLASSES:
        (folder / "images" / name).mkdir(parents=True)
        for number in range(EACH):
            colours = rng.integers(0, 256, (2, 3))
            pixels = colours[np.roll(masks[name], rng.integers(0, 8, 2), (0, 1))] + rng.normal(0, 12, (SIZE, SIZE, 3))
            Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(folder / "images" / name / f"{number}.png")
    return DataConfig(data=str(folder / "images"), cache=folder / "cache")


@pytest.fixture(scope="session")
def trained(data, tmp_path_factory) -> Path:
    """The net's file, trained for some seconds."""
    keras.utils.set_random_seed(12)
    model, part = build_model(ROWS, SIZE, classes=len(CLASSES)), prepare(data, SIZE).split("train")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    history = model.fit(np.asarray(part.images[part.indices]), part.labels, batch_size=16, epochs=25, verbose=0)
    assert history.history["accuracy"][-1] > 0.9
    path = tmp_path_factory.mktemp("trained") / "net.keras"
    save_model(model, path, CLASSES)
    return path


@pytest.fixture(scope="session")
def unequal(trained, tmp_path_factory) -> Path:
    """The same function, written so that int8 ruins it: one map 3,000 times as large, what reads it as much smaller.

    It is the map between gate and projection: NNCF evens out those between two convolutions.
    """
    model = open_model(trained)
    norm, squeeze, project = (model.get_layer(f"row02_{name}") for name in ("depthwise_bn", "squeeze", "project"))
    gamma, beta, *statistics = map(np.array, norm.get_weights())
    largest = np.argmax(beta + np.abs(gamma))
    for vector in (gamma, beta):
        vector[largest] *= 3000
    norm.set_weights([gamma, beta, *statistics])
    for reader in (squeeze, project):
        kernel, *bias = map(np.array, reader.get_weights())
        kernel[:, :, largest] /= 3000
        reader.set_weights([kernel, *bias])
    path = tmp_path_factory.mktemp("unequal") / "net.keras"
    save_model(model, path, CLASSES)
    return path
