"""What `--runtime auto` stands for on this machine."""

from dataclasses import replace
from typing import TypeVar

from kerastrash.backends import device_description
from kerastrash.backends.processor import processor_name
from kerastrash.console import console
from kerastrash.export.formats import FORMATS
from kerastrash.export.needs import missing_packages
from kerastrash.scoring.config import ClockConfig

Clock = TypeVar("Clock", bound=ClockConfig)


def resolve_runtime(clock: Clock) -> Clock:
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
    missing = missing_packages("onnx")
    return f"ONNX Runtime is not installed, {missing} brings it" if missing else ""
