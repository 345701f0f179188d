"""What a score is relative to: the contest's published baseline, or a net timed on this device in the same run."""

from dataclasses import dataclass
from typing import Literal

from kerastrash.scoring.formula import score
from kerastrash.scoring.published import BASELINE_F1, BASELINE_TIME

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


def measured_reference(baseline_time: float, measured_as: str, baseline_f1: float, f1_source: str) -> Reference:
    """A baseline timed here: `baseline_time` in seconds for the test set, `measured_as` names net, runtime, threads."""
    return Reference(baseline_f1, baseline_time, f1_source, f"{MEASURED}: {measured_as}")


def reference_for(
    kind: ReferenceKind, baseline_time: float, measured_as: str, baseline_f1: float, f1_source: str
) -> Reference:
    """The published constants, or the baseline measured here."""
    if kind == "published":
        return PUBLISHED_REFERENCE
    return measured_reference(baseline_time, measured_as, baseline_f1, f1_source)
