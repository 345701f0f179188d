"""Both runtimes give the model's logits."""

import sys

import keras
import numpy as np
import pytest
from PIL import Image

from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.open_as import open_as
from kerastrash.export.open_net import conditions
from kerastrash.export.runtimes.keras_net import keras_runtime
from kerastrash.export.runtimes.onnx import onnx_runtime
from kerastrash.export.writers import write_model
from kerastrash.models import Conv, InvertedResidual, Pool, build_model

SIZE = 32
ROWS = (
    Conv(16, kernel=3, stride=2, activation="hard_swish"),
    InvertedResidual(5, 3, 24, squeeze_excite=True, hard_swish=True, stride=2),
    InvertedResidual(3, 2, 24),
    Conv(48),
    Pool(),
)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Smooth coloured grounds with noise: what a photograph's statistics look like, unlike pure noise."""
    rng = np.random.default_rng(5)
    coarse = [Image.fromarray(rng.integers(0, 256, (4, 4, 3), "uint8")).resize((SIZE, SIZE)) for _ in range(4)]
    noise = rng.integers(-8, 9, (4, SIZE, SIZE, 3))
    return np.clip(np.stack([np.asarray(image) for image in coarse]).astype(int) + noise, 0, 255).astype("uint8")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(6)
    return build_model(ROWS, SIZE, classes=6)


@pytest.fixture(scope="module")
def onnx_only_here() -> None:
    """Skips, with the reason, where a model cannot be exported."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    if keras.backend.backend() != "torch":
        pytest.skip("models are exported to ONNX on the torch backend only")


@pytest.mark.backends
def test_the_keras_runtime_gives_the_models_logits(model, images):
    runtime = keras_runtime(model)
    assert runtime.name == f"keras-{keras.backend.backend()}"
    assert (runtime.input_size, runtime.classes) == (SIZE, 6)
    np.testing.assert_allclose(runtime(images), model.predict(images, verbose=0), rtol=1e-4, atol=1e-5)


@pytest.mark.backends
def test_the_keras_runtime_opens_a_file(model, images, tmp_path):
    model.save(tmp_path / "net.keras")
    expected = keras_runtime(model)(images)
    np.testing.assert_allclose(keras_runtime(tmp_path / "net.keras")(images), expected, rtol=1e-4, atol=1e-5)


def test_onnx_runtime_agrees_with_keras_for_one_image_and_for_many(model, images, onnx_only_here):
    expected = keras_runtime(model)(images)
    runtime = open_as(model, "onnx", threads=1)
    assert (runtime.name, runtime.input_size, runtime.classes) == ("onnxruntime", SIZE, 6)
    scale = np.abs(expected).max()
    assert expected.std(axis=0).max() > 1e-3 * scale  # the net tells the images apart
    assert np.abs(runtime(images) - expected).max() <= 1e-4 * scale
    assert np.abs(runtime(images[:1]) - expected[:1]).max() <= 1e-4 * scale


def test_a_freshly_opened_model_is_exported_in_silence(model, images, tmp_path, onnx_only_here, capfd, recwarn):
    model.save(tmp_path / "net.keras")
    fresh = keras.saving.load_model(tmp_path / "net.keras", compile=False)
    capfd.readouterr()
    write_model(fresh, "onnx", tmp_path / "net.onnx")
    assert capfd.readouterr() == ("", "")
    assert not [warning for warning in recwarn if "Tracer" in warning.category.__name__]
    expected = keras_runtime(model)(images)
    np.testing.assert_allclose(onnx_runtime(tmp_path / "net.onnx")(images), expected, rtol=1e-4, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.keras", "net.onnx"]


def test_a_missing_extra_names_the_command_that_installs_it(model, tmp_path, monkeypatch):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)  # the interpreter's own mark for "cannot be imported"
    with pytest.raises(ConfigError, match=r'pip install "kerastrash\[onnx\]"'):
        write_model(model, "onnx", tmp_path / "net.onnx")
    with pytest.raises(ConfigError, match=r'pip install "kerastrash\[onnx\]"'):
        onnx_runtime(tmp_path / "net.onnx")


def test_a_bad_onnx_file_is_named(tmp_path, onnx_only_here):
    with pytest.raises(ModelError, match=r"absent\.onnx: no such file"):
        onnx_runtime(tmp_path / "absent.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a net")
    with pytest.raises(ModelError, match=r"bad\.onnx: ONNX Runtime cannot open it"):
        onnx_runtime(tmp_path / "bad.onnx")


def test_no_threads_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="threads=0"):
        onnx_runtime(tmp_path / "net.onnx", threads=0)


def test_conditions_state_the_threads():
    assert conditions("onnxruntime", "a processor", 1) == "onnxruntime, a processor, 1 thread"
    assert conditions("keras-jax", "a processor", 4) == "keras-jax, a processor, 4 threads"
