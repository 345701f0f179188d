"""Opens programs of torch.export, without Keras."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.export import ExportedProgram

from kerastrash.backends.processor import processor_name


@dataclass(frozen=True)
class Exported:
    """A program that is ready to run, and what it says of itself."""

    run: Callable[[np.ndarray], np.ndarray]
    """Images of its own type and batch size to its first output, in host memory."""
    inputs: list[tuple[int | None, ...]]
    """Shapes; None for a free side."""
    outputs: list[tuple[int | None, ...]]
    dtype: str
    """Of the first input, such as `float32`."""
    device: str
    text: str
    """Of the extra file that was asked for; empty where there is none."""


def open_exported(path: Path, threads: int, extra_file: str) -> Exported:
    """Loads a `.pt2` file, which is a program that may do more than compute: only from somebody you trust.

    Args:
        threads: set for the whole process, and again by a run that finds another number.
        extra_file: the name of a text file among the program's extra files.

    Raises:
        Exception: nearly any; each means that the file is damaged.
    """
    files = {extra_file: ""}
    with _silence():
        program = torch.export.load(path, extra_files=files)
    inputs = _values(program, program.graph_signature.user_inputs)
    outputs = _values(program, program.graph_signature.user_outputs)
    module, device = program.module(), inputs[0].device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()

    @torch.inference_mode()
    def run(images: np.ndarray) -> np.ndarray:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        images = torch.from_numpy(np.require(images, requirements="CW"))  # torch takes no read-only memory
        return module(images.to(device)).cpu().numpy()

    dtype = str(inputs[0].dtype).removeprefix("torch.")
    return Exported(run, _shapes(inputs), _shapes(outputs), dtype, name, files[extra_file])


def _values(program: ExportedProgram, names: Sequence[str]) -> list[torch.Tensor]:
    """What stands for the inputs or outputs of these names in the program's graph: shapes, types, devices."""
    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.name in names}
    return [values[name] for name in names]


def _shapes(values: Sequence[torch.Tensor]) -> list[tuple[int | None, ...]]:
    return [tuple(side if isinstance(side, int) else None for side in value.shape) for value in values]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hides torch's own account of a damaged file; what it raises says as much."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
