"""The baseline that a score is relative to: rows with random weights for its time, or a trained file for its F1 too."""

from dataclasses import dataclass, replace
from pathlib import Path

import keras

from kerastrash.backends import device_description
from kerastrash.console import console, track
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ModelError
from kerastrash.export.formats import FORMATS
from kerastrash.export.open_net import OpenNet, conditions
from kerastrash.models import build_model
from kerastrash.models.saved import image_size, open_model
from kerastrash.runs import processor_name
from kerastrash.scoring.config import ClockConfig, TimingConfig
from kerastrash.scoring.evaluate import evaluate
from kerastrash.scoring.formula import BASELINE_F1, GIVEN, MEASURED, PUBLISHED


def resolve_runtime(clock: ClockConfig) -> ClockConfig:
    """The settings with `auto` replaced by what it stands for here, which the console says; others as they are.

    That is ONNX Runtime on a processor, and Keras on an accelerator or where ONNX cannot be written. The call starts
    the backend, so its threads are to be set before.
    """
    if clock.runtime != "auto":
        return clock
    obstacle = _obstacle_to_onnx()
    runtime = "keras" if obstacle else "onnx"
    reason = f": {obstacle}" if obstacle else ""
    console.print(
        f"nets are timed in {FORMATS[runtime].runtime}{reason}", soft_wrap=True, highlight=False, markup=False
    )
    return replace(clock, runtime=runtime)


def _obstacle_to_onnx() -> str:
    """Why nets are not timed in ONNX Runtime; empty where they are."""
    device = device_description()
    if device != processor_name():
        return f"the device is {device}"
    missing = FORMATS["onnx"].missing()
    return f"ONNX Runtime is not installed, {missing} brings it" if missing else ""


@dataclass(frozen=True)
class Baseline:
    """The net that is timed beside another, and the macro F1 that stands in the formula."""

    model: keras.Model
    f1: float
    f1_source: str
    """`published`, `given`, or `measured here`."""


def open_baseline(clock: TimingConfig, data: DataConfig, part: str, classes: int) -> Baseline:
    """Builds the baseline net, whose weights do not matter for its time; or opens a trained one and measures its F1.

    Args:
        data, part: on what a trained baseline is measured.
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
    return Baseline(model, evaluate(model, prepare(data, image_size(model), track).part(part)).macro_f1, MEASURED)


def measured_as(clock: ClockConfig, baseline: OpenNet) -> str:
    """How the baseline's time was measured: its net, size, runtime, device and threads."""
    here = conditions(baseline.name, baseline.device, clock.threads)
    return f"{clock.baseline_net} at {baseline.input_size} px, {here}"
