"""Model files of one net whose outputs are known, in every format: the mean of each colour, images of 16 px."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kerastrash.export.format import Description
from kerastrash.models.saved import add_description

SIZE = 16
DESCRIPTION = Description(("빨강", 'gr"een', "<blue>"))
ONNX_TYPES = {"float32": "float", "float16": "float16", "uint8": "uint8"}


@pytest.fixture(scope="session")
def description() -> Description:
    """What the net's files say of themselves."""
    return DESCRIPTION


@pytest.fixture(scope="session")
def write_colours() -> Callable[..., Path]:
    """`write_colours(path, batch=None, dtype="float32", text=...)` -> path, an .onnx, .xml or .pt2 file of the net."""

    def write(path: Path, batch: int | None = None, dtype: str = "float32", text: str = DESCRIPTION.to_json()) -> Path:
        {".onnx": _write_onnx, ".xml": _write_openvino, ".pt2": _write_torch}[path.suffix](path, batch, dtype, text)
        return path

    return write


def _write_onnx(path: Path, batch: int | None, dtype: str, text: str) -> None:
    import onnx

    net = onnx.parser.parse_model(f"""
        <ir_version: 8, opset_import: ["": 17]>
        colours ({ONNX_TYPES[dtype]}[{batch or "any"}, {SIZE}, {SIZE}, 3] images) => (float[{batch or "any"}, 3] out)
        {{
            values = Cast<to = 1>(images)
            out = ReduceMean<axes = [1, 2], keepdims = 0>(values)
        }}""")
    onnx.helper.set_model_props(net, {"kerastrash": text})
    onnx.save(net, path)


def _write_openvino(path: Path, batch: int | None, dtype: str, text: str) -> None:
    import openvino

    step = path.with_name("step.onnx")
    _write_onnx(step, batch, dtype, "")
    net = openvino.Core().read_model(step)
    net.set_rt_info(text, "kerastrash")
    openvino.save_model(net, path, compress_to_fp16=False)
    step.unlink()


def _write_torch(path: Path, batch: int | None, dtype: str, text: str) -> None:
    import torch

    class Colours(torch.nn.Module):
        def forward(self, images):
            return images.float().mean((1, 2))

    example = torch.zeros((batch or 2, SIZE, SIZE, 3), dtype=getattr(torch, dtype))
    shapes = None if batch else ({0: torch.export.Dim("batch", min=1)},)
    program = torch.export.export(Colours(), (example,), dynamic_shapes=shapes)
    torch.export.save(program, path, extra_files={"kerastrash.json": text})


TENSORFLOW_FILES = """
import sys
import numpy as np
from kerastrash.backends.tensorflow import tf

def colours(batch):
    return tf.function(lambda images: tf.reduce_mean(images, (1, 2)), [tf.TensorSpec((batch, 16, 16, 3))])

def write(name, function, dtype=None):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], net)
    if dtype:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        batches = [np.full((1, 16, 16, 3), level, "float32") for level in (0, 100, 255)]
        converter.representative_dataset = lambda: ([batch] for batch in batches)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = dtype
    with open(f"{folder}/{name}.tflite", "wb") as stream:
        stream.write(converter.convert())

net, folder = tf.Module(), sys.argv[1]
net.any, net.pairs = colours(None), colours(2)
write("any", net.any)
write("pairs", net.pairs)
write("int8", net.any, tf.int8)
write("uint8", net.any, tf.uint8)
tf.saved_model.save(net, f"{folder}/saved", signatures=net.any)
tf.saved_model.save(net, f"{folder}/pairs", signatures=net.pairs)
tf.saved_model.save(net, f"{folder}/unsigned", signatures={"other": net.any})
"""


@pytest.fixture(scope="session")
def python() -> Callable[..., str]:
    """`python(code, *arguments)` -> what the code prints in a process of its own."""

    def run(code: str, *arguments: object) -> str:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        # TensorFlow's converter imports Keras, whose torch would bring Triton's LLVM beside TensorFlow's own: it aborts
        environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def tensorflow_files(tmp_path_factory, python) -> Path:
    """The net as `any`, `pairs`, `int8` and `uint8` .tflite files, and as the SavedModels `saved` and `pairs`."""
    folder = tmp_path_factory.mktemp("tensorflow")
    python(TENSORFLOW_FILES, folder)
    for name in ("any", "pairs", "int8", "uint8"):
        add_description(folder / f"{name}.tflite", DESCRIPTION.to_json())
    extra = folder / "saved" / "assets.extra"
    extra.mkdir()
    (extra / "kerastrash.json").write_text(DESCRIPTION.to_json())
    return folder
