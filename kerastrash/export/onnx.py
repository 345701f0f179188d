"""ONNX: written by PyTorch, run in ONNX Runtime on the processor."""

from pathlib import Path

from kerastrash.backends import OpenedFile
from kerastrash.export.format import KEY, Description, Format, KerasModel, OpenNet, classifier

ERRORS_ONLY = 3
TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}


def write_onnx(model: KerasModel, path: Path, description: Description) -> None:
    """Writes `image` float32 to `logits` or `probabilities` float32, the description as the property `kerastrash`.

    In float16 the weights and all arithmetic between are so.
    """
    import onnx

    from kerastrash.backends.torch import files

    files.write_onnx(model, path, description.softmax)
    net = onnx.load(path)
    if description.precision == "float16":
        from onnxruntime.transformers.float16 import convert_float_to_float16  # float32 files need no onnxruntime

        net = convert_float_to_float16(net, keep_io_types=True)
    onnx.helper.set_model_props(net, {KEY: description.to_json()})
    onnx.save(net, path)


def open_onnx(path: Path, threads: int) -> OpenNet:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = ERRORS_ONLY
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()
    opened = OpenedFile(
        run=lambda images: session.run(None, {inputs[0].name: images})[0],
        inputs=[entry.shape for entry in inputs],
        outputs=[entry.shape for entry in session.get_outputs()],
        dtype=TYPES.get(inputs[0].type, inputs[0].type) if inputs else "",
        text=session.get_modelmeta().custom_metadata_map.get(KEY, ""),
    )
    return classifier(path, "onnxruntime", opened)


ONNX = Format(
    name="onnx", suffix=".onnx", runtime="ONNX Runtime", write=write_onnx, open=open_onnx, backend="torch",
    precisions=("float32", "float16"), writing={"onnx": "onnx"}, opening={"onnxruntime": "onnx"},
)  # fmt: skip
