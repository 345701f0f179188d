"""Writes what PyTorch exports: ONNX files and programs of torch.export."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import torch
from keras.src.backend.torch.core import get_device
from torch import nn

from kerastrash.backends.torch_program import lower

EXAMPLE_BATCH = 2
"""torch.export takes the sizes 0 and 1 of an example for fixed ones."""


def write_onnx(model: keras.Model, path: Path, softmax: bool) -> None:
    """Writes the lowered model as ONNX of any batch size: `image` to `logits` or `probabilities`, both float32."""
    output = "probabilities" if softmax else "logits"
    with _silence():
        torch.onnx.export(
            _program(model, softmax),
            (_example(model),),
            path,
            dynamo=False,  # the other exporter leaves transposes around every convolution
            input_names=["image"],
            output_names=[output],
            dynamic_axes={"image": {0: "batch"}, output: {0: "batch"}},
        )


def write_program(model: keras.Model, path: Path, softmax: bool, files: Mapping[str, str]) -> None:
    """Writes the lowered model as a program of any batch size, with further files of the given names inside."""
    batch = torch.export.Dim("batch", min=1)
    with _silence(), torch.no_grad():
        program = torch.export.export(_program(model, softmax), (_example(model),), dynamic_shapes=({0: batch},))
        torch.export.save(program, path, extra_files=dict(files))


def _program(model: keras.Model, softmax: bool) -> nn.Module:
    return nn.Sequential(lower(model), nn.Softmax(dim=1)).eval() if softmax else lower(model)


def _example(model: keras.Model) -> torch.Tensor:
    return torch.zeros((EXAMPLE_BATCH, *model.input_shape[1:]), device=get_device())


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hides the exporters' notes on tracing; what matters, the outputs, is compared by whoever exports."""
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
