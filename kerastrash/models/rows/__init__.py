"""The kinds of row, by the family of nets they come from."""

from kerastrash.models.rows.inverted import Block, Bneck, InvertedResidual, MBConv
from kerastrash.models.rows.plain import Conv, Dense, Flatten, MaxPool, Pool
from kerastrash.models.rows.resnet import BasicBlock, Bottleneck, Residual
from kerastrash.models.rows.shufflenet import ShuffleUnit

__all__ = [
    "BasicBlock",
    "Block",
    "Bneck",
    "Bottleneck",
    "Conv",
    "Dense",
    "Flatten",
    "InvertedResidual",
    "MBConv",
    "MaxPool",
    "Pool",
    "Residual",
    "ShuffleUnit",
]
