"""Nets as typed rows, their costs, and the functional Keras models built from them. Imports keras only."""

from kerastrash.models.builder import build_model
from kerastrash.models.costs import layers, macs, map_sizes, parameters
from kerastrash.models.normalisation import IMAGENET, Normalisation
from kerastrash.models.padding import with_padding
from kerastrash.models.resolve import preset, preset_names, resolve_rows
from kerastrash.models.row import Row, Rows
from kerastrash.models.rows import (
    BasicBlock,
    Bneck,
    Bottleneck,
    Conv,
    Dense,
    Flatten,
    InvertedResidual,
    MaxPool,
    MBConv,
    Pool,
    ShuffleUnit,
)
from kerastrash.models.rows_file import dump_rows, load_rows
from kerastrash.models.scaling import scale_rows
from kerastrash.models.torch_state import load_torch_state, read_torch_state

__all__ = [
    "IMAGENET",
    "BasicBlock",
    "Bneck",
    "Bottleneck",
    "Conv",
    "Dense",
    "Flatten",
    "InvertedResidual",
    "MBConv",
    "MaxPool",
    "Normalisation",
    "Pool",
    "Row",
    "Rows",
    "ShuffleUnit",
    "build_model",
    "dump_rows",
    "layers",
    "load_rows",
    "load_torch_state",
    "macs",
    "map_sizes",
    "parameters",
    "preset",
    "preset_names",
    "read_torch_state",
    "resolve_rows",
    "scale_rows",
    "with_padding",
]
