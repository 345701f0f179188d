"""The main command: data, search, retraining, score, and a run folder that explains itself."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from kerastrash.backends import fix_threads
from kerastrash.cli import part_of
from kerastrash.console import console
from kerastrash.data import DataConfig, prepare, print_summary
from kerastrash.files import copy_file, write_json, write_text
from kerastrash.jobs import ChildProcesses, JobResult, run
from kerastrash.models import dump_rows
from kerastrash.reports.run import write_report
from kerastrash.runs import FREE_SETTINGS, environment, open_run
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.config import ClockConfig, ScoreConfig
from kerastrash.scoring.report import ScoreReport, score_model
from kerastrash.training.checkpoint import BEST
from tuners.config import TuneConfig
from tuners.latency import check_clock
from tuners.search import Search, Trial, best_trial
from tuners.space import recipe_of
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
    score.json, report.md and trials.png.

    Raises:
        KerastrashError: bad data or settings, a folder of another run, or no trial that finished.
    """
    fix_threads(config.threads)
    config = resolve_runtime(config)
    with open_run(config.folder, config, free=(*FREE_SETTINGS, "retrain_epochs")) as folder:
        datasets = {size: prepare(part_of(DataConfig, config), size) for size in config.input_sizes}
        print_summary(next(iter(datasets.values())))
        check_clock(config, config, len(next(iter(datasets.values())).classes))
        search = Search(config, folder, datasets)
        trials = search.run()
        best = best_trial(trials)
        origin = finish_best(search, best)
        score = score_best(folder / BEST, config)
        write_json(folder / SCORE, score.settings())
        write_report(folder, [trial.row() for trial in trials], best.name, origin, score, environment())
        return Tuned(folder, folder / BEST, trials, best, score)


def finish_best(search: Search, best: Trial) -> str:
    """Puts the best trial's model, or one trained anew that is no worse, into the run; says which it is, and why.

    The better one is that with the higher macro F1 on the validation split.
    """
    settings = search.settings_of(best.values, best.rung, None)
    source, origin = best.folder / BEST, "as the trial left it"
    if epochs := search.config.retrain_epochs:
        folder, f1 = search.folder / f"retrained-{epochs}", best.result.value["f1"]
        anew = _retrained(settings, epochs, search, best, folder)
        if not anew.finished:
            origin = f"as the trial left it, as it could not be trained anew: {anew.reason}"
        elif anew.value["f1"] >= f1:
            source, origin = folder / BEST, f"trained anew for {epochs} epochs: validation F1 {anew.value['f1']:.4f}, "
            origin += f"the trial's {f1:.4f}"
        else:
            origin = f"as the trial left it: validation F1 {f1:.4f}, trained anew for {epochs} epochs "
            origin += f"{anew.value['f1']:.4f}"
        console.print(f"trial {best.name}, {escape(origin)}", soft_wrap=True, highlight=False)
    copy_file(source, search.folder / BEST)
    write_text(search.folder / NET, dump_rows(settings.rows))
    return origin


def _retrained(settings: TrialSettings, epochs: int, search: Search, best: Trial, folder: Path) -> JobResult:
    base = dataclasses.replace(search.config.recipe, seed=search.config.seed, epochs=epochs)
    anew = dataclasses.replace(settings, recipe=recipe_of(best.values, base), until=epochs)
    dataset = search.datasets[settings.input_size]
    return run(trial_job(anew, dataset, folder, function="train_trial"), ChildProcesses())


def score_best(model: Path, config: TuneConfig) -> ScoreReport:
    """Scores the model on the test split, timed in turns with the baseline net."""
    console.print(f"scoring {escape(str(model))} on the test split", soft_wrap=True)
    shared = {**vars(part_of(DataConfig, config)), **vars(part_of(ClockConfig, config))}
    return score_model(ScoreConfig(model=model, **shared))
