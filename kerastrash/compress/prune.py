"""Prunes a trained model by whole channels to a target, in rounds of narrowing and fine-tuning.

    source.json             which model the run began with
    step-01/narrowed.keras  the first round's narrower net, with the weights it kept; beside it what training leaves
    best.keras, prune.json  the last round's best epoch, and the report

A killed run goes on where it stopped: what is written is not chosen again.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import keras

from kerastrash.compress.channels import channel_groups
from kerastrash.compress.config import PruneSettings
from kerastrash.compress.costs import CountGoal, TimeGoal, model_macs, model_parameters, times_in_turns
from kerastrash.compress.cuts import group_scores, narrow, order_cuts, widths
from kerastrash.console import console, track
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.errors import ConfigError, require
from kerastrash.export.formats import FORMATS
from kerastrash.export.writing import open_as
from kerastrash.files import copy_file, read_json, sha256, write_json
from kerastrash.models.builder import in_policy
from kerastrash.models.saved import image_size, open_model, save_model
from kerastrash.scoring.clocks import Timing
from kerastrash.scoring.evaluate import check_saved_classes, evaluate
from kerastrash.settings import to_dict
from kerastrash.training.checkpoint import BEST
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

NARROWED, SOURCE, REPORT = "narrowed.keras", "source.json", "prune.json"


@dataclass(frozen=True)
class NetFigures:
    """What one net costs, and how right and fast it is."""

    parameters: int
    macs: int
    val_f1: float
    """Macro F1 on the validation split, by which the epoch is chosen."""
    test_f1: float
    """Macro F1 on the test split, by which nothing is decided."""
    median_ms: float
    """An image in ONNX Runtime, batch 1, one thread; both nets timed in turns in one run."""
    p90_ms: float


@dataclass(frozen=True)
class PruneRound:
    """One narrowing and its fine-tuning."""

    macs: int
    parameters: int
    epochs: int
    best_epoch: int
    val_f1: float


@dataclass(frozen=True)
class PruneReport:
    """A pruned net beside the one it came from; the content of `prune.json`."""

    model: Path
    """The pruned net, best.keras in the run's folder."""
    source: str
    """The `.keras` file as it was named."""
    source_sha256: str
    classes: tuple[str, ...]
    input_size: int
    data: str
    data_fingerprint: str
    device: str
    """The processor on which both were timed."""
    before: NetFigures
    after: NetFigures
    rounds: tuple[PruneRound, ...]
    widths: dict[str, tuple[int, int]]
    """Channels before and after, by convolution and dense layer, in the order of the net."""
    settings: PruneSettings
    versions: dict[str, str]
    """The packages that made and timed it."""
    written: str
    """Time in ISO 8601, UTC."""


def prune(model: Path, data: DataConfig, recipe: Recipe, settings: PruneSettings, folder: Path) -> PruneReport:
    """Narrows a model round by round, each followed by fine-tuning, and says what that costs and gives.

    The rounds divide the way into equal factors and `recipe.epochs` into equal shares; each has a whole schedule.

    Args:
        model: a trained `.keras` file of the layers that `build_model` makes.
        data: what the model was trained on, split as it was then.
        recipe: of the fine-tuning; a learning rate far below that of a net from scratch.
        folder: receives everything; a run that was killed is continued.

    Raises:
        ConfigError: packages are missing, there are fewer epochs than rounds, the folder's run began with another
            model, or the model is already as fast as asked.
        ModelError: the model cannot be opened or pruned, is for other classes, or cannot reach the target.
        DataError: the data cannot be used.
        TrainingDiverged: the loss is not finite.
    """
    model, folder = Path(model), Path(folder)
    FORMATS["onnx"].check_packages()
    require(recipe.epochs >= settings.steps, "epochs", recipe.epochs, f"must be at least steps={settings.steps}")
    original = open_model(model)
    dataset = prepare(data, image_size(original), track)
    check_saved_classes(original, model, dataset)
    source = {"model": str(model), "sha256": sha256(model)}
    if (folder / SOURCE).exists() and read_json(folder / SOURCE).get("sha256") != source["sha256"]:
        raise ConfigError(f"{folder}: its run began with another model than {model} is now; choose another --name")
    timed = settings.milliseconds is not None or settings.measure == "milliseconds"
    goal = TimeGoal(model, original, settings, dataset.split("val")) if timed else CountGoal(model, original, settings)
    run = PruneRun(source, dataset, recipe, settings, folder, goal)
    rounds, latest = [], model
    for step in range(1, settings.steps + 1):
        found, latest = run.round(step, latest)
        rounds.append(found)
    copy_file(latest, folder / BEST)
    report = _report(original, run, tuple(rounds))
    write_json(folder / REPORT, to_dict(report))
    return report


@dataclass(frozen=True)
class PruneRun:
    """What all rounds share."""

    source: dict[str, str]
    dataset: Dataset
    recipe: Recipe
    settings: PruneSettings
    folder: Path
    goal: CountGoal | TimeGoal

    def round(self, step: int, before: Path) -> tuple[PruneRound, Path]:
        """Narrows the net of the file `before` and fine-tunes it; returns what came of it, and its file."""
        folder = self.folder / f"step-{step:02d}"
        path = folder / NARROWED
        if not path.exists():
            narrower = self._narrower(open_model(before), step)
            write_json(self.folder / SOURCE, self.source)  # before anything is made of it; after the target's check
            save_model(narrower, path, self.dataset.classes)
        narrowed = open_model(path)
        macs, parameters = model_macs(narrowed), model_parameters(narrowed)
        name = f"round {step} of {self.settings.steps}"
        console.print(f"{name}: {macs / 1e6:.2f} MMACs, {parameters:,} parameters", highlight=False)
        share, rest = divmod(self.recipe.epochs, self.settings.steps)
        recipe = replace(self.recipe, epochs=share + rest if step == self.settings.steps else share)
        training = train(
            lambda: in_policy(narrowed, recipe.dtype_policy), self.dataset, recipe, folder, description=name
        )
        return PruneRound(macs, parameters, training.epochs, training.best_epoch, training.f1), training.model

    def _narrower(self, model: keras.Model, step: int) -> keras.Model:
        groups = channel_groups(model)
        scores = group_scores(model, groups, self.settings.criterion)
        cuts = order_cuts(groups, scores, self.goal.cost, self.settings.multiple)

        def after(count: int) -> keras.Model:
            return narrow(model, groups, cuts.kept(count))

        return after(self.goal.enough(cuts.costs, after, step / self.settings.steps))


def _report(original: keras.Model, run: PruneRun, rounds: tuple[PruneRound, ...]) -> PruneReport:
    console.print("measuring macro F1 and time before and after", highlight=False)
    pruned = open_model(run.folder / BEST)
    nets = {"before": open_as(original, "onnx"), "after": open_as(pruned, "onnx")}
    times = times_in_turns(nets, run.dataset.split("test"))
    after = widths(pruned)
    return PruneReport(
        model=run.folder / BEST,
        source=run.source["model"],
        source_sha256=run.source["sha256"],
        classes=tuple(run.dataset.classes),
        input_size=run.dataset.input_size,
        data=run.dataset.name,
        data_fingerprint=run.dataset.fingerprint,
        device=nets["after"].device,
        before=_figures(original, run.dataset, times["before"]),
        after=_figures(pruned, run.dataset, times["after"]),
        rounds=rounds,
        widths={name: (width, after[name]) for name, width in widths(original).items()},
        settings=run.settings,
        versions=FORMATS["onnx"].versions(),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _figures(model: keras.Model, dataset: Dataset, timing: Timing) -> NetFigures:
    val, test = (evaluate(model, dataset.split(name)).macro_f1 for name in ("val", "test"))
    return NetFigures(model_parameters(model), model_macs(model), val, test, timing.median_ms, timing.p90_ms)
