"""The score of a saved model: right answers, two clocks beside the baseline net, and the score on each clock."""

import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerastrash.backends import set_threads
from kerastrash.console import say, track
from kerastrash.data import LeftOut, SplitData, prepare
from kerastrash.errors import ConfigError
from kerastrash.export.formats import check_digests, format_of
from kerastrash.models.saved import open_model
from kerastrash.scoring import Reference, reference_for
from kerastrash.scoring.baseline import (
    BASELINE,
    INFERENCE,
    MODEL,
    TOTAL,
    BesideBaseline,
    TimedFile,
    dtype_policy_of,
    measure_beside_baseline,
    opened_in_runtime,
    resolve_runtime,
    timed_file,
)
from kerastrash.scoring.clocks import Timing
from kerastrash.scoring.config import ScoreConfig
from kerastrash.scoring.evaluate import Evaluation, check_classes, evaluate


@dataclass(frozen=True)
class ClockScore:
    """One clock's times of model and baseline, and the score that follows."""

    clock: str
    """`inference`, or `total` with opening the file, decoding, padding and resizing."""
    model: Timing
    baseline: Timing
    seconds: float
    """What the model takes for the whole split."""
    baseline_seconds: float
    reference: Reference
    score: float


@dataclass(frozen=True)
class ScoreReport:
    """All that is known of one model on one split of the data."""

    model: str
    data: str
    split: str
    images: int
    """Size of the split."""
    classes: tuple[str, ...]
    input_size: int
    parameters: int | None
    """Trainable ones; None for an exported file, which does not tell them from the others."""
    runtime: str
    device: str
    threads: int
    dtype_policy: str
    """Keras's, of the model and of the baseline beside it; `float32` in every other runtime."""
    evaluation: Evaluation
    clocks: tuple[ClockScore, ClockScore]
    """Inference, then total."""
    left_out: tuple[LeftOut, ...]
    examples: SplitData = field(repr=False)

    @property
    def score(self) -> float:
        """The score on the inference clock."""
        return self.clocks[0].score

    def settings(self) -> dict[str, Any]:
        """The report as plain JSON values, the images and predictions themselves left out."""
        others = ("evaluation", "clocks", "left_out", "examples")
        return {
            **{name: value for name, value in vars(self).items() if name not in others},
            "score": self.score,
            "macro_f1": self.evaluation.macro_f1,
            "class_f1": dict(zip(self.classes, self.evaluation.class_f1.tolist(), strict=True)),
            "confusion": self.evaluation.confusion.tolist(),
            "clocks": {clock.clock: asdict(clock) for clock in self.clocks},
            "left_out": [asdict(item) for item in self.left_out],
        }


def score_model(config: ScoreConfig) -> ScoreReport:
    """Classifies and times the split with the model, and times the baseline net in turns with it.

    Raises:
        ConfigError: the runtime is not installed or not that of an exported model, or the threads are set for good.
        DataError: the data cannot be used.
        ModelError: the model cannot be opened, or was made for other classes.
    """
    config = _with_runtime(config)
    if config.clock.runtime == "keras":  # the others set their own, and a training may have set Keras's for good
        set_threads(config.clock.threads)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as name:
        timed, parameters = _opened(config, Path(name))
        net = timed.net
        dataset = prepare(config.data, net.input_size, track)
        check_classes(net.classes, net.description, dataset, config.model)
        examples = dataset.split(config.split)
        evaluation, count = evaluate(net, examples), len(examples)
        timed_images = min(config.clock.timed_images or count, count)
        say(f"timing {timed_images} of {count} images, the model and {config.clock.baseline_net} in turns")
        clocks = (INFERENCE, TOTAL)
        beside = measure_beside_baseline(timed, examples, config.clock, config.data, config.split, Path(name), clocks)
    return ScoreReport(
        model=str(config.model),
        data=config.data.data,
        split=config.split,
        images=count,
        classes=dataset.classes,
        input_size=net.input_size,
        parameters=parameters,
        runtime=net.name,
        device=net.device,
        threads=config.clock.threads,
        dtype_policy=timed.dtype_policy,
        evaluation=evaluation,
        clocks=tuple(_clock_score(clock, beside, count, evaluation.macro_f1, config) for clock in clocks),
        left_out=tuple(dataset.left_out),
        examples=examples,
    )


def _with_runtime(config: ScoreConfig) -> ScoreConfig:
    """The settings with the runtime that an exported file decides, or that `auto` stands for."""
    own = format_of(config.model)
    if own.name == "keras":
        return replace(config, clock=resolve_runtime(config.clock))
    asked = config.clock.runtime
    if asked not in ("auto", own.name):
        raise ConfigError(f"{config.model}: is run by {own.runtime}, not by runtime={asked!r}: leave that out")
    return replace(config, clock=replace(config.clock, runtime=own.name))


def _opened(config: ScoreConfig, folder: Path) -> tuple[TimedFile, int | None]:
    """The model open in the runtime, and its trainable parameters where they are known."""
    path, clock = config.model, config.clock
    policy, parameters = "float32", None
    if format_of(path).name == "keras":
        check_digests(path)
        model = open_model(path)
        parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        if clock.runtime != "keras":
            return opened_in_runtime(model, clock, folder / MODEL, policy), parameters
        policy = dtype_policy_of(model)
    return timed_file(path, clock.threads, policy), parameters


def _clock_score(clock: str, beside: BesideBaseline, count: int, f1: float, config: ScoreConfig) -> ClockScore:
    model, baseline = (beside.times[clock][name] for name in (MODEL, BASELINE))
    seconds, baseline_seconds = model.seconds(count), baseline.seconds(count)
    f1_of_baseline, source = beside.baseline.f1, beside.baseline.f1_source
    reference = reference_for(config.clock.reference, baseline_seconds, beside.measured_as, f1_of_baseline, source)
    return ClockScore(clock, model, baseline, seconds, baseline_seconds, reference, reference.score(f1, seconds))
