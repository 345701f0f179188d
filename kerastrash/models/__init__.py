"""Nets as typed rows, their costs, and the functional Keras models built from them. Imports keras only."""

from kerastrash.models.base import Row, Rows, with_fields
from kerastrash.models.builder import IMAGENET, Normalisation, build_model, scale_rows
from kerastrash.models.costs import layers, macs, map_sizes, parameters
from kerastrash.models.efficientnet_lite import MBConv
from kerastrash.models.layers import Conv, Dense, Flatten, MaxPool, Pool
from kerastrash.models.mobilenet_v3 import Bneck, InvertedResidual
from kerastrash.models.nets import dump_rows, load_rows, preset, preset_names, resolve_rows
from kerastrash.models.resnet import BasicBlock, Bottleneck
from kerastrash.models.shufflenet_v2 import ShuffleUnit
from kerastrash.models.weights import load_torch_state
