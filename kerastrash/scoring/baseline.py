"""The baseline that a score is relative to: rows with random weights for its time, or a trained file for its F1 too.

A net and the baseline are timed in turns in one runtime, with as many threads, in one dtype policy.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras

from kerastrash.console import say, track
from kerastrash.data import DataConfig, SplitData, prepare
from kerastrash.errors import ModelError
from kerastrash.export.format import OpenNet, conditions
from kerastrash.export.formats import FORMATS, FormatName
from kerastrash.export.writing import write_model
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy
from kerastrash.models.saved import image_size, open_model, save_model
from kerastrash.scoring import BASELINE_F1, GIVEN, MEASURED, PUBLISHED
from kerastrash.scoring.candidates import Candidate, Way
from kerastrash.scoring.clocks import Timing, inference_times, pixels_by_size, spread, total_times
from kerastrash.scoring.config import ClockConfig, TimingConfig
from kerastrash.scoring.evaluate import evaluate
from kerastrash.scoring.opening import arithmetic, keras_accelerator, open_timed, say_device

INFERENCE, TOTAL = "inference", "total"
"""The clocks: images in memory, or from the files on, with opening the net, decoding, padding and resizing."""
MODEL, BASELINE = "model", "baseline"


def resolve_runtime(clock: ClockConfig) -> ClockConfig:
    """The settings with `auto` replaced by what it stands for here, which the console says; others as they are.

    That is ONNX Runtime on a processor, and Keras on an accelerator or where ONNX cannot be written. The call starts
    the backend, so its threads are to be set before.
    """
    if clock.runtime != "auto":
        return clock
    device, missing = keras_accelerator(), FORMATS["onnx"].missing()
    runtime, reason = "keras", ""
    if device:
        reason = f": the device is {device}"
    elif missing:
        reason = f": ONNX Runtime is not installed, {missing} brings it"
    else:
        runtime = "onnx"
    say(f"nets are timed in {FORMATS[runtime].runtime}{reason}")
    return replace(clock, runtime=runtime)


@dataclass(frozen=True)
class Baseline:
    """The net that is timed beside another, and the macro F1 that stands in the formula."""

    model: keras.Model
    f1: float
    f1_source: str
    """`published`, `given`, or `measured here`."""


def open_baseline(clock: TimingConfig, data: DataConfig, split: str, classes: int) -> Baseline:
    """Builds the baseline net, whose weights do not matter for its time; or opens a trained one and measures its F1.

    Args:
        data, split: on what a trained baseline is measured.
        classes: outputs that it must have.

    Raises:
        ModelError: unknown net, a file that cannot be opened, or one made for another number of classes.
    """
    if Path(clock.baseline_net).suffix != ".keras":
        model = build_model(clock.baseline_net, clock.baseline_size, classes)
        return Baseline(model, clock.baseline_f1, PUBLISHED if clock.baseline_f1 == BASELINE_F1 else GIVEN)
    model = open_model(clock.baseline_net)
    if model.output_shape[1] != classes:
        raise ModelError(
            f"{clock.baseline_net}: gives {model.output_shape[1]} outputs, the data has {classes} classes: "
            "give a baseline trained for this data, or a preset"
        )
    return Baseline(model, evaluate(model, prepare(data, image_size(model), track).split(split)).macro_f1, MEASURED)


def measured_as(clock: ClockConfig, baseline: OpenNet, dtype_policy: str = "float32") -> str:
    """How the baseline's time was measured: its net, size, arithmetic, runtime, device and threads."""
    here = conditions(baseline.name, baseline.device, clock.threads, arithmetic(dtype_policy, baseline.device))
    return f"{clock.baseline_net} at {baseline.input_size} px, {here}"


def dtype_policy_of(model: keras.Model) -> str:
    """The dtype policy in which a model computes; Rescaling and logits stay in float32 under any."""
    names = (layer.dtype_policy.name for layer in model.layers if isinstance(layer, keras.Layer) and layer.weights)
    return next((name for name in names if name != "float32"), "float32")


def _file_in_runtime(model: keras.Model, runtime: FormatName, path: Path, dtype_policy: str) -> Path:
    """Writes a model as it is to be timed, at the path with the format's suffix: only Keras's has the dtype policy."""
    path = path.with_name(path.name + FORMATS[runtime].suffix)
    if runtime != "keras":
        return write_model(model, runtime, path)
    save_model(model if dtype_policy_of(model) == dtype_policy else in_policy(model, dtype_policy), path)
    return path


@dataclass(frozen=True)
class TimedFile:
    """A net that is timed: its file, and itself open in the file's runtime."""

    path: Path
    net: OpenNet
    dtype_policy: str = "float32"
    """Keras's; `float32` in every other runtime."""


def timed_file(path: Path, threads: int, dtype_policy: str = "float32") -> TimedFile:
    """A file open in this process; that its runtime is not on the accelerator which it could use is said."""
    device = keras_accelerator()
    net = open_timed(path, threads, device)
    say_device(path, net, device)
    return TimedFile(path, net, dtype_policy)


def opened_in_runtime(model: keras.Model, clock: ClockConfig, path: Path, dtype_policy: str) -> TimedFile:
    """A model written for the clock's runtime, at the path with a suffix, and opened there with the clock's threads."""
    file = _file_in_runtime(model, clock.runtime, path, dtype_policy)
    return timed_file(file, clock.threads, dtype_policy if clock.runtime == "keras" else "float32")


@dataclass(frozen=True)
class BesideBaseline:
    """What the clocks say of a net and of the baseline beside it."""

    times: dict[str, dict[str, Timing]]
    """Times by clock, then by MODEL and BASELINE."""
    baseline: Baseline
    measured_as: str


def measure_beside_baseline(
    timed: TimedFile,
    part: SplitData,
    clock: ClockConfig,
    data: DataConfig,
    split: str,
    folder: Path,
    clocks: Sequence[str] = (INFERENCE,),
) -> BesideBaseline:
    """Times a net in turns with the baseline net, both in one runtime and dtype policy, with as many threads.

    Args:
        timed: the net, open with `clock.threads`.
        part: the images that are timed, at the net's size.
        clock: its runtime not `auto`.
        data, split: on what the F1 of a trained baseline is measured.
        folder: receives the baseline's file.
        clocks: INFERENCE, TOTAL or both.

    Raises:
        ModelError: the baseline cannot be opened, or was made for another number of classes.
    """
    baseline = open_baseline(clock, data, split, timed.net.classes)
    beside = opened_in_runtime(baseline.model, clock, folder / BASELINE, timed.dtype_policy)
    pair = {MODEL: timed, BASELINE: beside}
    nets, times = {name: each.net for name, each in pair.items()}, {}
    if INFERENCE in clocks:
        sizes = {name: net.input_size for name, net in nets.items()}
        pixels = pixels_by_size({sizes[MODEL]: part}, sizes.values(), clock.timed_images)
        times[INFERENCE] = inference_times(nets, {name: pixels[sizes[name]] for name in nets}, clock.blocks)
    if TOTAL in clocks:
        device = keras_accelerator()
        openers = {name: partial(open_timed, each.path, clock.threads, device) for name, each in pair.items()}
        crops = [part.crops[index] for index in spread(len(part), clock.timed_images)]
        times[TOTAL] = total_times(openers, crops, clock.blocks)
    return BesideBaseline(times, baseline, measured_as(clock, beside.net, timed.dtype_policy))


def open_baselines(
    model: keras.Model,
    name: str,
    candidates: Iterable[Candidate],
    folder: Path,
    stack: ExitStack,
    accelerator: str = "",
) -> dict[Way, Candidate]:
    """The baseline net opened in every way in which files are timed, and in ONNX Runtime where that fails.

    Args:
        name: as which the net was given.
        candidates: the open files that it is timed beside.
        folder: where its files are written.
        stack: ends its processes.
        accelerator: as `Candidate.open` takes it.
    """
    files: dict[tuple[FormatName, str], Candidate] = {}
    opened: dict[Way, Candidate] = {}

    def open_in(ways: Iterable[Way]) -> None:
        for way in track([way for way in dict.fromkeys(ways) if way not in opened], "opening baselines", "processes"):
            form, backend, threads, policy = way
            if (form, policy) not in files:
                files[form, policy] = file = Candidate(Path(name), form, None, policy)
                file.path = file.attempt(_file_in_runtime, model, form, folder / f"{form}-{policy}", policy)
            opened[way] = replace(files[form, policy], threads=threads, backend=backend)
            opened[way].open(stack, accelerator)

    open_in(candidate.way for candidate in candidates)
    failed = [baseline for baseline in opened.values() if baseline.failure]
    for each in failed:
        say(f"{name} cannot be timed in {FORMATS[each.format].runtime} with {each.threads} threads: {each.failure}")
    open_in(_fallback(each.threads) for each in failed)
    return opened


def _fallback(threads: int) -> Way:
    return "onnx", None, threads, "float32"


def baseline_of(candidate: Candidate, baselines: Mapping[Way, Candidate]) -> Candidate | None:
    """The baseline that was timed in the candidate's runtime, else the one in ONNX Runtime; None without either, or
    where the candidate was not timed."""
    for way in (candidate.way, _fallback(candidate.threads)):
        baseline = baselines.get(way)
        if baseline and 1 in baseline.timings and 1 in candidate.timings:
            return baseline
    return None
