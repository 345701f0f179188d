"""What `gpu_check.py` is told, and what each of its parts hands back."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kerastrash.data.config import DataConfig
from kerastrash.errors import require
from kerastrash.reports.tables import PlainTable

PartName = Literal[
    *("environment", "nets", "steps", "trainings", "speed", "end-to-end", "augmentation", "recipe", "kernels"),
    "latency",
]


@dataclass(frozen=True, kw_only=True)
class GpuCheck:
    """Check a GPU, and time it: whether it computes what a processor does, and how fast.

    Exit status 1 where a part failed; the report names it, with the reason, and the other parts run all the same.
    """

    device: Literal["cuda", "cpu"] = "cuda"
    """The GPU that CUDA sees first (CUDA_VISIBLE_DEVICES chooses); cpu rehearses on a processor."""
    quick: bool = False
    """Small nets and counts: whether all of it runs, not how fast."""
    minutes: float = 8.0
    """Time for all parts together; what one leaves the next one has."""
    parts: tuple[PartName, ...] | None = None
    """Such as `steps speed`; left out, all."""
    peer: Path | None = None
    """Folder of a plain PyTorch train_peer.py that takes --amp and --compute-only, to be timed in turns with ours."""
    peer_python: Path = Path(sys.executable)
    """Python of the peer's environment."""
    output: Path = Path("benchmarks/gpu")
    """Folder of report.md, report.json, and of what each part printed."""
    data: DataConfig = field(default_factory=DataConfig)
    """Photographs for end-to-end and augmentation: for the peer, a folder of classes."""

    def __post_init__(self) -> None:
        require(self.minutes > 0, "minutes", self.minutes, "must be above 0")

    @property
    def on_gpu(self) -> bool:
        """Whether the device is one."""
        return self.device != "cpu"


@dataclass(frozen=True)
class Found:
    """What a part found."""

    tables: tuple[PlainTable, ...] = ()
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    """Sentences on what is not as it should be."""

    def __add__(self, other: "Found") -> "Found":
        return Found(self.tables + other.tables, self.notes + other.notes, self.failures + other.failures)
