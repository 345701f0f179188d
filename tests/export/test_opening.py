"""Every runtime gives what the file says, for any images; what cannot be used is named with the remedy."""

import functools
import importlib.metadata
import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.format import Description, conditions
from kerastrash.export.formats import open_runtime
from kerastrash.export.onnx import CUDA, ONNX
from kerastrash.runs import processor_name

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
    rounded, beyond = (net(np.full((1, SIZE, SIZE, 3), level, "float32")) for level in (99.6, 300))
    np.testing.assert_allclose(rounded, 100 if dtype == "uint8" else 99.6, atol=0.05)
    np.testing.assert_allclose(beyond, 255 if dtype == "uint8" else 300)


GPU = "NVIDIA Test"


@pytest.fixture
def cuda_listed(monkeypatch):
    """ONNX Runtime names the CUDA provider as one that it has, which here cannot start."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])


@pytest.fixture
def asked(monkeypatch) -> list:
    """What each session was asked for; the processor answers in the CUDA provider's name."""
    sessions = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path, options, providers):
            sessions.append(list(providers))
            super().__init__(path, options, providers=["CPUExecutionProvider"])

        def get_providers(self):
            return [each if isinstance(each, str) else each[0] for each in sessions[-1]]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    return sessions


@pytest.mark.usefixtures("cuda_listed")
def test_an_onnx_file_runs_on_a_gpu_that_is_asked_for_and_says_so(write_colours, images, tmp_path, asked):
    path = write_colours(tmp_path / "net.onnx")
    net = open_runtime(path, accelerator=GPU)
    assert (net.name, net.device) == ("onnxruntime-cuda", GPU)
    assert asked.pop() == [(CUDA, {"use_tf32": "1"}), "CPUExecutionProvider"]
    assert_gives_colours(net, images)
    net = open_runtime(path)
    assert (net.name, net.device, asked) == ("onnxruntime", processor_name(), [["CPUExecutionProvider"]])


def test_without_the_cuda_provider_an_onnx_file_runs_on_the_processor(write_colours, tmp_path, asked):
    net = open_runtime(write_colours(tmp_path / "net.onnx"), accelerator=GPU)
    assert (net.name, net.device, asked) == ("onnxruntime", processor_name(), [["CPUExecutionProvider"]])


@pytest.mark.usefixtures("cuda_listed")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_where_the_cuda_provider_does_not_start_the_net_runs_on_the_processor(write_colours, images, tmp_path):
    net = open_runtime(write_colours(tmp_path / "net.onnx"), accelerator=GPU)
    assert (net.name, net.device) == ("onnxruntime", processor_name())
    assert_gives_colours(net, images)


def test_the_version_of_a_runtime_is_known_by_whichever_package_brings_it(monkeypatch):
    installed = importlib.metadata.version

    def without(name: str) -> str:
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return "9.9" if name == "onnxruntime-gpu" else installed(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: {"onnxruntime": ["onnxruntime-gpu"]})
    assert ONNX.versions()["onnxruntime"] == "9.9"


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
        for outputs, given in ((many, images), (one, images[:1]), (floats, images)):
            np.testing.assert_allclose(outputs, colours(given), atol=1e-3)
    assert "unsigned: TensorFlow cannot open it (it has no signature serving_default)" in found["unsigned"]
    assert "damaged: TensorFlow cannot open it" in found["damaged"]
    assert found["threads"].startswith("ConfigError threads=2 cannot be set")


def test_torch_keeps_the_threads_that_a_program_was_opened_with(write_colours, images, tmp_path, request):
    import torch

    request.addfinalizer(functools.partial(torch.set_num_threads, torch.get_num_threads()))
    net = open_runtime(write_colours(tmp_path / "net.pt2"), threads=2)
    torch.set_num_threads(1)
    net(images)
    assert torch.get_num_threads() == 2


def test_conditions_state_the_threads():
    assert conditions("onnxruntime", "a processor", 1) == "onnxruntime, a processor, 1 thread"
    found = conditions("keras-jax", "a processor", 4, "mixed_float16")
    assert found == "mixed_float16, keras-jax, a processor, 4 threads"


LOADED = """
heavy = {"keras", "torch", "tensorflow", "jax", "pandas", "scipy", "sklearn", "matplotlib", "h5py", "onnx"}
print(sorted((heavy | {*more}) & {*sys.modules}))
"""
CLASSIFY = f"""
import sys
from kerastrash import Classifier
Classifier(sys.argv[1], classes=["red", "green", "blue"]).predict(sys.argv[2])
more = (){LOADED}"""
KNOW = f"""
import sys
import kerastrash.export.formats
more = ("onnxruntime", "openvino", "ai_edge_litert"){LOADED}"""


@pytest.mark.parametrize("name", ["net.onnx", "net.xml", "any.tflite"])
def test_a_device_file_needs_nothing_but_its_runtime(write_colours, python, tensorflow_files, tmp_path, name):
    path = tensorflow_files / name if name == "any.tflite" else write_colours(tmp_path / name)
    Image.new("RGB", (20, 10), "red").save(tmp_path / "image.png")
    assert python(CLASSIFY, path, tmp_path / "image.png") == "[]\n"


def test_knowing_the_formats_imports_neither_keras_nor_a_runtime(python):
    assert python(KNOW) == "[]\n"


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".tflite", ".pt2", ".keras"])
@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x10\0\0\0TFL3" + b"\xff" * 100, b"PK\x03\x04" + b"\0" * 99]
)
def test_a_file_that_is_no_model_is_named_with_the_remedy(tmp_path, suffix, content):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    path.with_suffix(".bin").write_bytes(content)
    with pytest.raises(ModelError, match=rf"bad{suffix}: .*(export it again|save it again|give a \.keras file)"):
        open_runtime(path)


@pytest.mark.parametrize(("name", "runtime"), [("net.onnx", "ONNX Runtime"), ("net.pt2", "torch.export"),
                                               ("any.tflite", "LiteRT")])  # fmt: skip
def test_a_file_that_is_cut_short_is_named(write_colours, tensorflow_files, tmp_path, name, runtime):
    whole = tensorflow_files / name if name == "any.tflite" else write_colours(tmp_path / name)
    length = 500 if name == "any.tflite" else whole.stat().st_size // 2
    (tmp_path / name).write_bytes(whole.read_bytes()[:length])
    with pytest.raises(ModelError, match=rf"{name}: {runtime} cannot open it \(.+\); copy or export it again"):
        open_runtime(tmp_path / name)


def test_an_openvino_file_without_its_weights_or_with_a_byte_that_is_no_text_says_so(write_colours, tmp_path):
    path, weights = write_colours(tmp_path / "net.xml"), tmp_path / "net.bin"
    text = path.read_bytes()
    path.write_bytes(text.replace(b'type="ReduceMean"', b'type="Reduc\xffMean"'))  # quoted in OpenVINO's message
    with pytest.raises(ModelError, match=r"net\.xml: OpenVINO cannot open it \(.+\); copy or export it again"):
        open_runtime(path)
    path.write_bytes(text)
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ModelError, match=r"net\.xml: OpenVINO cannot open it"):
        open_runtime(path)
    weights.unlink()
    with pytest.raises(ModelError, match=r"its weights, net\.bin, are not beside it; copy both files"):
        open_runtime(path)


@pytest.mark.parametrize(("inputs", "outputs", "shown"), [
    ("float[n, 3, 16, 16] x", "float[n, 3] y", r"\(any, 3, 16, 16\)"),
    ("float[n, a, b, 3] x", "float[n, 3] y", r"\(any, any, any, 3\)"),
    ("float[n, 16, 32, 3] x", "float[n, 3] y", r"\(any, 16, 32, 3\)"),
    ("float[n, 16, 16, 3] x", "float[n, 16, 16, 3] y", r"gives \(any, 16, 16, 3\)"),
    ("float[n, 16, 16, 3] x, float[n, 16, 16, 3] z", "float[n, 3] y", r"\) and \("),
    ("double[n, 16, 16, 3] x", "double[n, 3] y", r"tensor\(double\)"),
])  # fmt: skip
def test_a_net_that_is_no_classifier_of_square_images_is_refused(tmp_path, inputs, outputs, shown):
    step = "Identity(x)" if "16, 16, 3] y" in outputs else "ReduceMean<axes = [1, 2], keepdims = 0>(x)"
    text = f'<ir_version: 8, opset_import: ["": 17]> net ({inputs}) => ({outputs}) {{ y = {step} }}'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=rf"net\.onnx: (takes|gives).*{shown}"):
        open_runtime(tmp_path / "net.onnx")


@pytest.mark.parametrize("name", ["onnx", "xml", "pt2"])
@pytest.mark.parametrize(
    ("text", "message"), [("{", "its description cannot be read"), ('{"classes": ["a", "b"]}', "names 2 classes but")]
)
def test_a_description_that_is_damaged_or_does_not_fit_is_refused(write_colours, tmp_path, name, text, message):
    with pytest.raises(ModelError, match=rf"net\.{name}: {message}"):
        open_runtime(write_colours(tmp_path / f"net.{name}", text=text))


@pytest.mark.parametrize(("file", "module", "package"), [
    ("net.onnx", "onnxruntime", r'"kerastrash\[onnx\]"'), ("net.xml", "openvino", r'"kerastrash\[openvino\]"'),
    ("net.tflite", "ai_edge_litert", r'"kerastrash\[litert\]"'), ("net.pt2", "torch", "torch"),
    ("saved_model.pb", "tensorflow", r'"kerastrash\[tensorflow\]"'),
])  # fmt: skip
def test_a_missing_package_is_named_with_the_line_that_installs_it(tmp_path, monkeypatch, file, module, package):
    (tmp_path / file).write_bytes(b"")
    (tmp_path / "net.bin").write_bytes(b"")
    for name in [name for name in sys.modules if name.startswith(("kerastrash.backends.", f"{module}."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # the interpreter's own mark for "cannot be imported"
    with pytest.raises(ConfigError, match=rf"{module}.* is not installed: run pip install {package}"):
        open_runtime(tmp_path if file == "saved_model.pb" else tmp_path / file)


@pytest.mark.parametrize(("name", "threads", "error", "message"), [
    ("absent.onnx", 1, ModelError, r"absent\.onnx: no such file"), ("", 1, ModelError, "of no known format"),
    ("absent.xyz", 1, ModelError, r"absent\.xyz: no such file"), ("net.onnx", 0, ConfigError, "threads=0"),
    ("net.h5", 1, ModelError, r"net\.h5: of no known format; give a file named \.keras, \.onnx"),
])  # fmt: skip
def test_what_cannot_be_opened_at_all_is_named(tmp_path, name, threads, error, message):
    (tmp_path / "net.h5").write_bytes(b"")
    with pytest.raises(error, match=message):
        open_runtime(tmp_path / name, threads)
