"""ONNX: written by PyTorch, run in ONNX Runtime on the processor, or by its CUDA provider on a GPU."""

from pathlib import Path

from kerastrash.backends import OpenedFile
from kerastrash.export.format import KEY, Description, Format, KerasModel, OpenNet, classifier
from kerastrash.runs import processor_name

ERRORS_ONLY = 3
CUDA = "CUDAExecutionProvider"
PROVIDERS = ((CUDA, {"use_tf32": "1"}), "CPUExecutionProvider")
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


def open_onnx(path: Path, threads: int, accelerator: str) -> OpenNet:
    """Opens a file on the GPU of this name where the CUDA provider is installed and starts; else on the processor.

    What the provider does not know of a net runs on the processor.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = ERRORS_ONLY
    on_gpu = bool(accelerator) and CUDA in onnxruntime.get_available_providers()
    if on_gpu:
        onnxruntime.preload_dlls()  # of the packages that torch brings
    session = onnxruntime.InferenceSession(str(path), options, providers=PROVIDERS[not on_gpu :])
    on_gpu = CUDA in session.get_providers()  # it is left out where it cannot start
    inputs = session.get_inputs()
    opened = OpenedFile(
        run=lambda images: session.run(None, {inputs[0].name: images})[0],
        inputs=[entry.shape for entry in inputs],
        outputs=[entry.shape for entry in session.get_outputs()],
        dtype=TYPES.get(inputs[0].type, inputs[0].type) if inputs else "",
        text=session.get_modelmeta().custom_metadata_map.get(KEY, ""),
        device=accelerator if on_gpu else processor_name(),
    )
    return classifier(path, "onnxruntime-cuda" if on_gpu else "onnxruntime", opened)


ONNX = Format(
    name="onnx", suffix=".onnx", runtime="ONNX Runtime", write=write_onnx, open=open_onnx, backend="torch",
    precisions=("float32", "float16"), writing={"onnx": "onnx"}, opening={"onnxruntime": "onnx"},
    gpu_package="onnxruntime-gpu",
)  # fmt: skip
