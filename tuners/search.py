"""The search: Hyperband over nets and recipes, each trial a job of an engine, every trial accounted for."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.text import Text

from kerastrash.console import console, progress_bar, say
from kerastrash.data.dataset import Dataset
from kerastrash.errors import KerastrashError, ModelError
from kerastrash.files import read_csv, write_csv
from kerastrash.jobs import LOG, ChildProcesses, Engine, JobResult, digest, run
from kerastrash.models import macs, parameters
from kerastrash.training.checkpoint import METRICS
from tuners.config import TuneConfig, declare, recipe_of, rows_of
from tuners.oracle import FAILED_SCORE, LimitedOracle, Rung, Tuner, Values
from tuners.trial import TrialSettings, trial_job


@dataclass(frozen=True)
class Trial:
    """One trial of a search: what it tried, where it stood, what it gave."""

    name: str
    values: Values
    rung: Rung
    result: JobResult
    """Its value is what `run_trial` returns."""
    folder: Path

    @property
    def score(self) -> float:
        """Lower is better; of a failed one behind all others."""
        return self.result.value["score"] if self.result.finished else FAILED_SCORE

    def row(self) -> dict[str, Any]:
        """The trial as one row of trials.csv."""
        came = {"status": self.result.status, **(self.result.value or {})}
        if not self.result.finished:
            came["reason"] = self.result.reason
        return {"trial": self.name, **came, **dataclasses.asdict(self.rung), **self.values, "folder": self.folder.name}


@dataclass
class Search:
    """Runs the trials of a search in `folder`; those that an earlier process finished are read, not run."""

    config: TuneConfig
    folder: Path
    datasets: dict[int, Dataset]
    """The data by input size."""
    engine: Engine = field(default_factory=lambda: ChildProcesses(logged=True))
    trials: list[Trial] = field(default_factory=list)

    def run(self) -> list[Trial]:
        """Returns all trials in the order of the search; trials.csv has a row for each as soon as it ends.

        Raises:
            ConfigError: no net of the space is within the limits, or a stored trial was made with anything else.
        """
        config = self.config
        oracle = LimitedOracle(self.is_admissible, config.seed, config.max_epochs, config.factor, config.iterations)
        tuner = Tuner(
            oracle, lambda hp: declare(hp, config), directory=self.folder, project_name="hyperband", overwrite=True
        )
        plan = oracle.plan()
        self._planned_trials = sum(trials for trials, _ in plan)
        with progress_bar() as self._bar:
            epochs = sum(trials * epochs for trials, epochs in plan)
            self._task = self._bar.add_task("search", total=epochs, unit="epochs", note="")
            tuner.search(self._run_trial, verbose=0)
            if len(self.trials) < self._planned_trials:
                say(f"the space holds no more nets: {len(self.trials)} trials, not {self._planned_trials}")
        return self.trials

    def is_admissible(self, values: Values) -> bool:
        """True where the net of the values keeps a pixel at its input size, and is within max_params and max_macs."""
        rows, size, config = rows_of(values, self.config.net), values["input_size"], self.config
        classes = len(self.datasets[size].classes)
        try:
            costs = ((parameters(rows, classes), config.max_params), (macs(rows, size, classes), config.max_macs))
        except ModelError:
            return False
        return all(limit is None or cost <= limit for cost, limit in costs)

    def settings_of(self, values: Values, rung: Rung, parent: str | None) -> TrialSettings:
        """What a trial with these values trains; `parent` is the folder's name of the one that it continues."""
        config = self.config
        return TrialSettings(
            rows=rows_of(values, config.net),
            recipe=recipe_of(values, dataclasses.replace(config.recipe, epochs=config.max_epochs, seed=config.seed)),
            input_size=values["input_size"],
            until=rung.epochs,
            data=config.data,
            clock=config.clock,
            latency_folder=config.latency_folder or config.runs / "latency",
            parent=parent,
        )

    def _run_trial(self, name: str, values: Values, rung: Rung) -> float:
        parent = next((trial for trial in self.trials if trial.name == rung.parent), None)
        # Named by content: a search that goes another way, as a trial failed and now does not, finds what is its own.
        folder = self.folder / "trials" / digest((values, rung.epochs, parent and parent.folder.name))
        done = self._bar.tasks[self._task].completed

        def show() -> None:
            epochs = max(0, len(read_csv(folder / METRICS)) - rung.initial_epoch)
            self._bar.update(self._task, completed=done + epochs)

        if parent and not parent.result.finished:
            result = JobResult("failed", reason=f"would continue trial {parent.name}, which failed")
        else:
            settings = self.settings_of(values, rung, parent and parent.folder.name)
            result = run(trial_job(settings, self.datasets[settings.input_size], folder), self.engine, show)
        trial = Trial(name, values, rung, result, folder)
        self.trials.append(trial)
        write_csv(self.folder / "trials.csv", [each.row() for each in self.trials])
        finished = [trial.score for trial in self.trials if trial.result.finished]
        best = f", best score {min(finished):.4f}" if finished else ""
        note = f"trial {len(self.trials)}/{self._planned_trials}{best}"
        self._bar.update(self._task, completed=done + rung.epochs - rung.initial_epoch, note=note)
        if not trial.result.finished:
            say(Text.assemble((f"trial {name} failed:", "red"), f" {trial.result.reason}"))
        elif not console.is_terminal:
            value = trial.result.value
            say(f"trial {name}: score {trial.score:.4f}, F1 {value['f1']:.4f}, {value['time_ms']:.2f} ms")
        return trial.score


def best_trial(trials: list[Trial]) -> Trial:
    """The finished trial with the lowest score; the earlier one where two are equal.

    Raises:
        KerastrashError: every trial failed; the message names the first reason.
    """
    finished = [trial for trial in trials if trial.result.finished]
    if not finished:
        first = trials[0]
        raise KerastrashError(
            f"{first.folder.parent}: all {len(trials)} trials failed; the first one says: {first.result.reason}; "
            f"its log is {first.folder / LOG}"
        )
    return min(finished, key=lambda trial: trial.score)
