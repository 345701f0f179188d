"""Augmentation of crops, with Pillow or on the backend's device, from the same random numbers.

Imports no keras, `kerastrash.data.augment.device` apart.
"""

from kerastrash.data.augment.augmentation import Augmentation
from kerastrash.data.augment.draws import NAMES, Draws
from kerastrash.data.augment.mix import MixDraw, Mixing, mix_images, mix_labels
from kerastrash.data.augment.pillow import OPERATIONS

__all__ = ["NAMES", "OPERATIONS", "Augmentation", "Draws", "MixDraw", "Mixing", "mix_images", "mix_labels"]
