"""The training recipe of the contest's first team, as one dataclass."""

from dataclasses import dataclass
from typing import Literal

from kerastrash.data.augment import Augmentation
from kerastrash.errors import require

Loss = Literal["cross_entropy", "logit_adjusted"]
DtypePolicy = Literal["float32", "mixed_float16", "mixed_bfloat16"]


@dataclass(frozen=True)
class Recipe:
    """How a net is trained; the defaults are those of the first team's submitted net (row 5 of the design)."""

    epochs: int = 200
    """Epochs of the whole schedule."""
    batch_size: int = 64
    """Images a step."""
    learning_rate: float = 0.1
    """Peak learning rate of the OneCycle schedule."""
    warmup: float = 0.05
    """Share of the steps in which the rate climbs to its peak."""
    momentum_low: float = 0.85
    """SGD momentum at the peak of the learning rate."""
    momentum_high: float = 0.95
    """SGD momentum at the start and at the end."""
    weight_decay: float = 0.0
    """L2 penalty added to the gradient of every kernel, as PyTorch's SGD does."""
    loss: Loss = "cross_entropy"
    """Plain cross entropy, or adjusted by the class frequencies (for imbalanced classes)."""
    tau: float = 1.0
    """Strength of the logit adjustment."""
    n_select: int = 2
    """RandAugment operations drawn for each image, 0 to 6."""
    level: float | None = None
    """Strength of every operation in [0, 1]; left out, each image draws its own."""
    flip: bool = True
    """Flip half of the images left to right."""
    cutout: float = 0.0
    """Side of the grey Cutout square as a share of the image's side; 0 switches it off."""
    dtype_policy: DtypePolicy = "float32"
    """Keras dtype policy; the 16-bit ones are for a GPU, on a CPU they are several times slower."""
    seed: int = 2021
    """Seeds the weights, the order of the images and their augmentation."""

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs", self.epochs, "must be at least 1")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "must be at least 1")
        require(0 < self.learning_rate < 100, "learning_rate", self.learning_rate, "must lie in (0, 100)")
        require(0 < self.warmup < 1, "warmup", self.warmup, "must lie in (0, 1)")
        require(0 <= self.momentum_low < 1, "momentum_low", self.momentum_low, "must lie in [0, 1)")
        require(0 <= self.momentum_high < 1, "momentum_high", self.momentum_high, "must lie in [0, 1)")
        require(0 <= self.weight_decay < 1, "weight_decay", self.weight_decay, "must lie in [0, 1)")
        self.augmentation()  # checks its own settings

    def augmentation(self) -> Augmentation:
        """What is done to each training image."""
        return Augmentation(self.n_select, self.level, self.flip, self.cutout)
