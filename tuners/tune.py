"""The main job: data, search, retraining, score, and a run folder that explains itself."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from kerastrash.backends import fix_threads
from kerastrash.console import console, track
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.files import copy_file, write_json
from kerastrash.models import build_model, load_rows
from kerastrash.reports.data_tables import print_summary
from kerastrash.reports.run import write_report
from kerastrash.runs import FREE_SETTINGS, environment, open_run
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.config import ClockConfig, ScoreConfig
from kerastrash.scoring.report import ScoreReport, score_model
from kerastrash.settings import part_of
from kerastrash.training.checkpoint import BEST
from kerastrash.training.fit import train
from tuners.config import TuneConfig
from tuners.latency import check_clock
from tuners.search import Search, Trial, best_trial
from tuners.space import recipe_of
from tuners.trial import ROWS

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
        datasets = {size: prepare(part_of(DataConfig, config), size, track) for size in config.input_sizes}
        print_summary(next(iter(datasets.values())))
        check_clock(config, config, len(next(iter(datasets.values())).classes))
        trials = Search(config, folder, datasets).run()
        best = best_trial(trials)
        model = finish_best(best, config, datasets[best.values["input_size"]], folder)
        score = score_best(model, config)
        write_json(folder / SCORE, score.settings())
        rows = [trial.row() for trial in trials]
        write_report(folder, rows, best.name, config.retrain_epochs, score, environment())
        return Tuned(folder, model, trials, best, score)


def finish_best(best: Trial, config: TuneConfig, dataset: Dataset, folder: Path) -> Path:
    """Puts the best trial's model, or one trained anew for `retrain_epochs`, into the run as best.keras."""
    source = best.folder / BEST
    if config.retrain_epochs:
        base = dataclasses.replace(config.recipe, seed=config.seed, epochs=config.retrain_epochs)
        rows, size = load_rows(best.folder / ROWS), best.values["input_size"]
        source = train(
            lambda: build_model(rows, size, classes=len(dataset.classes)),
            dataset,
            recipe_of(best.values, base),
            folder / f"retrained-{config.retrain_epochs}",
            description=f"retraining trial {best.name}",
        ).model
    for origin, name in ((best.folder / ROWS, NET), (source, BEST)):
        copy_file(origin, folder / name)
    return folder / BEST


def score_best(model: Path, config: TuneConfig) -> ScoreReport:
    """Scores the model on the test split, timed in turns with the baseline net."""
    console.print(f"scoring {model} on the test split")
    shared = {**vars(part_of(DataConfig, config)), **vars(part_of(ClockConfig, config))}
    return score_model(ScoreConfig(model=model, **shared))
