"""Scores a saved model: right answers, two clocks beside the baseline net, and the score on each clock."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerastrash.backends import set_threads
from kerastrash.console import say, track
from kerastrash.data import Dataset, LeftOut, Part, prepare, read_crop
from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.format import Description
from kerastrash.export.formats import FORMATS, check_digests, format_of, open_runtime
from kerastrash.export.open_net import OpenNet
from kerastrash.export.writing import write_model
from kerastrash.models.saved import open_model, read_description
from kerastrash.scoring.baseline import Baseline, measured_as, open_baseline, resolve_runtime
from kerastrash.scoring.clocks import Timing, inference_times, spread, total_times
from kerastrash.scoring.config import ScoreConfig
from kerastrash.scoring.evaluate import Evaluation, evaluate
from kerastrash.scoring.formula import Reference, reference_for

MODEL, BASELINE = "model", "baseline"


@dataclass(frozen=True)
class ClockScore:
    """One clock's times of model and baseline, and the score that follows."""

    clock: str
    """`inference`, or `total` with opening the file, decoding, padding and resizing."""
    model: Timing
    baseline: Timing
    seconds: float
    """For the model over the whole part."""
    baseline_seconds: float
    reference: Reference
    score: float


@dataclass(frozen=True)
class ScoreReport:
    """All that is known of one model on one part of the data."""

    model: str
    data: str
    part: str
    images: int
    """Size of the part."""
    classes: tuple[str, ...]
    input_size: int
    parameters: int | None
    """Trainable ones; None for an exported file, which does not tell them from the others."""
    runtime: str
    device: str
    threads: int
    evaluation: Evaluation
    clocks: tuple[ClockScore, ClockScore]
    """Inference, then total."""
    left_out: tuple[LeftOut, ...]
    """What of the data could not be used."""

    @property
    def score(self) -> float:
        """The score on the inference clock."""
        return self.clocks[0].score

    def settings(self) -> dict[str, Any]:
        """The report as plain JSON values, the predictions themselves left out."""
        evaluation = {
            "macro_f1": self.evaluation.macro_f1,
            "class_f1": dict(zip(self.classes, self.evaluation.class_f1.tolist(), strict=True)),
            "confusion": self.evaluation.confusion.tolist(),
        }
        values = {name: value for name, value in vars(self).items() if name not in ("evaluation", "clocks", "left_out")}
        clocks = {clock.clock: asdict(clock) for clock in self.clocks}
        left_out = [asdict(item) for item in self.left_out]
        return {**values, "score": self.score, **evaluation, "clocks": clocks, "left_out": left_out}


def score_model(config: ScoreConfig) -> ScoreReport:
    """Classifies and times the part with the model, and times the baseline net in turns with it.

    Raises:
        ConfigError: the runtime is not installed, is not the one of an exported model, or the threads can no longer be
            set.
        DataError: the data cannot be used.
        ModelError: the model cannot be opened, or was made for other classes.
    """
    set_threads(config.clock.threads)
    config = _with_runtime(config)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        path, parameters = _model_file(config, Path(folder))
        net = open_runtime(path, config.clock.threads)
        dataset = prepare(config.data, net.input_size, track)
        check_classes(net.classes, net.description, dataset, config.model)
        baseline = open_baseline(config.clock, config.data, config.part, len(dataset.classes))
        files = {MODEL: path, BASELINE: _written(baseline.model, BASELINE, config, Path(folder))}
        nets = {MODEL: net, BASELINE: open_runtime(files[BASELINE], config.clock.threads)}
        part = dataset.part(config.part)
        evaluation = evaluate(net, part)
        times = _times(nets, files, part, config)
    count, f1 = len(part.labels), evaluation.macro_f1
    clocks = tuple(_clock_score(name, times[name], count, f1, baseline, nets[BASELINE], config) for name in times)
    return ScoreReport(
        model=str(config.model),
        data=config.data.data,
        part=config.part,
        images=count,
        classes=tuple(dataset.classes),
        input_size=net.input_size,
        parameters=parameters,
        runtime=net.name,
        device=net.device,
        threads=config.clock.threads,
        evaluation=evaluation,
        clocks=clocks,
        left_out=tuple(dataset.left_out),
    )


def check_classes(outputs: int, description: Description, dataset: Dataset, path: Path) -> None:
    """Raises ModelError where the net of the file `path` was made for other classes than the data's."""
    wanted = f"{dataset.name} has {len(dataset.classes)} classes ({', '.join(dataset.classes)})"
    if outputs != len(dataset.classes):
        raise ModelError(f"{path}: gives {outputs} outputs, but {wanted}: give a model trained for this data")
    names = description.classes
    if names and names != tuple(dataset.classes):
        raise ModelError(f"{path}: knows {', '.join(names)}, but {wanted}: give a model trained for this data")


def check_saved_classes(model: keras.Model, path: Path, dataset: Dataset) -> None:
    """Raises ModelError where the model of the `.keras` file `path` was made for other classes than the data's."""
    check_classes(model.output_shape[1], Description.from_json(read_description(path), path), dataset, path)


def _with_runtime(config: ScoreConfig) -> ScoreConfig:
    """The settings with the runtime that an exported file decides, or that `auto` stands for."""
    own = format_of(config.model)
    if own.name == "keras":
        return replace(config, clock=resolve_runtime(config.clock))
    asked = config.clock.runtime
    if asked not in ("auto", own.name):
        raise ConfigError(f"{config.model}: is run by {own.runtime}, not by runtime={asked!r}: leave that out")
    return replace(config, clock=replace(config.clock, runtime=own.name))


def _model_file(config: ScoreConfig, folder: Path) -> tuple[Path, int | None]:
    """The model's file in the format of the runtime, and its trainable parameters where that is known."""
    if format_of(config.model).name != "keras":
        return config.model, None
    check_digests(config.model)
    model = open_model(config.model)
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return config.model if config.clock.runtime == "keras" else _written(model, MODEL, config, folder), parameters


def _written(model: keras.Model, name: str, config: ScoreConfig, folder: Path) -> Path:
    return write_model(model, config.clock.runtime, folder / f"{name}{FORMATS[config.clock.runtime].suffix}")


def _times(
    nets: Mapping[str, OpenNet], files: Mapping[str, Path], part: Part, config: ScoreConfig
) -> dict[str, dict[str, Timing]]:
    """Both clocks' times of both nets."""
    count = len(part.labels)
    timed = spread(count, config.clock.timed_images)
    crops = [part.crops[index] for index in timed]
    say(f"timing {len(crops)} of {count} images, the model and {config.clock.baseline_net} in turns")
    images = {
        MODEL: part.images[np.asarray(part.indices)[timed]],
        BASELINE: np.stack([read_crop(crop, nets[BASELINE].input_size) for crop in crops]),
    }
    openers = {name: partial(open_runtime, path, config.clock.threads) for name, path in files.items()}
    return {
        "inference": inference_times(nets, images, config.clock.blocks),
        "total": total_times(openers, crops, config.clock.blocks),
    }


def _clock_score(
    clock: str,
    times: Mapping[str, Timing],
    count: int,
    f1: float,
    baseline: Baseline,
    runtime: OpenNet,
    config: ScoreConfig,
) -> ClockScore:
    seconds, baseline_seconds = times[MODEL].seconds(count), times[BASELINE].seconds(count)
    reference = reference_for(
        config.clock.reference, baseline_seconds, measured_as(config.clock, runtime), baseline.f1, baseline.f1_source
    )
    score = reference.score(f1, seconds)
    return ClockScore(clock, times[MODEL], times[BASELINE], seconds, baseline_seconds, reference, score)
