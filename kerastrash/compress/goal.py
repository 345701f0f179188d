"""The number of cuts that a round makes, from the cost or the measured time that it may leave."""

import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from kerastrash.compress.config import PruneSettings
from kerastrash.compress.costs import Cost, model_macs, model_parameters
from kerastrash.compress.cuts import Cuts
from kerastrash.console import console
from kerastrash.data import SplitData
from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.format import OpenNet
from kerastrash.export.formats import open_runtime
from kerastrash.export.writing import write_model
from kerastrash.scoring.clocks import Timing, inference_times, spread

TIMED_IMAGES = 100


def onnx_net(model: keras.Model) -> OpenNet:
    """Opens a model in ONNX Runtime, in float32.

    Raises:
        ConfigError: packages are missing.
        ModelError: the net cannot be written as ONNX.
    """
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        return open_runtime(write_model(model, "onnx", Path(folder) / "net.onnx"), threads=1)


def times_in_turns(nets: Mapping[str, OpenNet], part: SplitData) -> dict[str, Timing]:
    """Times nets in turns on the same images, at most TIMED_IMAGES of a part."""
    images = np.asarray(part.images[np.asarray(part.indices)[spread(len(part), TIMED_IMAGES)]])
    return inference_times(nets, dict.fromkeys(nets, images))


NetAfter = Callable[[int], keras.Model]
"""Builds the net of a round after so many cuts."""


class CountGoal:
    """A share of the original's multiply-accumulates or parameters."""

    def __init__(self, path: Path, original: keras.Model, settings: PruneSettings) -> None:
        self.cost: Cost = "macs" if settings.measure == "macs" else "parameters"
        self._path, self._target = path, settings.target
        self._present = (model_macs if self.cost == "macs" else model_parameters)(original)

    def enough(self, cuts: Cuts, after: NetAfter, done: float) -> int:
        """The fewest cuts that reach the goal of a round, which ends with `done`, in (0, 1], of the way behind it.

        Raises:
            ModelError: all cuts together would not reach the last round's goal.
        """
        least = int(cuts.costs[-1])
        if least > self._present * self._target:
            raise ModelError(
                f"{self._path}: at its narrowest it has {least:,} of {self._present:,} {self.cost}, a share of "
                f"{_rounded_up(least / self._present)}; give that --target, not {self._target:g}, or a smaller "
                "--multiple"
            )
        return int(np.argmax(cuts.costs <= self._present * self._target**done))


class TimeGoal:
    """Milliseconds an image, or a share of the original's: both are timed in turns."""

    cost: Cost = "macs"

    def __init__(self, path: Path, original: keras.Model, settings: PruneSettings, part: SplitData) -> None:
        self._path, self._original = path, onnx_net(original)
        self._settings, self._part = settings, part

    def enough(self, cuts: Cuts, after: NetAfter, done: float) -> int:
        """The fewest cuts, as of a `CountGoal`, found by halves: a dozen nets are timed."""
        present, least = self._times(after(len(cuts)))
        self._check(present, least)
        fewest, most = 0, len(cuts)
        while fewest < most:
            middle = (fewest + most) // 2
            present, found = self._times(after(middle))
            limit = present ** (1 - done) * self._limit(present) ** done
            console.print(f"{middle} cuts: {found:.3f} ms, wanted {limit:.3f} ms", highlight=False)
            fewest, most = (fewest, middle) if found <= limit else (middle + 1, most)
        return most

    def _check(self, present: float, least: float) -> None:
        if self._limit(present) >= present:
            raise ConfigError(
                f"milliseconds={self._settings.milliseconds:g} is what {self._path} takes already ({present:.3f} ms); "
                "give a lower number"
            )
        if least > self._limit(present):
            raise ModelError(
                f"{self._path}: at its narrowest an image takes {least:.3f} of {present:.3f} ms, a share of "
                f"{_rounded_up(least / present)}; the target of {self._limit(present):.3f} ms cannot be reached, "
                "give a higher one or a smaller --multiple"
            )

    def _limit(self, present: float) -> float:
        return self._settings.milliseconds or present * self._settings.target

    def _times(self, model: keras.Model) -> tuple[float, float]:
        """Median milliseconds of the original and of a net."""
        times = times_in_turns({"original": self._original, "net": onnx_net(model)}, self._part)
        return times["original"].median_ms, times["net"].median_ms


def _rounded_up(share: float) -> str:
    return f"{math.ceil(share * 1000) / 1000:g}"


Goal = CountGoal | TimeGoal
"""What is to be reached; `cost` is what a cut is to save."""


def goal_for(path: Path, original: keras.Model, settings: PruneSettings, part: SplitData) -> Goal:
    """The goal that the settings name, for the model of a file; times are measured on images of `part`."""
    return TimeGoal(path, original, settings, part) if settings.by_time else CountGoal(path, original, settings)
