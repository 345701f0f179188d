"""A comparison: a row for each model and one for each system over its seeds, for the terminal, as markdown, as CSV
files and as a picture."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from kerastrash.files import write_csv, write_json, write_text
from kerastrash.reports.pictures import Dot, draw_dots
from kerastrash.reports.tables import PlainTable, markdown_page, number
from kerastrash.scoring import Reference


@dataclass(frozen=True)
class SeedRow:
    """One model; figures that there are not are None, and `reason` says why."""

    system: str
    seed: int
    status: str
    """`finished`, `failed`, `skipped` or `not run`."""
    val_f1: float | None
    """Macro F1 on the validation split."""
    test_f1: float | None
    ms: float | None
    """Median milliseconds an image at batch 1, of the architecture."""
    p90_ms: float | None
    score: float | None
    parameters: int | None
    macs: int | None
    epochs: int | None
    seconds: float | None
    """How long its last process took."""
    device: str
    """What it was trained on."""
    model: str
    reason: str


@dataclass(frozen=True)
class SystemRow:
    """One system: means over the seeds that finished, and `_sd`, the sample's standard deviation of two or more."""

    name: str
    kind: str
    """`trained`, `fine-tuned`, `distilled` or `pruned`."""
    team: int | None
    """Which of the contest's teams used it; None for ours."""
    net: str
    input_size: int | None
    epochs: int
    seeds: int
    """How many finished."""
    parameters: int | None
    macs: int | None
    val_f1: float | None
    test_f1: float | None
    test_f1_sd: float | None
    ms: float | None
    relative_time: float | None
    """Share of the baseline's."""
    score: float | None
    """Lower is better."""
    score_sd: float | None
    status: str
    """`finished`, or what became of its seeds, such as `finished, failed`."""
    reason: str
    note: str


@dataclass(frozen=True)
class Comparison:
    """All rows, the best system first, and what they were measured on."""

    folder: Path
    systems_file: Path
    data: dict[str, Any]
    """Settings of the data."""
    baseline: str | None
    """Name of the system that the others are scored against."""
    settings: dict[str, Any]
    """Settings of the comparison."""
    environment: dict[str, Any]
    rows: tuple[SystemRow, ...]
    seed_rows: tuple[SeedRow, ...]
    reference: Reference | None = None
    """What systems are scored against; None where nothing could be measured of the baseline, or only trained."""
    conditions: str = ""
    """Runtime and device of the times."""
    splits: dict[str, int] = dataclasses.field(default_factory=dict)
    """Images of each split; empty where nothing was measured."""
    timed_images: int = 0
    classes: tuple[str, ...] = ()
    left_out: str = ""
    """What of the data could not be used."""

    @property
    def devices(self) -> list[str]:
        """What the models were trained on."""
        return list(dict.fromkeys(row.device for row in self.seed_rows if row.device))

    @property
    def failed(self) -> bool:
        """Whether a system, or a seed of one, has failed or was skipped."""
        return any(row.status in ("failed", "skipped") for row in self.seed_rows)


def ranked(rows: Sequence[SystemRow]) -> list[SystemRow]:
    """The rows from the lowest score up, then by F1; those without either at the end."""
    return sorted(rows, key=lambda row: (row.score is None, row.score or 0, -(row.test_f1 or row.val_f1 or 0)))


TABLE, MODELS, REPORT, PAGE, PICTURE = (
    *("comparison.csv", "runs.csv", "comparison.json"),
    *("comparison.md", "comparison.png"),
)
COLUMNS = (
    *("system", "net", "team", "px", "epochs", "seeds", "parameters", "MMACs"),
    *("F1", "ms", "time", "score"),
)
GROUPS = ("ours", "the contest's teams")
EXPLAINED = (
    "F1: macro, test split, mean ± standard deviation over the seeds. ms: median of one image at batch 1; time: as a "
    "share of the baseline's. Score, lower is better: 0.5 x time + sigmoid(20 x (baseline F1 - F1))."
)


def write_comparison(found: Comparison) -> list[str]:
    """Writes the tables and the picture into the run's folder and returns their names; no picture without a dot."""
    columns = {kind: [field.name for field in dataclasses.fields(kind)] for kind in (SystemRow, SeedRow)}
    rows = [dataclasses.asdict(row) for row in found.rows]
    models = [dataclasses.asdict(row) for row in found.seed_rows]
    write_csv(found.folder / TABLE, rows, columns[SystemRow])
    write_csv(found.folder / MODELS, models, columns[SeedRow])
    report = {
        "settings": found.settings,
        "data": found.data,
        "environment": found.environment,
        "reference": dataclasses.asdict(found.reference) if found.reference else None,
        "conditions": found.conditions,
        "splits": found.splits,
        "timed_images": found.timed_images,
        "rows": rows,
        "runs": models,
    }
    write_json(found.folder / REPORT, report)
    drawn = draw_tradeoff(found.rows, found.folder / PICTURE)
    write_text(found.folder / PAGE, comparison_markdown(found, drawn))
    return [TABLE, MODELS, REPORT, PAGE, *([PICTURE] if drawn else [])]


def comparison_tables(found: Comparison) -> Iterator[RenderableType]:
    """The table, then a sentence for everything that a reader of it has to know."""
    yield systems_table(found)
    yield from map(Text, sentences(found))
    for name, reason in failures(found.rows):
        yield Text.assemble((f"{name}:", "red"), f" {reason}")


def systems_table(found: Comparison) -> PlainTable:
    """A row for each system, the best one first."""
    return PlainTable(
        COLUMNS,
        [cells(row) for row in found.rows],
        text=("system", "net"),
        title=str(found.folder),
        caption=EXPLAINED,
        styles={
            index: "red" if row.reason else "cyan" for index, row in enumerate(found.rows) if row.reason or row.team
        },
    )


def cells(row: SystemRow) -> list[str]:
    """The cells of one system under COLUMNS."""
    return [
        row.name,
        row.net if row.kind == "trained" else f"{row.net}, {row.kind}",
        number(row.team, "d"),
        number(row.input_size, "d"),
        str(row.epochs),
        str(row.seeds),
        number(row.parameters, ",.0f"),
        "" if row.macs is None else f"{row.macs / 1e6:,.1f}",
        _with_deviation(row.test_f1, row.test_f1_sd) or (f"({row.val_f1:.4f} val)" if row.val_f1 is not None else ""),
        number(row.ms, ".2f"),
        number(row.relative_time, ".2f"),
        _with_deviation(row.score, row.score_sd),
    ]


def _with_deviation(value: float | None, deviation: float | None) -> str:
    return number(value, ".4f") + ("" if deviation is None else f" ± {deviation:.4f}")


def sentences(found: Comparison) -> list[str]:
    """What the score is relative to, and how far the best of ours is from the best of the contest's teams."""
    lines = []
    if found.reference:
        lines.append(f"Scored against {found.reference}.")
    elif found.splits:
        lines.append(f"No scores: no model of the baseline {found.baseline} could be measured.")
    else:
        lines.append("Trained only: F1 on the validation split; the same command without --train-only measures.")
    scored = [row for row in found.rows if row.score is not None]
    ours, teams = ([row for row in scored if (row.team is None) is mine] for mine in (True, False))
    if ours and teams:
        lines.append(
            f"Best of ours: {ours[0].name}, score {ours[0].score:.4f}; best of the contest's teams: {teams[0].name}, "
            f"score {teams[0].score:.4f}; ours is {'lower' if ours[0].score < teams[0].score else 'higher'} by "
            f"{abs(teams[0].score - ours[0].score):.4f}."
        )
    return lines


def failures(rows: Sequence[SystemRow]) -> list[tuple[str, str]]:
    """Name and reason of every system that has not finished with all of its seeds."""
    return [(row.name, row.reason) for row in rows if row.reason]


def draw_tradeoff(rows: Sequence[SystemRow], path: Path) -> bool:
    """Draws a dot for every system that has both an F1 and a time; False, and no file, where none has.

    Bars are the standard deviation of F1 over the seeds; the line joins the systems that no other one beats in both.
    """
    dots = [
        Dot(row.ms, row.test_f1, row.name, int(row.team is not None), row.test_f1_sd)
        for row in rows
        if row.test_f1 is not None and row.ms is not None
    ]
    return draw_dots(path, dots, "F1 against time", GROUPS)


def comparison_markdown(found: Comparison, drawn: bool) -> str:
    """The page: table, picture, conditions, what failed, and the systems file."""
    bad = [f"- {name}: {reason}" for name, reason in failures(found.rows)]
    return markdown_page(
        f"# {found.folder.name}",
        systems_table(found).markdown(),
        EXPLAINED,
        *sentences(found),
        f"![F1 against time]({PICTURE})" if drawn else "",
        "## Conditions",
        *_conditions(found),
        "## Not finished" if bad else "",
        "\n".join(bad),
        "## Systems file",
        f"```yaml\n{found.systems_file.read_text(encoding='utf-8').strip()}\n```",
    )


def _conditions(found: Comparison) -> Iterator[str]:
    environment = found.environment
    versions = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    minutes = sum(row.seconds or 0 for row in found.seed_rows) / 60
    yield f"Made by `{environment['command']}`."
    splits = ", ".join(f"{count} {name}" for name, count in found.splits.items())
    yield f"Data: {found.data['data']}: {splits} images of {len(found.classes)} classes."
    if found.left_out:
        yield f"Left out of the data: {found.left_out}."
    yield f"Trained on {' and '.join(found.devices) or 'nothing'} in {minutes:.0f} min altogether."
    yield (
        f"Timed with {found.conditions} (of {environment['cores']} cores), {found.timed_images} images at batch 1 in "
        f"{found.settings['clock']['blocks']} blocks, all nets in one run."
    )
    yield f"Python {environment['python']}, {versions}."
