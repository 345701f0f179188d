"""Files of keras.applications' MobileNetV3, of random weights and statistics, give its logits in our rows."""

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from kerastrash.errors import ModelError
from kerastrash.models.pretrained import pretrained_model


def application(name: str, **arguments) -> keras.Model:
    """The net of keras.applications with weights by which each layer changes the logits."""
    net = getattr(keras.applications, name)(weights=None, classifier_activation=None, **arguments)
    rng = np.random.default_rng(5)
    for variable in (variable for layer in net.layers for variable in layer.weights):
        shape, name = tuple(variable.shape), variable.name
        if name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, shape))
        elif len(shape) == 1:
            variable.assign(0.1 * rng.standard_normal(shape))
        else:
            inputs = np.prod(shape[:2]) if "depthwise" in variable.path else np.prod(shape[:3])
            variable.assign(rng.standard_normal(shape) * np.sqrt(2 / inputs))
    return net


def save(net: keras.Model, path) -> None:
    """Writes the older HDF5 layout, in which Keras publishes these files, or today's `.weights.h5`."""
    if path.name.endswith(".weights.h5"):
        net.save_weights(path)
        return
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, net)


@pytest.mark.parametrize(
    ("name", "builder", "file", "size"),
    [
        ("mobilenet_v3_small_keras", "MobileNetV3Small", "weights.h5", 64),
        ("mobilenet_v3_small_keras", "MobileNetV3Small", "small.weights.h5", 40),  # its 5 px maps pad otherwise
        ("mobilenet_v3_large_keras", "MobileNetV3Large", "weights.h5", 40),
    ],
)
def test_a_file_of_keras_applications_gives_its_logits(name, builder, file, size, tmp_path):
    net = application(builder, input_shape=(size, size, 3))  # stated: else it pads odd maps as it does even ones
    save(net, tmp_path / file)
    images = np.random.default_rng(6).integers(0, 256, (2, size, size, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(net(images, training=False))
    model = pretrained_model(f"{name}={tmp_path / file}", size)
    found = keras.ops.convert_to_numpy(model(images, training=False))
    assert np.ptp(expected, axis=0).max() > 0.1 * np.abs(expected).max()  # the image tells in the logits
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_another_net_of_keras_applications_is_refused(tmp_path):
    save(application("MobileNetV3Small", alpha=0.75), tmp_path / "weights.h5")
    with pytest.raises(ModelError, match=r"weights\.h5: not the weights of keras.applications' MobileNetV3Small \(.*"):
        pretrained_model(f"mobilenet_v3_small_keras={tmp_path / 'weights.h5'}")


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"no weights at all")
    with pytest.raises(ModelError, match=r"weights\.h5: not the weights of"):
        pretrained_model(f"mobilenet_v3_small_keras={tmp_path / 'weights.h5'}")
