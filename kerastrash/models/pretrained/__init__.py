"""ImageNet weights: where they come from, under which licence, how their images were prepared, and nets that hold them.

Imports keras only, as the models do; PyTorch is loaded where one of its files is read.
"""

from kerastrash.models.pretrained.address import find_pretrained, pretrained_names
from kerastrash.models.pretrained.entry import Pretrained
from kerastrash.models.pretrained.load import pretrained_model
from kerastrash.models.pretrained.registry import PRETRAINED

__all__ = ["PRETRAINED", "Pretrained", "find_pretrained", "pretrained_model", "pretrained_names"]
