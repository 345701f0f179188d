"""What a functional model costs for any widths, and how many cuts bring it to a target.

Multiply-accumulates and parameters come from the layers: each weighted layer costs `unit x channels that enter x
channels that leave`, where a depthwise convolution and a vector of weights (biases, batch norms) count as if one
channel entered. Milliseconds are measured.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from keras import layers

from kerastrash.compress.channels import ChannelGroups, WeightedLayer, channel_groups
from kerastrash.compress.config import PruneSettings
from kerastrash.console import console
from kerastrash.data import SplitData
from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.format import OpenNet
from kerastrash.export.writing import open_as
from kerastrash.scoring.clocks import Timing, inference_times, spread

Cost = Literal["macs", "parameters"]


def model_macs(model: keras.Model) -> int:
    """Multiply-accumulates of one image: convolutions and dense layers, as papers count; `kerastrash.models.macs`.

    Raises:
        ModelError: the model is no functional one, or has a layer that is not understood.
    """
    return RunningCosts(channel_groups(model), "macs").total


def model_parameters(model: keras.Model) -> int:
    """Trainable parameters, frozen or not, as `kerastrash.models.parameters` counts; raises as `model_macs`."""
    return RunningCosts(channel_groups(model), "parameters").total


class RunningCosts:
    """What a net costs while its sets of groups narrow, and what each further cut would save.

    The groups of a set pass the same layers, each in the same number of channels: so counts are enough.
    """

    def __init__(self, groups: ChannelGroups, cost: Cost) -> None:
        single = np.array([groups.count])  # a channel of no group
        terms = [term for one in groups.layers for term in _terms(one, cost, single)]
        self._units = np.array([unit for unit, _, _ in terms], "int64")
        self._entering, self._per_entering = _counts([entering for _, entering, _ in terms], groups)
        self._leaving, self._per_leaving = _counts([leaving for _, _, leaving in terms], groups)

    @property
    def total(self) -> int:
        """What the net costs as it stands."""
        return int((self._units * self._entering * self._leaving).sum())

    def saved(self, cuts: np.ndarray) -> np.ndarray:
        """Int64 (sets,): what each set would save alone if `cuts`, int (sets,), of its groups went."""
        entering = self._entering - cuts[:, None] * self._per_entering
        leaving = self._leaving - cuts[:, None] * self._per_leaving
        return self.total - (self._units * entering * leaving).sum(axis=1)

    def remove(self, number: int, cut: int) -> None:
        """Takes `cut` groups out of the set of that number."""
        self._entering -= cut * self._per_entering[number]
        self._leaving -= cut * self._per_leaving[number]


def _terms(one: WeightedLayer, cost: Cost, single: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """The products of a layer: the unit, the channels that enter and those that leave."""
    if one.makes_channels:  # a kernel is (height, width, in, out), that of a dense layer (in, out)
        area = int(np.prod(one.layer.kernel.shape[:-2], dtype=int))
        entering = single if isinstance(one.layer, layers.DepthwiseConv2D) else one.entering
        yield area * (one.pixels if cost == "macs" else 1), entering, one.leaving
    if cost == "parameters":
        vectors = one.layer.use_bias if one.makes_channels else one.layer.scale + one.layer.center
        yield int(vectors), single, one.leaving


def _counts(terms: Sequence[np.ndarray], groups: ChannelGroups) -> tuple[np.ndarray, np.ndarray]:
    """Int64 (terms,): the channels of each; and (sets, terms): how many of them each group of a set has."""
    counts = np.array([np.bincount(channels, minlength=groups.count + 1) for channels in terms], "int64")
    first_of_each_set = [members[0] for members in groups.sets]
    return counts.sum(axis=1), counts[:, first_of_each_set].T


def times_in_turns(nets: Mapping[str, OpenNet], part: SplitData) -> dict[str, Timing]:
    """Times nets in turns on the same images, at most 100 of a part."""
    images = np.asarray(part.images[np.asarray(part.indices)[spread(len(part), 100)]])
    return inference_times(nets, dict.fromkeys(nets, images))


class CountGoal:
    """A share of the original's multiply-accumulates or parameters."""

    def __init__(self, path: Path, original: keras.Model, settings: PruneSettings) -> None:
        self.cost: Cost = settings.measure
        self._path, self._target = path, settings.target
        self._present = (model_macs if self.cost == "macs" else model_parameters)(original)

    def enough(self, costs: np.ndarray, after: Callable[[int], keras.Model], done: float) -> int:
        """The fewest cuts that reach the goal of a round, which ends with `done`, in (0, 1], of the way behind it.

        Args:
            costs: (cuts + 1,) what the net costs after none, one, two ... of them.
            after: builds the net after so many.

        Raises:
            ModelError: all cuts together would not reach the last round's goal.
        """
        least = int(costs[-1])
        if least > self._present * self._target:
            raise ModelError(
                f"{self._path}: at its narrowest it has {least:,} of {self._present:,} {self.cost}, a share of "
                f"{_rounded_up(least / self._present)}; give that --target, not {self._target:g}, or a smaller "
                "--multiple"
            )
        return int(np.argmax(costs <= self._present * self._target**done))


class TimeGoal:
    """Milliseconds an image, or a share of the original's: both are timed in turns."""

    cost: Cost = "macs"

    def __init__(self, path: Path, original: keras.Model, settings: PruneSettings, part: SplitData) -> None:
        self._path, self._original = path, open_as(original, "onnx")
        self._settings, self._part = settings, part

    def enough(self, costs: np.ndarray, after: Callable[[int], keras.Model], done: float) -> int:
        """The fewest cuts, as of a `CountGoal`, found by halves: a dozen nets are timed.

        Raises:
            ConfigError: the original is as fast as asked.
            ModelError: as of a `CountGoal`.
        """
        cuts = range(len(costs) - 1)
        present, least = self._times(after(len(cuts)))
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

        def reached(count: int) -> bool:
            present, found = self._times(after(count))
            limit = present ** (1 - done) * self._limit(present) ** done
            console.print(f"{count} cuts: {found:.3f} ms, wanted {limit:.3f} ms", highlight=False)
            return found <= limit

        return bisect_left(cuts, True, key=reached)

    def _limit(self, present: float) -> float:
        return self._settings.milliseconds or present * self._settings.target

    def _times(self, model: keras.Model) -> tuple[float, float]:
        """Median milliseconds of the original and of a net."""
        times = times_in_turns({"original": self._original, "net": open_as(model, "onnx")}, self._part)
        return times["original"].median_ms, times["net"].median_ms


def _rounded_up(share: float) -> str:
    return f"{math.ceil(share * 1000) / 1000:g}"
