"""The training recipe of the contest's first team, as one dataclass."""

from dataclasses import dataclass
from typing import Literal

from kerastrash.augment.augmentation import Augmentation
from kerastrash.augment.mix import Mixing
from kerastrash.errors import require

Loss = Literal["cross_entropy", "logit_adjusted", "class_balanced", "focal"]
Feeding = Literal["auto", "disk", "device"]
Norms = Literal["train", "frozen"]
Sampler = Literal["shuffle", "balanced"]
Keep = Literal["best", "last"]
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
    """Plain cross entropy; for imbalanced classes logits adjusted by the class frequencies, weights by the effective
    number of images (class_balanced), or less weight for what is right already (focal)."""
    tau: float = 1.0
    """Strength of the logit adjustment."""
    beta: float = 0.999
    """Class-balanced weights, in [0, 1): 0 weighs all classes alike, towards 1 by inverse frequency."""
    gamma: float = 2.0
    """Exponent of the focal loss."""
    label_smoothing: float = 0.0
    """Share of each label that is spread over all classes, with any loss; 0.1 is usual."""
    freeze: int = 0
    """Rows, from the first, whose weights and statistics stay as they are: for a net that has learned before."""
    backbone_rate: float = 1.0
    """Learning rate of all layers but the classifier, as a share of learning_rate."""
    norms: Norms = "train"
    """Whether batch norms learn, or keep their statistics, scale and shift and normalise by them in training too."""
    average: float = 0.0
    """Decay a step of a moving average of the weights, validated beside them; 0 switches it off, 0.999 is usual."""
    keep: Keep = "best"
    """The net of the epoch with the best validation F1; or of the last epoch, averaged if weights are: the steadier
    choice where the validation split has few images of a class."""
    n_select: int = 2
    """RandAugment operations drawn for each image, 0 to 6."""
    level: float | None = None
    """Strength of every operation in [0, 1]; left out, each image draws its own."""
    n_level: int = 10
    """A drawn strength is one of 0, 1 / n_level, ..., 1."""
    flip: bool = True
    """Flip half of the images left to right."""
    turn: bool = False
    """Turn each image by 0 to 3 quarter turns: for photographs from above, which have no upper side."""
    cutout: float = 0.0
    """Side of the grey Cutout square as a share of the image's side; 0 switches it off."""
    mixup: float = 0.0
    """Alpha of mixup, which blends images in pairs; 0 switches it off, 0.2 is usual."""
    cutmix: float = 0.0
    """Alpha of CutMix, which pastes a part of one image into another; 0 switches it off, 1 is usual."""
    operations: tuple[str, ...] | None = None
    """Names of the operations to draw from; left out, the contest's fourteen."""
    sampler: Sampler = "shuffle"
    """Each crop once an epoch, or equally many of every class (`balanced`)."""
    feeding: Feeding = "auto"
    """Crops from disk, augmented by `workers`; or all on the device, augmented there; `auto`: there where they fit."""
    workers: int | None = None
    """Processes that augment crops from disk; left out, one a core, at most 8. They do not change the batches."""
    dtype_policy: DtypePolicy = "float32"
    """Keras dtype policy; the 16-bit ones are for a GPU, on a CPU they are several times slower."""
    tf32: bool = True
    """Let a GPU round the inputs of float32 convolutions and matrix products to TF32, several times as fast."""
    graphs: bool = True
    """Replay training steps as CUDA graphs (torch on a GPU)."""
    compile: bool = False
    """Compile the net with torch.compile before it trains: a minute or more at first, fewer passes over memory then."""
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
        require(0 <= self.tau <= 10, "tau", self.tau, "must lie in [0, 10]")
        require(0 <= self.beta < 1, "beta", self.beta, "must lie in [0, 1)")
        require(0 <= self.gamma <= 10, "gamma", self.gamma, "must lie in [0, 10]")
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "must lie in [0, 1)")
        require(self.freeze >= 0, "freeze", self.freeze, "must be 0 or more")
        require(0 < self.backbone_rate <= 1, "backbone_rate", self.backbone_rate, "must lie in (0, 1]")
        require(0 <= self.average < 1, "average", self.average, "must lie in [0, 1)")
        require(self.workers is None or 0 <= self.workers <= 256, "workers", self.workers, "must lie in 0 to 256")
        self.augmentation()  # these two check their own settings
        self.mixing()

    def augmentation(self) -> Augmentation:
        """What is done to each training image."""
        settings = (self.n_select, self.level, self.n_level, self.flip, self.turn, self.cutout, self.operations)
        return Augmentation(*settings)

    def mixing(self) -> Mixing | None:
        """How the images of a batch are mixed; None where they are not."""
        return Mixing(self.mixup, self.cutmix) if self.mixup or self.cutmix else None
