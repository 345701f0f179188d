"""The settings of timing nets, of scoring a saved one, and of a benchmark."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kerastrash.data.config import DataConfig, unnamed
from kerastrash.errors import require
from kerastrash.export.formats import FormatName
from kerastrash.scoring import BASELINE_F1, ReferenceKind
from kerastrash.training.recipe import DtypePolicy

RuntimeName = Literal["auto"] | FormatName


@dataclass(frozen=True)
class TimingConfig:
    """What nets are timed on, and beside which baseline."""

    baseline_net: str = "mobilenetv3_79"
    """The net timed beside the model: a preset, a .yaml file of rows, or a trained .keras file, whose F1 counts too."""
    baseline_size: int = 156
    """Side in pixels of the baseline net's images; a .keras file has its own."""
    baseline_f1: float = BASELINE_F1
    """The baseline's macro F1 in the score; left alone, the published one. Far from it F1 hardly changes the score."""
    timed_images: int | None = None
    """Time only so many images, spread evenly over the split; none: all of them."""
    blocks: int = 5
    """Blocks that the timed images are cut into; model and baseline take turns block by block."""

    def __post_init__(self) -> None:
        require(self.blocks >= 1, "blocks", self.blocks, "must be at least 1")
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
class ScoreConfig:
    """Score a saved model: macro F1, two clocks at batch 1 beside a baseline net, and the contest's score."""

    model: Path
    """The saved model: a .keras file, or one exported to any format, which its own runtime runs."""
    split: Literal["train", "val", "test"] = "test"
    """The split of the data that is classified and timed."""
    output: Path | None = None
    """Also write the report to this JSON file."""
    data: DataConfig = field(default_factory=unnamed)
    """Which data."""
    clock: ClockConfig = field(default_factory=ClockConfig)
    """How it is timed, and beside which baseline."""


@dataclass(frozen=True)
class BenchmarkConfig:
    """Time model files of any format in turns, each in a process of its own: latency, throughput, size, memory, F1.

    Exit status 1 where one of them failed.
    """

    models: tuple[Path, ...]
    """Model files of any format; the folder of a SavedModel counts as one."""
    threads: tuple[int, ...] = (1,)
    """Every file is timed with each of these numbers of processor threads."""
    batches: tuple[int, ...] = (1, 32)
    """Images a call; 1 is always among them, as nets are scored by it."""
    formats: tuple[FormatName, ...] | Literal["all"] | None = None
    """Time each .keras file written in these formats; all: in every format that is installed; none: as it is."""
    backends: tuple[Literal["torch", "jax", "tensorflow"], ...] | None = None
    """Keras backends that run the .keras files; none: the one that KERAS_BACKEND names."""
    policies: tuple[DtypePolicy, ...] | None = None
    """Keras dtype policies that .keras files are timed in; none: each in its own, on a GPU in float32 and mixed_float16
    as well."""
    output: Path | None = None
    """Folder of benchmark.csv, benchmark.json and benchmark.png; left out, `benchmarks/` and the first model's name."""
    data: DataConfig = field(default_factory=unnamed)
    """Which data."""
    timing: TimingConfig = field(default_factory=lambda: TimingConfig(timed_images=200))
    """How they are timed, and beside which baseline; a p99 wants some hundreds of images."""

    def __post_init__(self) -> None:
        require(len(self.models) > 0, "models", self.models, "must name at least one file")
        for name in ("threads", "batches"):
            values = getattr(self, name)
            require(all(value >= 1 for value in values), name, values, "must be numbers of at least 1")
            require(0 < len(values) == len(set(values)), name, values, "must name every number once, and at least one")
        require(self.policies != (), "policies", self.policies, "names none: leave it out for a file's own")
        require(1 in self.batches, "batches", self.batches, "must have 1 among them, by which nets are scored")

    @property
    def folder(self) -> Path:
        """The folder of the results."""
        first = self.models[0].resolve()
        return self.output or Path("benchmarks") / f"{first.parent.name}-{first.stem}"
