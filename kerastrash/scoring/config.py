"""The settings of timing nets, and of scoring a saved one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.data import DataConfig
from kerastrash.errors import require
from kerastrash.export.formats import FormatName
from kerastrash.scoring.published import BASELINE_F1
from kerastrash.scoring.reference import ReferenceKind

RuntimeName = Literal["auto"] | FormatName


@dataclass(frozen=True)
class TimingConfig:
    """On what nets are timed, and beside which baseline."""

    baseline_net: str = "mobilenetv3_79"
    """The net timed beside the model: a preset, a .yaml file of rows, or a trained .keras file, whose F1 counts too."""
    baseline_size: int = 156
    """Side in pixels of the baseline net's images; a .keras file has its own."""
    baseline_f1: float = BASELINE_F1
    """The baseline's macro F1 in the score; left alone, the published one. Far from it F1 hardly changes the score."""
    timed_images: int | None = None
    """Time only so many images, spread evenly over the part; none: all of them."""
    turns: int = 5
    """Blocks that the timed images are cut into; model and baseline take turns block by block."""

    def __post_init__(self) -> None:
        require(self.turns >= 1, "turns", self.turns, "must be at least 1")
        require(0 <= self.baseline_f1 <= 1, "baseline_f1", self.baseline_f1, "must lie in [0, 1]")
        timed = self.timed_images
        require(timed is None or timed >= 1, "timed_images", timed, "must be at least 1")


@dataclass(frozen=True)
class ClockConfig(TimingConfig):
    """What nets are timed in, and against which baseline they are scored."""

    runtime: RuntimeName = "auto"
    """What runs the nets, by the format they are written in; `auto`: ONNX Runtime on a processor, Keras on an
    accelerator."""
    threads: int = 1
    """Processor threads of the runtime."""
    reference: ReferenceKind = "measured"
    """The baseline's time in the score: the contest's published one, or the baseline net timed here in the same run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.threads >= 1, "threads", self.threads, "must be at least 1")
        require(
            self.reference == "measured" or self.baseline_f1 == BASELINE_F1,
            "baseline_f1",
            self.baseline_f1,
            f"contradicts reference='published', whose F1 is {BASELINE_F1}: leave out one of them",
        )


@dataclass(frozen=True)
class SavedModel:
    """The first field of the settings below: without a default, so that the command line takes it first."""

    model: Path
    """The saved model: a .keras file, or one exported to any format, which its own runtime runs."""


@dataclass(frozen=True)
class ScoreConfig(ClockConfig, DataConfig, SavedModel):
    """Which model is scored, on which data, run by what, and against which baseline."""

    part: Literal["train", "val", "test"] = "test"
    """The part of the data that is classified and timed."""
    output: Path | None = None
    """Also write the report to this JSON file."""
