"""Files that PyTorch writes: ONNX, programs of torch.export, states. The last two are read here too, without Keras."""

import contextlib
import io
import logging
import pickle
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from kerastrash.backends import OpenedFile
from kerastrash.errors import ModelError, told
from kerastrash.runs import processor_name

if TYPE_CHECKING:
    import keras

STATE_NAMES = ("state_dict", "model_state_dict", "model")
"""The names under which training scripts keep the state within a checkpoint."""


def write_onnx(model: "keras.Model", path: Path, softmax: bool) -> None:
    """Writes the lowered model as ONNX of any batch size: `image` to `logits` or `probabilities`, both float32."""
    output = "probabilities" if softmax else "logits"
    program, example = _traceable(model, softmax)
    with _silence():
        torch.onnx.export(
            program,
            (example,),
            path,
            dynamo=False,  # the other exporter leaves transposes around every convolution
            input_names=["image"],
            output_names=[output],
            dynamic_axes={"image": {0: "batch"}, output: {0: "batch"}},
        )


def write_program(model: "keras.Model", path: Path, softmax: bool, files: Mapping[str, str]) -> None:
    """Writes the lowered model as a program of any batch size, with further files of the given names inside."""
    batch = torch.export.Dim("batch", min=1)
    program, example = _traceable(model, softmax)
    with _silence(), torch.no_grad():
        exported = torch.export.export(program, (example,), dynamic_shapes=({0: batch},))
        torch.export.save(exported, path, extra_files=dict(files))


def open_program(path: Path, threads: int, extra_file: str) -> OpenedFile:
    """Loads a `.pt2` file, which is a program that may do more than compute: only from somebody you trust.

    Args:
        threads: set for the whole process, and again by a run that finds another number.
        extra_file: the name of a text file among the program's extra files, which becomes the `text`.

    Raises:
        Exception: nearly any; each means that the file is damaged.
    """
    files = {extra_file: ""}
    with _silence():
        program = torch.export.load(path, extra_files=files)
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}  # shapes, types and devices
    signature = program.graph_signature
    inputs, outputs = ([values[key] for key in keys] for keys in (signature.user_inputs, signature.user_outputs))
    module, device = program.module(), inputs[0].device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()

    @torch.inference_mode()
    def run(images: np.ndarray) -> np.ndarray:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        images = torch.from_numpy(np.require(images, requirements="CW"))  # torch takes no read-only memory
        return module(images.to(device)).cpu().numpy()

    dtype = str(inputs[0].dtype).removeprefix("torch.")
    return OpenedFile(run, [x.shape for x in inputs], [x.shape for x in outputs], dtype, files[extra_file], name)


def read_state(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a `.pt` or `.pth` file, as float32 arrays in their order; runs no pickled code.

    The file holds a `state_dict`, or a checkpoint with one inside.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        remedy = "save it again with torch.save(net.state_dict(), path)"
        raise ModelError(f"{path}: not a plain file of tensors ({told(error)}); {remedy}") from error
    wrapped = [state.get(name) for name in STATE_NAMES] if isinstance(state, Mapping) else []
    state = next((entry for entry in wrapped if isinstance(entry, Mapping)), state)
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{path}: holds no state_dict; save one with torch.save(net.state_dict(), path)")
    return {key: value.detach().float().numpy() for key, value in state.items()}


def _traceable(model: "keras.Model", softmax: bool) -> tuple[nn.Module, torch.Tensor]:
    """The program that is written, and images to trace it with, on its device."""
    import keras

    from kerastrash.backends.torch.program import lower

    program = nn.Sequential(lower(model), nn.Softmax(dim=1)).eval() if softmax else lower(model)
    shape = (2, *model.input_shape[1:])  # torch.export takes the sizes 0 and 1 of an example for fixed ones
    return program, keras.ops.zeros(shape, "float32")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hides what torch prints while it traces or trips over a damaged file: what matters is compared, or raised."""
    logging.disable(logging.WARNING)
    try:
        shown = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
