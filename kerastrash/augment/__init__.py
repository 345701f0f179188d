"""Augmentation of crops, with Pillow or on the backend's device, from the same random numbers.

Imports no keras, `kerastrash.augment.device` apart.
"""

from kerastrash.augment.augmentation import Augmentation, Draws
from kerastrash.augment.mix import Mixing
from kerastrash.augment.operations import NAMES, OPERATIONS, Operation

__all__ = ["NAMES", "OPERATIONS", "Augmentation", "Draws", "Mixing", "Operation"]
