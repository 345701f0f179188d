"""How good and how fast a net is, as one number.

The formula and the published rows are here; the clocks, runtimes, evaluation and the whole report are in the modules of
those names, which read data and so import more.
"""

from kerastrash.scoring.formula import (
    BASELINE_F1,
    BASELINE_TIME,
    PUBLISHED_REFERENCE,
    PUBLISHED_ROWS,
    PublishedRow,
    Reference,
    measured_reference,
    score,
)

__all__ = [
    "BASELINE_F1",
    "BASELINE_TIME",
    "PUBLISHED_REFERENCE",
    "PUBLISHED_ROWS",
    "PublishedRow",
    "Reference",
    "measured_reference",
    "score",
]
