"""The stock Keras layers of each kind of row."""

from kerastrash.models.blocks import inverted, plain, resnet, shufflenet  # each registers its kinds with add_row
from kerastrash.models.blocks.add_row import add_row

__all__ = ["add_row", "inverted", "plain", "resnet", "shufflenet"]
