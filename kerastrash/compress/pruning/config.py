"""The settings of pruning a trained model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.compress.trained_model import TrainedModel
from kerastrash.data import DataConfig
from kerastrash.errors import require
from kerastrash.training.recipe import Recipe

Measure = Literal["macs", "parameters", "milliseconds"]
Criterion = Literal["bn_scale", "l2"]


@dataclass(frozen=True)
class PruneSettings:
    """How narrow a model becomes, and by which channels."""

    target: float = 0.5
    """Share of the model's present cost that may remain, in (0, 1)."""
    measure: Measure = "macs"
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

    @property
    def by_time(self) -> bool:
        """Whether the target is a time."""
        return self.milliseconds is not None or self.measure == "milliseconds"

    def epochs(self, step: int, whole: int) -> int:
        """Those of round `step`, counted from 1: equal shares of the whole number, the remainder in the last."""
        share = whole // self.steps
        return share if step < self.steps else whole - share * (self.steps - 1)


@dataclass(frozen=True)
class PruneConfig(PruneSettings, Recipe, DataConfig, TrainedModel):
    """Which model is pruned, on the data of its training, and how it is fine-tuned: gentler than a net from scratch."""

    epochs: int = 15
    """Epochs of fine-tuning of all rounds together, in equal shares."""
    learning_rate: float = 0.02
    """Peak learning rate of each round's OneCycle schedule."""
    name: str | None = None
    """Name of the run's folder; left out, that of the model's folder after `prune-`."""
    runs: Path = Path("runs")
    """Folder of all runs."""

    @property
    def folder(self) -> Path:
        """Where everything goes."""
        return self.runs / (self.name or f"prune-{self.model.resolve().parent.name}")
