"""Each runtime answers a file that it cannot use, and a package that is missing, with a sentence and the remedy."""

import sys

import pytest

from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.formats import open_runtime


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".tflite", ".pt2", ".keras"])
@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x10\0\0\0TFL3" + b"\xff" * 100, b"PK\x03\x04" + b"\0" * 99]
)
def test_a_file_that_is_no_model_is_named_with_the_remedy(tmp_path, suffix, content):
    for module in {".onnx": ["onnxruntime"], ".xml": ["openvino"], ".tflite": ["ai_edge_litert"]}.get(suffix, []):
        pytest.importorskip(module, reason=f"{module} is not installed")
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    path.with_suffix(".bin").write_bytes(content)
    with pytest.raises(ModelError, match=rf"bad{suffix}: .*(export it again|save it again|give a \.keras file)"):
        open_runtime(path)


@pytest.mark.parametrize("name", ["onnx", "pt2"])
def test_a_file_that_is_cut_short_is_named(write_colours, tmp_path, name):
    path = write_colours(tmp_path / f"net.{name}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelError, match=rf"net\.{name}: .* cannot open it \(.+\); copy or export it again"):
        open_runtime(path)


def test_a_litert_file_that_is_cut_short_is_named(tensorflow_files, tmp_path):
    (tmp_path / "net.tflite").write_bytes((tensorflow_files / "any.tflite").read_bytes()[:500])
    with pytest.raises(ModelError, match=r"net\.tflite: LiteRT cannot open it \(.+\); copy or export it again"):
        open_runtime(tmp_path / "net.tflite")


def test_an_openvino_file_without_its_weights_says_so(write_colours, tmp_path):
    path = write_colours(tmp_path / "net.xml")
    weights = (tmp_path / "net.bin").read_bytes()
    (tmp_path / "net.bin").write_bytes(weights[:-8])
    with pytest.raises(ModelError, match=r"net\.xml: OpenVINO cannot open it"):
        open_runtime(path)
    (tmp_path / "net.bin").unlink()
    with pytest.raises(ModelError, match=r"its weights, net\.bin, are not beside it; copy both files"):
        open_runtime(path)


@pytest.mark.parametrize(
    ("inputs", "outputs", "shown"),
    [
        ("float[n, 3, 16, 16] x", "float[n, 3] y", r"\(any, 3, 16, 16\)"),
        ("float[n, a, b, 3] x", "float[n, 3] y", r"\(any, any, any, 3\)"),
        ("float[n, 16, 32, 3] x", "float[n, 3] y", r"\(any, 16, 32, 3\)"),
        ("float[n, 16, 16, 3] x", "float[n, 16, 16, 3] y", r"gives \(any, 16, 16, 3\)"),
        ("float[n, 16, 16, 3] x, float[n, 16, 16, 3] z", "float[n, 3] y", r"\) and \("),
        ("double[n, 16, 16, 3] x", "double[n, 3] y", r"tensor\(double\)"),
    ],
)
def test_a_net_that_is_no_classifier_of_square_images_is_refused(tmp_path, inputs, outputs, shown):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
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


@pytest.mark.parametrize(
    ("file", "module", "line"),
    [
        ("net.onnx", "onnxruntime", r'pip install "kerastrash\[onnx\]"'),
        ("net.xml", "openvino", r'pip install "kerastrash\[openvino\]"'),
        ("net.tflite", "ai_edge_litert", r'pip install "kerastrash\[litert\]"'),
        ("saved_model.pb", "tensorflow", r'pip install "kerastrash\[tensorflow\]"'),
        ("net.pt2", "torch", "pip install torch"),
    ],
)
def test_a_missing_package_is_named_with_the_line_that_installs_it(tmp_path, monkeypatch, file, module, line):
    (tmp_path / file).write_bytes(b"")
    for name in [name for name in sys.modules if name.startswith("kerastrash.backends.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # the interpreter's own mark for "cannot be imported"
    with pytest.raises(ConfigError, match=rf"{module}.* is not installed: run {line}"):
        open_runtime(tmp_path if file == "saved_model.pb" else tmp_path / file)


def test_an_absent_file_and_an_unknown_format_are_named(tmp_path):
    for name in ("absent.onnx", "absent.xyz"):
        with pytest.raises(ModelError, match=rf"{name}: no such file"):
            open_runtime(tmp_path / name)
    (tmp_path / "net.h5").write_bytes(b"")
    with pytest.raises(ModelError, match=r"net\.h5: of no known format; give a file named \.keras, \.onnx"):
        open_runtime(tmp_path / "net.h5")
    with pytest.raises(ModelError, match="of no known format"):
        open_runtime(tmp_path)


def test_no_threads_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="threads=0"):
        open_runtime(tmp_path / "net.onnx", threads=0)
