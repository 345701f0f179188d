"""The settings of a benchmark; every one is an option of `scripts/benchmark.py`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.data import DataConfig
from kerastrash.errors import require
from kerastrash.export.formats import FormatName
from kerastrash.scoring.config import TimingConfig


@dataclass(frozen=True)
class Models:
    """The first field of the settings below: without a default, so that the command line takes it first."""

    models: tuple[Path, ...]
    """Model files of any format; the folder of a SavedModel counts as one."""


@dataclass(frozen=True)
class BenchmarkConfig(TimingConfig, DataConfig, Models):
    """Which files are timed with how many threads, on which data, and against which baseline."""

    threads: tuple[int, ...] = (1,)
    """Every file is timed with each of these numbers of processor threads."""
    batches: tuple[int, ...] = (1, 32)
    """Images a call; 1 is always among them, as nets are scored by it."""
    formats: tuple[FormatName, ...] | Literal["all"] | None = None
    """Time each .keras file written in these formats; all: in every format that is installed; none: as it is."""
    backends: tuple[Literal["torch", "jax", "tensorflow"], ...] | None = None
    """Keras backends that run the .keras files; none: the one that KERAS_BACKEND names."""
    timed_images: int | None = 200
    """Test crops that every file is timed on, at least; none: all of them. A p99 wants some hundreds."""
    output: Path | None = None
    """Folder of benchmark.csv, benchmark.json and benchmark.png; left out, `benchmarks/` and the first model's name."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.models) > 0, "models", self.models, "must name at least one file")
        for name in ("threads", "batches"):
            values = getattr(self, name)
            require(all(value >= 1 for value in values), name, values, "must be numbers of at least 1")
            require(0 < len(values) == len(set(values)), name, values, "must name every number once, and at least one")
        require(1 in self.batches, "batches", self.batches, "must have 1 among them, by which nets are scored")

    @property
    def folder(self) -> Path:
        """Where the results go."""
        first = self.models[0].resolve()
        return self.output or Path("benchmarks") / f"{first.parent.name}-{first.stem}"
