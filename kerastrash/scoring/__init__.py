"""How good and how fast a net is, as one number, lower is better: the contest's formula, published rows and baselines.

The clocks, the evaluation, the benchmark and the report are in the modules of those names, which import more.
"""

import math
from dataclasses import dataclass
from typing import Literal

from kerastrash.errors import ConfigError

BASELINE_F1 = 0.7
BASELINE_TIME = 43.17
"""Seconds; with 0.7 it gives back all nine scores within 0.002, and all but the first within 0.0005."""

MEASURED_ON = "a V100 with the contest's own test set"


@dataclass(frozen=True)
class PublishedRow:
    """One row of the reports; `input_size` in pixels and `epochs` are None where the report does not give them."""

    name: str
    net: str
    input_size: int | None
    epochs: int | None
    score: float
    f1: float
    time: float
    """Seconds for the contest's test set at batch 1."""


PUBLISHED_ROWS = (
    PublishedRow("1", "mobilenetv3_179", 224, 100, 1.5460, 0.6880, 84.9850),
    PublishedRow("2", "mobilenetv3_163", 224, 100, 1.7950, 0.6530, 92.9260),
    PublishedRow("3", "mobilenetv3_79", 156, 100, 1.2950, 0.6870, 63.0780),
    PublishedRow("4", "mobilenetv3_79", 156, 150, 1.1732, 0.7005, 58.3412),
    PublishedRow("5", "mobilenetv3_79", 156, 200, 1.1676, 0.7012, 58.1225),
    PublishedRow("private of 5", "mobilenetv3_79", 156, 200, 1.1804, 0.6986, 58.1225),
    PublishedRow("target", "none", None, None, 1.1950, 0.7000, 60.0000),
    PublishedRow("second team, public", "resnet18d, pretrained", None, None, 0.9875, 0.7478, 61.2576),
    PublishedRow("second team, private", "resnet18d, pretrained", None, None, 0.9710, 0.7520, 61.2576),
)

STEEPNESS = 20
"""How fast the accuracy half falls with macro F1: 0.05 above the baseline is worth 0.23."""


def score(f1: float, time: float, baseline_f1: float = BASELINE_F1, baseline_time: float = BASELINE_TIME) -> float:
    """0.5 * time / baseline_time + sigmoid(20 * (baseline_f1 - f1)), the contest's formula; lower is better.

    Args:
        f1: macro F1 on the test set, in [0, 1].
        time: seconds that the test set takes at batch size 1.
        baseline_f1, baseline_time: the same two of the net compared with.

    Returns:
        Above 0; exactly 1 for the baseline itself.

    Raises:
        ConfigError: an F1 outside [0, 1], or a time that is not finite and above 0.
    """
    for name, value in (("f1", f1), ("baseline_f1", baseline_f1)):
        if not 0 <= value <= 1:
            raise ConfigError(f"{name}={value} is no macro F1: give a number from 0 to 1")
    for name, value in (("time", time), ("baseline_time", baseline_time)):
        if not 0 < value < math.inf:
            raise ConfigError(f"{name}={value} is no time: give seconds, finite and above 0")
    return 0.5 * time / baseline_time + 1 / (1 + math.exp(STEEPNESS * (f1 - baseline_f1)))


ReferenceKind = Literal["published", "measured"]
PUBLISHED, GIVEN, MEASURED = "published", "given", "measured here"


@dataclass(frozen=True)
class Reference:
    """The two constants of the formula, and where each came from in words."""

    baseline_f1: float
    baseline_time: float
    """Seconds for the test set at batch size 1."""
    f1_source: str
    time_source: str

    def score(self, f1: float, time: float) -> float:
        """The formula against this baseline; raises ConfigError as `kerastrash.score` does."""
        return score(f1, time, self.baseline_f1, self.baseline_time)

    def __str__(self) -> str:
        return (
            f"baseline F1 {self.baseline_f1:.4f} ({self.f1_source}), "
            f"baseline time {self.baseline_time:.4f} s ({self.time_source})"
        )


PUBLISHED_REFERENCE = Reference(BASELINE_F1, BASELINE_TIME, PUBLISHED, PUBLISHED)


def reference_for(
    kind: ReferenceKind, baseline_time: float, measured_as: str, baseline_f1: float, f1_source: str
) -> Reference:
    """The published constants, or a baseline timed here, in seconds for the test set; `measured_as` says how."""
    if kind == "published":
        return PUBLISHED_REFERENCE
    return Reference(baseline_f1, baseline_time, f1_source, f"{MEASURED}: {measured_as}")
