"""The search: Hyperband over nets and recipes, each trial in its own process, every trial accounted for."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import Progress

from kerastrash.console import progress_bar
from kerastrash.data.config import DataConfig
from kerastrash.data.dataset import Dataset
from kerastrash.errors import KerastrashError
from kerastrash.files import write_csv
from kerastrash.models import macs, parameters
from kerastrash.scoring.config import ClockConfig
from kerastrash.settings import part_of
from tuners.config import TuneConfig
from tuners.oracle import Hyperband, Rung, Values
from tuners.space import declare, recipe_of, rows_of
from tuners.trial import TrialResult, TrialSpec, read_result, write_result, write_spec
from tuners.worker import run_in_process

TRIALS, TRIALS_CSV = "trials", "trials.csv"


@dataclass(frozen=True)
class Trial:
    """One trial of a search: what it tried, where it stood, what it gave."""

    name: str
    values: Values
    rung: Rung
    result: TrialResult
    folder: Path

    def row(self) -> dict[str, Any]:
        """The trial as one row of trials.csv."""
        result = {key: value for key, value in dataclasses.asdict(self.result).items() if value is not None}
        if self.result.status == "failed":
            result.pop("score")
        return {"trial": self.name, **result, **dataclasses.asdict(self.rung), **self.values}


@dataclass
class Search:
    """Runs the trials of a search in `folder`; those that an earlier process finished are read, not run."""

    config: TuneConfig
    folder: Path
    datasets: dict[int, Dataset]
    trials: list[Trial] = field(default_factory=list)

    def run(self) -> list[Trial]:
        """Returns all trials in the order of the search; trials.csv has a row for each as soon as it ends.

        Raises:
            ConfigError: no net of the space is within the limits.
        """
        config = self.config
        tuner = Hyperband(
            declare=lambda hp: declare(hp, config.space, tuple(self.datasets), config.net),
            run_trial_at=self._run_trial,
            admissible=self.is_admissible,
            max_epochs=config.max_epochs,
            factor=config.factor,
            iterations=config.iterations,
            seed=config.seed,
            folder=self.folder / "hyperband",
        )
        plan = tuner.oracle.plan()
        self._planned_trials = sum(trials for trials, _ in plan)
        with progress_bar() as self._bar:
            epochs = sum(trials * epochs for trials, epochs in plan)
            self._task = self._bar.add_task("search", total=epochs, unit="epochs", note="")
            tuner.search(verbose=0)
        return self.trials

    def is_admissible(self, values: Values) -> bool:
        """True where the net of the values is within max_params and max_macs."""
        rows, size = rows_of(values, self.config.net), values["input_size"]
        classes = len(self.datasets[size].classes)
        within_params = self.config.max_params is None or parameters(rows, classes) <= self.config.max_params
        return within_params and (self.config.max_macs is None or macs(rows, size) <= self.config.max_macs)

    def _run_trial(self, name: str, values: Values, rung: Rung) -> float:
        folder = self.folder / TRIALS / name
        done = self._bar.tasks[self._task].completed
        result = read_result(folder) or self._start(name, values, rung, folder, done)
        self.trials.append(Trial(name, values, rung, result, folder))
        write_trials(self.trials, self.folder / TRIALS_CSV)
        finished = [trial.result.score for trial in self.trials if trial.result.status == "finished"]
        best = f", best score {min(finished):.4f}" if finished else ""
        note = f"trial {len(self.trials)}/{self._planned_trials}{best}"
        self._bar.update(self._task, completed=done + rung.epochs - rung.initial_epoch, note=note)
        self._say(name, result)
        return result.score

    def _say(self, name: str, result: TrialResult) -> None:
        if result.status == "failed":
            self._bar.console.print(f"[red]trial {name} failed:[/] {result.reason}", highlight=False)
        elif not self._bar.console.is_terminal:
            self._bar.console.print(
                f"trial {name}: score {result.score:.4f}, F1 {result.f1:.4f}, {result.time_ms:.2f} ms", highlight=False
            )

    def _start(self, name: str, values: Values, rung: Rung, folder: Path, done: float) -> TrialResult:
        parent = self.folder / TRIALS / rung.parent if rung.parent else None
        if parent and read_result(parent).status == "failed":
            result = TrialResult("failed", reason=f"would continue trial {rung.parent}, which failed")
            write_result(folder, result)
            return result
        write_spec(self._spec(values, rung, folder, parent), rows_of(values, self.config.net))
        bar: Progress = self._bar

        def show(epochs: int) -> None:
            bar.update(self._task, completed=done + max(0, epochs - rung.initial_epoch))

        return run_in_process(folder, show)

    def _spec(self, values: Values, rung: Rung, folder: Path, parent: Path | None) -> TrialSpec:
        config = self.config
        recipe = recipe_of(values, dataclasses.replace(config.recipe, epochs=config.max_epochs, seed=config.seed))
        return TrialSpec(
            folder=folder,
            data=part_of(DataConfig, config),
            recipe=recipe,
            input_size=values["input_size"],
            until=rung.epochs,
            clock=part_of(ClockConfig, config),
            latency_folder=config.latency_folder or config.runs / "latency",
            parent=parent,
        )


def write_trials(trials: list[Trial], path: Path) -> None:
    """Writes a row a trial; the columns of all trials together, in the order they first appear."""
    rows = [trial.row() for trial in trials]
    write_csv(path, rows, list(dict.fromkeys(name for row in rows for name in row)))


def best_trial(trials: list[Trial]) -> Trial:
    """The finished trial with the lowest score; the earlier one where two are equal.

    Raises:
        KerastrashError: every trial failed; the message names the first reason.
    """
    finished = [trial for trial in trials if trial.result.status == "finished"]
    if not finished:
        first = trials[0]
        raise KerastrashError(
            f"{first.folder.parent}: all {len(trials)} trials failed; the first one says: {first.result.reason}; "
            f"its log is {first.folder / 'trial.log'}"
        )
    return min(finished, key=lambda trial: trial.result.score)
