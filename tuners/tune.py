"""The main command: data, search, retraining, score, and a run folder that explains itself."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerastrash.backends import fix_threads
from kerastrash.console import say, track
from kerastrash.data import DataConfig, prepare
from kerastrash.export.writing import open_as
from kerastrash.files import copy_file, write_json, write_text
from kerastrash.jobs import ChildProcesses, run
from kerastrash.models import dump_rows
from kerastrash.reports.data import print_summary
from kerastrash.reports.run import TrialRow, write_report
from kerastrash.runs import open_run, run_folder
from kerastrash.scoring.baseline import open_baseline, resolve_runtime
from kerastrash.scoring.config import ClockConfig, ScoreConfig
from kerastrash.scoring.report import ScoreReport, score_model
from kerastrash.training.checkpoint import BEST, METRICS
from tuners.config import TuneConfig
from tuners.search import Search, Trial, best_trial
from tuners.trial import trial_job


@dataclass(frozen=True)
class Tuned:
    """What a search left in its folder."""

    folder: Path
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
    with open_run(run_folder(config, config.usual_name), config) as folder:
        datasets = {size: prepare(config.data, size, track) for size in config.input_sizes}
        dataset = datasets[config.input_sizes[0]]
        print_summary(dataset)
        clock = config.clock  # opened once, so that what would fail every trial is said now
        open_as(open_baseline(clock, config.data, "val", len(dataset.classes)).model, clock.runtime, clock.threads)
        search = Search(config, folder, datasets)
        trials = search.run()
        best = best_trial(trials)
        origin = finish_best(search, best)
        origin = f"Best of {len(trials)} trials: trial {best.name}, {origin}."
        score = score_run(folder, origin, config.data, config.clock, [trial.row() for trial in trials], best.name)
        return Tuned(folder, trials, best, score)


def finish_best(search: Search, best: Trial) -> str:
    """Puts the best trial's model, or one trained anew that is no worse, into the run; says which it is, and why.

    The better one is that with the higher macro F1 on the validation split.
    """
    settings = search.settings_of(best.values, best.rung, None)
    folder, origin, epochs = best.folder, "as the trial left it", search.config.retrain_epochs
    if epochs:
        anew = dataclasses.replace(settings, recipe=dataclasses.replace(settings.recipe, epochs=epochs), until=epochs)
        place = search.folder / f"retrained-{epochs}"
        result = run(trial_job(anew, search.datasets[anew.input_size], place), ChildProcesses())
        if result.finished:
            f1, before = result.value["f1"], best.result.value["f1"]
            figures = f"(validation F1 {f1:.4f}, the trial's {before:.4f})"
            if f1 < before:
                origin += f": trained anew for {epochs} epochs it is worse {figures}"
            else:
                folder, origin = place, f"trained anew for {epochs} epochs {figures}"
        else:
            origin += f", as it could not be trained anew: {result.reason}"
        say(f"trial {best.name}, {origin}")
    for name in (BEST, METRICS):
        copy_file(folder / name, search.folder / name)
    write_text(search.folder / "best.yaml", dump_rows(settings.rows))
    return origin


def score_run(
    folder: Path, origin: str, data: DataConfig, clock: ClockConfig, trials: Sequence[TrialRow] = (), best: str = ""
) -> ScoreReport:
    """Scores a run's net on the test split, timed in turns with the baseline; writes score.json and the report.

    `origin`, `trials` and `best` are as `write_report` takes them.
    """
    say(f"scoring {folder / BEST} on the test split")
    score = score_model(ScoreConfig(model=folder / BEST, data=data, clock=clock))
    write_json(folder / "score.json", score.settings())
    write_report(folder, score, origin, trials, best)
    return score
