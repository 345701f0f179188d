"""The contest's score: accuracy and time as one number, lower is better."""

import math

from kerastrash.errors import ConfigError
from kerastrash.scoring.published import BASELINE_F1, BASELINE_TIME

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
