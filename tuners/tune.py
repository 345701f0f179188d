"""The main command: data, search, retraining, score, and a run folder that explains itself."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from kerastrash.backends import fix_threads
from kerastrash.console import console, say, track
from kerastrash.data import DataConfig, prepare
from kerastrash.files import copy_file, write_json, write_text
from kerastrash.jobs import ChildProcesses, run
from kerastrash.models import dump_rows
from kerastrash.reports.data import print_summary
from kerastrash.reports.run import TrialRow, write_report
from kerastrash.runs import open_run, run_folder
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.config import ClockConfig, ScoreConfig
from kerastrash.scoring.report import ScoreReport, score_model
from kerastrash.training.checkpoint import BEST, METRICS
from tuners.config import TuneConfig
from tuners.latency import check_clock
from tuners.search import Search, Trial, best_trial
from tuners.trial import TrialSettings, trial_job

SCORE, NET = "score.json", "best.yaml"


@dataclass(frozen=True)
class Tuned:
    """What a search left in its folder."""

    folder: Path
    model: Path
    trials: list[Trial]
    best: Trial
    score: ScoreReport


def tune(config: TuneConfig) -> Tuned:
    """Searches, trains and scores a classifier; the same call after a kill goes on where it stopped.

    Writes into runs/NAME: config.yaml, environment.json, trials/, trials.csv, best.keras, best.yaml (its rows),
    metrics.csv, score.json, and report.md with predictions.png, training.png and trials.png.

    Raises:
        KerastrashError: bad data or settings, a folder of another run, or no trial that finished.
    """
    fix_threads(config.clock.threads)
    config = dataclasses.replace(config, clock=resolve_runtime(config.clock))
    free = ("retrain_epochs",)
    place = run_folder(config.runs, config.name, config.usual_name, config, free)
    with open_run(place, config, free) as folder:
        datasets = {size: prepare(config.data, size, track) for size in config.input_sizes}
        print_summary(next(iter(datasets.values())))
        check_clock(config.clock, config.data, len(next(iter(datasets.values())).classes))
        search = Search(config, folder, datasets)
        trials = search.run()
        best = best_trial(trials)
        origin = finish_best(search, best)
        origin = f"Best of {len(trials)} trials: trial {best.name}, {origin}."
        score = score_run(folder, origin, config.data, config.clock, [trial.row() for trial in trials], best.name)
        return Tuned(folder, folder / BEST, trials, best, score)


def finish_best(search: Search, best: Trial) -> str:
    """Puts the best trial's model, or one trained anew that is no worse, into the run; says which it is, and why."""
    settings = search.settings_of(best.values, best.rung, None)
    folder, origin = best.folder, "as the trial left it"
    if search.config.retrain_epochs:
        folder, origin = _better(search, best, settings)
        console.print(f"trial {best.name}, {escape(origin)}", soft_wrap=True, highlight=False)
    for name in (BEST, METRICS):
        copy_file(folder / name, search.folder / name)
    write_text(search.folder / NET, dump_rows(settings.rows))
    return origin


def _better(search: Search, best: Trial, settings: TrialSettings) -> tuple[Path, str]:
    """The folder of the trial's net or of one trained anew, by macro F1 on the validation split; which, and why."""
    epochs = search.config.retrain_epochs
    folder = search.folder / f"retrained-{epochs}"
    anew = dataclasses.replace(settings, recipe=dataclasses.replace(settings.recipe, epochs=epochs), until=epochs)
    result = run(trial_job(anew, search.datasets[anew.input_size], folder, "train_trial"), ChildProcesses())
    if not result.finished:
        return best.folder, f"as the trial left it, as it could not be trained anew: {result.reason}"
    f1, before = result.value["f1"], best.result.value["f1"]
    figures = f"(validation F1 {f1:.4f}, the trial's {before:.4f})"
    if f1 < before:
        return best.folder, f"as the trial left it: trained anew for {epochs} epochs it is worse {figures}"
    return folder, f"trained anew for {epochs} epochs {figures}"


def score_run(
    folder: Path, origin: str, data: DataConfig, clock: ClockConfig, trials: Sequence[TrialRow] = (), best: str = ""
) -> ScoreReport:
    """Scores a run's net on the test split, timed in turns with the baseline; writes score.json and the report.

    Args:
        origin, trials, best: as `write_report` takes them.
    """
    say(f"scoring {folder / BEST} on the test split")
    score = score_model(ScoreConfig(model=folder / BEST, data=data, clock=clock))
    write_json(folder / SCORE, score.settings())
    write_report(folder, score, origin, trials, best)
    return score
