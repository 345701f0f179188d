"""A job: one system with one seed, in a folder of its own, and what came of it.

job.json, rows.yaml, origins.json  all that its model depends on
environment.json                   machine and versions
best.keras                         the model, beside what its making needs to go on after a kill
result.json                        written last: from then on the job is finished, or failed with a reason
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.comparison.system import Kind
from kerastrash.compress.config import DistillSettings, PruneSettings
from kerastrash.data import DataConfig
from kerastrash.errors import ConfigError
from kerastrash.files import read_json, sha256, write_json, write_text
from kerastrash.models import dump_rows, load_rows
from kerastrash.models.base import Rows
from kerastrash.settings import from_dict, to_dict
from kerastrash.training.checkpoint import BEST
from kerastrash.training.recipe import Recipe

JOB, ROWS, ORIGINS, RESULT = "job.json", "rows.yaml", "origins.json", "result.json"
Status = Literal["finished", "failed", "skipped", "not run"]


@dataclass(frozen=True)
class Job:
    """Everything that a model depends on, but for the net's rows, which lie beside it."""

    system: str
    kind: Kind
    folder: Path
    data: DataConfig
    recipe: Recipe
    """With the job's seed."""
    input_size: int | None
    weights: str | None
    origins: tuple[Path, ...] = ()
    """Model files: the teachers, or the net that is pruned."""
    distill: DistillSettings | None = None
    prune: PruneSettings | None = None

    @property
    def seed(self) -> int:
        """Of the training."""
        return self.recipe.seed

    @property
    def model(self) -> Path:
        """Where its model lies when it has finished."""
        return self.folder / BEST

    def __str__(self) -> str:
        return f"{self.system}, seed {self.seed}"


@dataclass(frozen=True)
class Result:
    """What came of a job; figures that there are not are None, and `reason` says why."""

    status: Status
    reason: str = ""
    f1: float | None = None
    """Macro F1 on the validation split."""
    epochs: int | None = None
    """Trained."""
    parameters: int | None = None
    """As PyTorch counts them: without batch-norm statistics."""
    macs: int | None = None
    input_size: int | None = None
    seconds: float | None = None
    """How long the job's last process took."""
    device: str = ""
    """What it was trained on."""
    traceback: str = ""


def write_job(job: Job, rows: Rows | None) -> None:
    """Writes the job, its rows and the SHA-256 of its origins, which must be there, into its folder."""
    write_json(job.folder / ORIGINS, _digests(job))
    if rows:
        write_text(job.folder / ROWS, dump_rows(rows))
    write_json(job.folder / JOB, to_dict(job))


def read_job(folder: Path) -> Job:
    """Reads the job that `write_job` wrote; raises ConfigError where it cannot."""
    try:
        return from_dict(Job, read_json(folder / JOB), folder / JOB)
    except ConfigError as error:
        raise ConfigError(f"{error}; delete {folder} to start it afresh") from None


def read_result(folder: Path) -> Result | None:
    """What came of the job; None where it was not run, or was interrupted."""
    path = folder / RESULT
    return Result(**read_json(path)) if path.exists() else None


def write_result(folder: Path, result: Result) -> None:
    """Stores the result."""
    write_json(folder / RESULT, dataclasses.asdict(result))


def check_unchanged(job: Job, rows: Rows | None) -> None:
    """Raises ConfigError, naming the setting, where the job's folder was made with other settings.

    Where files lie and how many processes work does not count. Settings that the folder does not know yet, as they came
    later, have their defaults there.
    """
    if not (job.folder / JOB).exists():
        return
    earlier, now = (_compared(each) for each in (read_job(job.folder), job))
    changed = {name: (earlier.get(name), value) for name, value in now.items() if earlier.get(name) != value}
    earlier_rows = load_rows(job.folder / ROWS) if (job.folder / ROWS).exists() else None
    if earlier_rows != rows:
        changed["net"] = ("other rows", "these")
    for name, (before, value) in changed.items():
        raise ConfigError(
            f"{job.folder} was made with {name}={before!r}, not {value!r}: give the same settings, give the system "
            "another name, or delete that folder to start it afresh"
        )


def changed_origin(job: Job) -> str:
    """Says that an origin is another file now than when the job began; empty where none is, or it has not begun."""
    path = job.folder / ORIGINS
    if not path.exists() or read_json(path) == _digests(job):
        return ""
    return f"it was made from other files than its origins are now; delete {job.folder} to make it afresh"


def _digests(job: Job) -> list[str]:
    return [sha256(path) if path.exists() else "" for path in job.origins]


def _compared(job: Job) -> dict[str, object]:
    kept = {"system": job.system, "kind": job.kind, "input_size": job.input_size, "weights": job.weights}
    kept["origins"] = len(job.origins)
    for part in (dataclasses.replace(job.recipe, workers=None), job.distill, job.prune):
        kept |= to_dict(part) if part else {}
    return kept
