"""What adjusting a classifier to its classes' frequencies did: a table of the classes, and a picture of the choice."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table

from kerastrash.files import atomic_path
from kerastrash.scoring.adjustment import SHARES, Adjustment
from kerastrash.scoring.evaluate import Evaluation


def adjustment_table(adjustment: Adjustment, title: str) -> Table:
    """Precision, recall and F1 of each class on the test split, before and after."""
    table = Table(title=escape(title), caption=escape(_caption(adjustment)))
    table.add_column("class")
    for heading in ("training\nimages", *(f"{name}\n{when}" for name in FIGURES for when in ("before", "after"))):
        table.add_column(heading, justify="right")
    for place, name in enumerate(adjustment.classes):
        figures = zip(*(_class_figures(each)[place] for each in (adjustment.before, adjustment.after)), strict=True)
        cells = [f"{value:.3f}" for pair in figures for value in pair]
        table.add_row(escape(name), f"{adjustment.frequencies[place]:.1%}", *cells)
    table.add_section()
    means = (f"{each.macro_f1:.4f}" for each in (adjustment.before, adjustment.after))
    table.add_row("mean", "", *[""] * 4, *means)
    return table


FIGURES = ("precision", "recall", "F1")


def _class_figures(evaluation: Evaluation) -> np.ndarray:
    """(classes, 3) float64 in [0, 1]: precision, recall, F1; 0 where there is nothing to divide by."""
    right = np.diag(evaluation.confusion)
    named, there = (np.maximum(evaluation.confusion.sum(axis), 1) for axis in (0, 1))
    return np.stack([right / named, right / there, evaluation.class_f1], axis=1)


def _caption(adjustment: Adjustment) -> str:
    before, after = adjustment.val_f1[SHARES.index(0)], adjustment.val_f1[adjustment.chosen]
    change = f"from {before:.4f} to {after:.4f}" if adjustment.share else f"as it was, {before:.4f}"
    return (
        f"test split; {adjustment.share:+g} x log frequency added to each logit, chosen by macro F1 on the validation "
        f"split: {change}"
    )


def adjustment_json(adjustment: Adjustment, **origin: Any) -> dict[str, Any]:
    """The content of `adjust.json`: where the model came from, what was tried and what was chosen."""
    tried = zip(SHARES, adjustment.val_f1, adjustment.test_f1, strict=True)
    confusions = {"before": adjustment.before, "after": adjustment.after}
    return {
        **origin,
        "share": adjustment.share,
        "frequencies": dict(zip(adjustment.classes, adjustment.frequencies, strict=True)),
        "tried": [{"share": share, "val_f1": val, "test_f1": test} for share, val, test in tried],
        "test_confusion": {name: each.confusion.tolist() for name, each in confusions.items()},
    }


def draw_adjustment(adjustment: Adjustment, path: Path) -> None:
    """Macro F1 of both splits by the share of the log frequencies, and the share that was chosen."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(SHARES, adjustment.val_f1, marker="o", color="tab:blue", label="validation split, which decides")
    axes.plot(SHARES, adjustment.test_f1, marker="o", color="lightgrey", label="test split")
    axes.axvline(adjustment.share, color="tab:orange", linestyle="--", label=f"chosen: {adjustment.share:+g}")
    axes.set(
        xlabel="share of log frequency added to a class's logit\n(left: towards rare classes, right: frequent ones)",
        ylabel="macro F1",
    )
    axes.legend(loc="best")
    axes.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
