"""report.md of a search: the best net, its score, how it was measured, all trials, the published rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerastrash.export.open_net import conditions
from kerastrash.files import write_text
from kerastrash.reports.trials import TrialRow, draw_trials, markdown_table, trials_markdown
from kerastrash.scoring.formula import MEASURED_ON, PUBLISHED_COLUMNS, PUBLISHED_ROWS
from kerastrash.scoring.report import ScoreReport

REPORT, PICTURE = "report.md", "trials.png"


def write_report(
    folder: Path,
    trials: Sequence[TrialRow],
    best: str,
    origin: str,
    score: ScoreReport,
    environment: dict[str, Any],
) -> None:
    """Writes report.md and trials.png into the run's folder; `origin` says where its model is from."""
    draw_trials(trials, best, folder / PICTURE)
    text = f"""# {folder.name}

{_origin(trials, best, origin)}
{_result(score)}

{_conditions(score, environment)}

{_clock_table(score)}
{chr(10).join(f"Reference of the {clock.clock} clock: {clock.reference}." for clock in score.clocks)}

| class | F1 |
| --- | --- |
{chr(10).join(f"| {name} | {f1:.4f} |" for name, f1 in zip(score.classes, score.evaluation.class_f1, strict=True))}

## Trials

Score and F1 on the validation split. Net: width (w), then depth (d) of a given net, or for each stage blocks x kernel,
expansion, squeeze-and-excite (se), hard-swish (hs). Recipe: peak learning rate, batch size, RandAugment operations,
loss.

![trials]({PICTURE})

{trials_markdown(trials)}
## Published rows

Measured on {MEASURED_ON}: not comparable with the figures above.

{markdown_table(PUBLISHED_COLUMNS, [row.cells() for row in PUBLISHED_ROWS])}"""
    write_text(folder / REPORT, text)


def _origin(trials: Sequence[TrialRow], best: str, origin: str) -> str:
    failed = sum(row["status"] == "failed" for row in trials)
    return f"Best of {len(trials)} trials ({failed} failed): trial {best}, in `best.keras` {origin}."


def _result(score: ScoreReport) -> str:
    return f"""{score.parameters:,} parameters at {score.input_size} px.
Macro F1 on the {score.images} images of the {score.part} split: **{score.evaluation.macro_f1:.4f}**;
score **{score.score:.4f}** (lower is better)."""


def _conditions(score: ScoreReport, environment: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    here = conditions(score.runtime, score.device, score.threads)
    return f"""Made by `{environment["command"]}`.
Measured at batch 1 with {here} (of {environment["cores"]} cores); Python {environment["python"]}, {versions}."""


def _clock_table(score: ScoreReport) -> str:
    rows = []
    for clock in score.clocks:
        nets = {"best.keras": (clock.model, clock.seconds), "baseline": (clock.baseline, clock.baseline_seconds)}
        for name, (timing, seconds) in nets.items():
            value = f"{clock.score:.4f}" if name == "best.keras" else ""
            rows.append([clock.clock, name, f"{timing.median_ms:.2f}", f"{timing.p90_ms:.2f}", f"{seconds:.2f}", value])
    return markdown_table(["clock", "net", "median ms", "p90 ms", f"{score.images} images s", "score"], rows)
