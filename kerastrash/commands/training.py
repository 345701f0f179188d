"""`train`, `distill` and `tune`: from data to a trained net and its figures."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import keras

from kerastrash.backends import fix_threads, read_torch_state
from kerastrash.commands.settings import DistillConfig, TrainConfig
from kerastrash.compress.costs import model_parameters
from kerastrash.compress.distill import distill
from kerastrash.console import results, track, written
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.data.config import data_of_run
from kerastrash.errors import ConfigError
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy
from kerastrash.models.pretrained import find_pretrained, pretrained_model
from kerastrash.models.saved import image_size, open_model
from kerastrash.reports.data import print_summary
from kerastrash.reports.run import trials_table
from kerastrash.reports.scoring import score_tables
from kerastrash.runs import model_in, open_run, run_folder
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.config import ClockConfig
from kerastrash.scoring.evaluate import check_saved_classes, evaluate
from kerastrash.training.checkpoint import BEST
from kerastrash.training.fit import Training, train
from tuners.config import TuneConfig
from tuners.tune import score_run, tune

NET, INPUT_SIZE = "mobilenetv3_79", 156


def tune_net(config: TuneConfig) -> None:
    """Searches, trains and scores a classifier, and prints its trials and its score."""
    tuned = tune(config)
    console = results()
    console.print(trials_table([trial.row() for trial in tuned.trials], tuned.best.name))
    console.print(*score_tables(tuned.score), sep="\n")
    written(tuned.folder / BEST, f" is the classifier; {tuned.folder / 'report.md'} explains it")


def train_net(config: TrainConfig) -> None:
    """Trains or fine-tunes a net in its run and prints its F1 on the validation and test splits."""
    config = dataclasses.replace(config, clock=timed_later(config.clock))
    usual, size, build = beginning(config)
    with open_run(run_folder(config, f"train-{usual}"), config) as folder:
        dataset = prepare(config.data, size, track)
        print_summary(dataset)
        training = train(lambda: build(dataset), dataset, config.recipe, folder)
        score = score_run(folder, trained_so(training), config.data, config.clock)
    results().print(*score_tables(score), sep="\n")
    f1 = f": macro F1 {score.evaluation.macro_f1:.4f} on the test split. "
    written(training.model, f1 + f"{trained_so(training)} {folder / 'report.md'} explains it")


def timed_later(clock: ClockConfig) -> ClockConfig:
    """The clock with its runtime; where that is Keras, its threads are set now, before any backend sets others."""
    clock = resolve_runtime(clock)
    if clock.runtime == "keras":
        fix_threads(clock.threads)
    return clock


def trained_so(training: Training) -> str:
    """A sentence on a training, for its report."""
    f1 = f"macro F1 {training.f1:.4f} on the validation split"
    return f"Trained for {training.epochs} epochs; kept is epoch {training.best_epoch}, {f1}."


def beginning(config: TrainConfig) -> tuple[str, int, Callable[[Dataset], keras.Model]]:
    """Name, input size and maker of the net that is trained: a saved one, one of known weights, or one from scratch.

    Raises:
        ConfigError: a saved net takes another input size than is asked for.
    """
    size = config.input_size
    if config.saved:
        taken = image_size(open_model(config.saved))
        if size not in (None, taken):
            raise ConfigError(f"input_size={size}: {config.saved} takes {taken} px; leave it out")

        def opened(dataset: Dataset) -> keras.Model:
            model = open_model(config.saved)
            check_saved_classes(model, config.saved, dataset)
            return in_policy(model, config.recipe.dtype_policy)

        return config.saved.stem, taken, opened
    if config.weights:
        known = find_pretrained(config.weights)
        size = known.input_size if size is None else size
        return (
            known.name,
            size,
            lambda data: pretrained_model(config.weights, size, len(data.classes), read_state=read_torch_state),
        )
    net, size = config.net or NET, INPUT_SIZE if size is None else size
    return Path(net).stem, size, lambda data: build_model(net, size, len(data.classes), config.width, config.depth)


def distill_net(config: DistillConfig) -> None:
    """Trains a student on what its teachers say, and prints the F1 of them all.

    The data are those of the first teacher's run where none are named.
    """
    teachers = tuple(model_in(path) for path in config.distill.teachers)
    data = data_of_run(teachers[0] if teachers else Path(config.teacher_weights[0]), config.data)
    distilling = dataclasses.replace(config.distill, teachers=teachers)
    config = dataclasses.replace(config, distill=distilling, data=data, clock=timed_later(config.clock))
    with open_run(run_folder(config, f"distill-{Path(config.net).stem}"), config) as folder:
        dataset = prepare(config.data, config.input_size, track)
        print_summary(dataset)
        teachers += tuple(tuned.model for tuned in tune_teachers(config, folder))
        settings = dataclasses.replace(config.distill, teachers=teachers)

        def build() -> keras.Model:
            return build_model(config.net, config.input_size, len(dataset.classes), config.width, config.depth)

        trained = {"distilled": distill(build, config.data, config.input_size, config.recipe, settings, folder)}
        if config.alone:
            trained["alone"] = train(build, dataset, config.recipe, folder / "alone", description="training alone")
        score = score_run(folder, trained_so(trained["distilled"]), config.data, config.clock)
        for teacher in teachers:
            say_f1(f"teacher {teacher}", teacher, config.data)
        for name, training in trained.items():
            known = score.evaluation.macro_f1 if name == "distilled" else None
            say_f1(f"student {name} ({training.model})", training.model, config.data, known)
    results().print(*score_tables(score), sep="\n")
    written(folder / "report.md", " explains the student")


def tune_teachers(config: DistillConfig, folder: Path) -> Iterator[Training]:
    """Fine-tunes the pretrained teachers, each in a folder of its own in the run."""
    for weights in config.teacher_weights:
        known = find_pretrained(weights)
        size = config.teacher_size or known.input_size
        dataset = prepare(config.data, size, track)
        classes = len(dataset.classes)
        yield train(
            functools.partial(pretrained_model, weights, size, classes, read_state=read_torch_state),
            dataset,
            config.teacher_recipe,
            folder / f"teacher-{known.name}",
            description=f"fine-tuning teacher {known.name}",
        )


def say_f1(what: str, path: Path, data: DataConfig, test: float | None = None) -> None:
    """Prints a model's size and its macro F1 on the validation and test splits; `test` is the latter where known."""
    model = open_model(path)
    dataset = prepare(data, image_size(model), track)
    val = evaluate(model, dataset.split("val")).macro_f1
    test = evaluate(model, dataset.split("test")).macro_f1 if test is None else test
    f1 = f"macro F1 {val:.4f} on the validation split, {test:.4f} on the test split"
    written(what, f": {model_parameters(model):,} parameters, {f1}")
