"""Augmentation of crops, with Pillow or on the backend's device, from the same random numbers.

Imports no keras, `kerastrash.augment.device` apart.
"""

from kerastrash.augment.augmentation import Augmentation
from kerastrash.augment.draws import NAMES, Draws
from kerastrash.augment.mix import MixDraw, Mixing, mix_images, mix_labels
from kerastrash.augment.pillow import OPERATIONS

__all__ = ["NAMES", "OPERATIONS", "Augmentation", "Draws", "MixDraw", "Mixing", "mix_images", "mix_labels"]
