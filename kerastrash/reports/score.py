"""A score, and what adjusting a classifier to its classes' frequencies did, as tables; the choice as a picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from kerastrash.data.records import count_reasons
from kerastrash.export.open_net import conditions
from kerastrash.reports.pictures import COLOURS, picture
from kerastrash.reports.tables import PlainTable, number
from kerastrash.scoring.adjustment import SHARES, Adjustment
from kerastrash.scoring.evaluate import Evaluation
from kerastrash.scoring.formula import MEASURED_ON, PUBLISHED_ROWS
from kerastrash.scoring.report import ScoreReport


def score_tables(report: ScoreReport) -> Iterator[RenderableType]:
    """The report's tables and sentences in reading order: accuracy, clocks and scores, reference, published rows."""
    yield Text(
        f"{report.model}: {number(report.parameters, ',', '-')} parameters, {report.input_size} px, "
        f"{report.images} images of {report.data} ({report.split})"
    )
    yield accuracy_table(report)
    yield clock_table(report)
    for clock in report.clocks:
        yield Text(f"reference of the {clock.clock} clock: {clock.reference}")
    if report.left_out:
        yield Text(f"{len(report.left_out)} entries of the data were left out: {count_reasons(report.left_out)}")
    yield published_table()


def accuracy_table(report: ScoreReport) -> PlainTable:
    """Images and F1 of every class, and macro F1."""
    evaluation = report.evaluation
    counts = evaluation.confusion.sum(axis=1)
    rows = [
        [name, str(images), f"{f1:.4f}"]
        for name, images, f1 in zip(report.classes, counts, evaluation.class_f1, strict=True)
    ]
    rows.append(["macro", str(counts.sum()), f"{evaluation.macro_f1:.4f}"])
    columns = ("class", "images", "F1")
    return PlainTable(columns, rows, text=("class",), styles={len(rows) - 1: "bold"}, summed=True)


def confusion_table(report: ScoreReport) -> PlainTable:
    """Images of every class by the class that they were given."""
    rows = zip(report.classes, report.evaluation.confusion.tolist(), strict=True)
    return PlainTable(("class", *report.classes), [[name, *map(str, counts)] for name, counts in rows], text=("class",))


def clock_table(report: ScoreReport) -> PlainTable:
    """Both clocks' times of model and baseline, and the score by each."""
    rows = []
    for clock in report.clocks:
        model = (clock.model, clock.seconds, f"{clock.score:.4f}")
        baseline = (clock.baseline, clock.baseline_seconds, "")
        for net, (timing, seconds, score) in {"model": model, "baseline": baseline}.items():
            percentiles = (f"{value:.2f}" for value in (timing.median_ms, timing.p90_ms, timing.p99_ms))
            opened = f"{timing.load_s:.2f}" if timing.load_s else ""
            rows.append([clock.clock, net, *percentiles, opened, f"{seconds:.2f}", score])
    here = conditions(report.runtime, report.device, report.threads)
    return PlainTable(
        ("clock", "net", "median ms", "p90 ms", "p99 ms", "open s", f"{report.images} images s", "score"),
        rows,
        text=("clock", "net"),
        title=f"Batch 1, {here}, {report.clocks[0].model.images} images timed",
        caption="total: the file opened, and for each image decode, pad, resize, inference. Lower scores are better.",
        styles={index: "bold" for index, row in enumerate(rows) if row[1] == "model"},
    )


def published_table() -> PlainTable:
    """The contest's nine rows, marked as not comparable with times measured elsewhere."""
    rows = [
        [row.name, row.net, number(row.input_size, "d"), number(row.epochs, "d")]
        + [f"{value:.4f}" for value in (row.score, row.f1, row.time)]
        for row in PUBLISHED_ROWS
    ]
    return PlainTable(
        ("row", "net", "input", "epochs", "score", "F1", "time s"),
        rows,
        text=("row", "net"),
        title="Published rows",
        caption=f"Measured on {MEASURED_ON}: not comparable with the times and F1 above.",
    )


def adjustment_table(adjustment: Adjustment, title: str) -> PlainTable:
    """Precision, recall and F1 of each class on the test split, before and after."""
    both = (adjustment.before, adjustment.after)
    figures = np.stack([_class_figures(evaluation) for evaluation in both], axis=2)
    rows = [
        [name, f"{frequency:.1%}", *(f"{value:.3f}" for value in values.ravel())]
        for name, frequency, values in zip(adjustment.classes, adjustment.frequencies, figures, strict=True)
    ]
    rows.append(["mean", *[""] * 5, *(f"{evaluation.macro_f1:.4f}" for evaluation in both)])
    headings = (f"{name}\n{when}" for name in ("precision", "recall", "F1") for when in ("before", "after"))
    columns = ("class", "training\nimages", *headings)
    return PlainTable(columns, rows, ("class",), title, _adjustment_caption(adjustment), summed=True)


def _class_figures(evaluation: Evaluation) -> np.ndarray:
    """(classes, 3) float64 in [0, 1]: precision, recall, F1; 0 where there is nothing to divide by."""
    right = np.diag(evaluation.confusion)
    named, there = (np.maximum(evaluation.confusion.sum(axis), 1) for axis in (0, 1))
    return np.stack([right / named, right / there, evaluation.class_f1], axis=1)


def _adjustment_caption(adjustment: Adjustment) -> str:
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
    with picture(path, 7, 4) as axes:
        axes.plot(SHARES, adjustment.val_f1, "o-", color=COLOURS[0], label="validation split, which decides")
        axes.plot(SHARES, adjustment.test_f1, "o-", color="lightgrey", label="test split")
        axes.axvline(adjustment.share, color=COLOURS[1], linestyle="--", label=f"chosen: {adjustment.share:+g}")
        axes.set(
            xlabel="share of log frequency added to a class's logit\n(left: towards rare classes, right: frequent)",
            ylabel="macro F1",
        )
        axes.legend(loc="best")
