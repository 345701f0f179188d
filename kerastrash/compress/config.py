"""The settings of distilling, pruning and quantising."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.errors import require


@dataclass(frozen=True, kw_only=True)
class DistillSettings:
    """What a student learns from its teachers, besides the labels."""

    teachers: tuple[Path, ...] = ()
    """Trained .keras files for the same classes, of any input size; several are averaged."""
    temperature: float = 4.0
    """Divides the logits of teacher and student before their softmax is compared."""
    hard_share: float = 0.1
    """Weight of the recipe's loss on the labels; the rest is that of the teacher's logits."""
    features: float = 0.0
    """Weight of the teachers' last features, which a dense layer makes of the student's while it trains; 0: none."""
    views: int = 8
    """Augmented views of each crop that the teachers see, once; 0: a fresh one every epoch, seen when it is needed."""

    def __post_init__(self) -> None:
        require(self.temperature > 0, "temperature", self.temperature, "must be above 0")
        require(0 <= self.hard_share <= 1, "hard_share", self.hard_share, "must lie in [0, 1]")
        require(self.features >= 0, "features", self.features, "must not be negative")
        require(self.views >= 0, "views", self.views, "must not be negative")


Criterion = Literal["bn_scale", "l2"]


@dataclass(frozen=True)
class PruneSettings:
    """How narrow a model becomes, and by which channels."""

    target: float = 0.5
    """Share of the model's present cost that may remain, in (0, 1)."""
    measure: Literal["macs", "parameters", "milliseconds"] = "macs"
    """What the target is a share of: multiply-accumulates, trainable parameters, or an image's time in ONNX Runtime."""
    milliseconds: float | None = None
    """Prune until an image takes at most so long in ONNX Runtime here, batch 1, one thread, in place of a share."""
    criterion: Criterion = "bn_scale"
    """Channels go by the scale of their batch norms, or by the L2 norm of the filters that make them."""
    steps: int = 3
    """Rounds of narrowing and fine-tuning, each by the same factor."""
    multiple: int = 8
    """Every width that changes becomes a multiple of this, and none falls below it."""

    def __post_init__(self) -> None:
        require(0 < self.target < 1, "target", self.target, "must lie in (0, 1): the share that may remain")
        limit = self.milliseconds
        require(limit is None or limit > 0, "milliseconds", limit, "must be above 0")
        require(1 <= self.steps <= 100, "steps", self.steps, "must lie in 1 to 100")
        require(1 <= self.multiple <= 64, "multiple", self.multiple, "must lie in 1 to 64")


QuantisedFormat = Literal["onnx", "openvino"]

Target = Literal["vnni", "x86", "arm"]
"""Processors with 8-bit dot products (x86 with VNNI or AMX), x86 without, ARM."""


@dataclass(frozen=True)
class QuantiseSettings:
    """How a model is quantised, and what it may lose."""

    max_loss: float = 0.02
    """Refuse the int8 file where macro F1 on the validation split falls by more, in absolute terms."""
    force: bool = False
    """Keep the file whatever it loses."""
    calibration_images: int = 300
    """Training images, the classes in equal numbers, that the ranges are taken from."""
    calibration_seed: int = 0
    """Seed of their draw."""
    target: Target = "vnni"
    """Processors the file is for: vnni (x86 with VNNI or AMX), x86 (without, where weights keep 7 bits), arm."""

    def __post_init__(self) -> None:
        require(0 <= self.max_loss <= 1, "max_loss", self.max_loss, "must lie in [0, 1]")
        require(self.calibration_images >= 1, "calibration_images", self.calibration_images, "must be at least 1")
        require(self.calibration_seed >= 0, "calibration_seed", self.calibration_seed, "must not be negative")
