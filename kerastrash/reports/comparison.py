"""A comparison: a row for each model and one for each system over its seeds, for the terminal, as markdown, as CSV
files and as a picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from kerastrash.files import write_csv, write_json, write_text
from kerastrash.reports.pages import page
from kerastrash.reports.pictures import Dot, draw_dots
from kerastrash.reports.tables import PlainTable, number
from kerastrash.scoring import Reference

SeedRow = Mapping[str, Any]
"""One model by the columns of runs.csv; figures that there are not are None, and `reason` says why.

system, seed; status: `finished`, `failed`, `skipped` or `not run`; val_f1, test_f1: macro F1 on the two splits; ms,
p90_ms: median and 90th percentile of the milliseconds an image at batch 1, of the architecture; score; input_size in
pixels, parameters, macs, epochs; seconds that its last process took; the device that it was trained on; model, a path.
"""
SystemRow = Mapping[str, Any]
"""One system by the columns of comparison.csv: means over the seeds that finished.

name; kind: `trained`, `fine-tuned`, `distilled` or `pruned`; team: which of the contest's used it, None for ours; net,
input_size, epochs; seeds: how many finished; parameters, macs, val_f1, test_f1, ms, score, where lower is better;
test_f1_sd and score_sd: the sample's standard deviation of two or more; relative_time: share of the baseline's; status:
`finished`, or what became of its seeds, such as `finished, failed`; reason, note.
"""


@dataclass(frozen=True)
class Comparison:
    """All rows, the best system first, and what they were measured on."""

    folder: Path
    systems_file: Path
    data: dict[str, Any]
    """Settings of the data; `settings` are those of the comparison."""
    baseline: str | None
    """Name of the system that the others are scored against."""
    settings: dict[str, Any]
    environment: dict[str, Any]
    rows: tuple[SystemRow, ...]
    seed_rows: tuple[SeedRow, ...]
    reference: Reference | None = None
    """What systems are scored against; None where nothing could be measured of the baseline, or only trained."""
    conditions: str = ""
    """Runtime and device of the times."""
    splits: dict[str, int] = field(default_factory=dict)
    """Images of each split; empty where nothing was measured."""
    timed_images: int = 0
    classes: tuple[str, ...] = ()
    left_out: str = ""

    @property
    def failed(self) -> bool:
        """Whether a system, or a seed of one, has failed or was skipped."""
        return any(row["status"] in ("failed", "skipped") for row in self.seed_rows)


TABLE, MODELS, REPORT = "comparison.csv", "runs.csv", "comparison.json"
PAGE, PICTURE = "comparison.md", "comparison.png"
COLUMNS = ("system", "net", "team", "px", "epochs", "seeds", "parameters", "MMACs", "F1", "ms", "time", "score")
EXPLAINED = (
    "F1: macro, test split, mean ± standard deviation over the seeds. ms: median of one image at batch 1; time: as a "
    "share of the baseline's. Score, lower is better: 0.5 x time + sigmoid(20 x (baseline F1 - F1))."
)


def write_comparison(found: Comparison) -> list[str]:
    """Writes the tables and the picture into the run's folder and returns their names; no picture without a dot."""
    values = asdict(found)
    write_csv(found.folder / TABLE, found.rows)
    write_csv(found.folder / MODELS, found.seed_rows)
    kept = ("settings", "data", "environment", "reference", "conditions", "splits", "timed_images", "rows")
    report = {name: values[name] for name in kept} | {"runs": values["seed_rows"]}
    write_json(found.folder / REPORT, report)
    drawn = draw_tradeoff(found.rows, found.folder / PICTURE)
    write_text(found.folder / PAGE, comparison_page(found, drawn))
    return [TABLE, MODELS, REPORT, PAGE, *([PICTURE] if drawn else [])]


def comparison_tables(found: Comparison) -> Iterator[RenderableType]:
    """The table, then a sentence for everything that a reader of it has to know."""
    yield systems_table(found)
    yield from map(Text, sentences(found))
    for row in found.rows:
        if row["reason"]:
            yield Text.assemble((f"{row['name']}:", "red"), f" {row['reason']}")


def systems_table(found: Comparison) -> PlainTable:
    """A row for each system, the best one first."""
    marked = {index: row for index, row in enumerate(found.rows) if row["reason"] or row["team"]}
    styles = {index: "red" if row["reason"] else "cyan" for index, row in marked.items()}
    return PlainTable(COLUMNS, [cells(row) for row in found.rows], ("net",), str(found.folder), EXPLAINED, styles)


def cells(row: SystemRow) -> list[str]:
    """The cells of one system under COLUMNS."""
    val_f1 = number(row["val_f1"], ".4f")
    return [
        row["name"],
        row["net"] if row["kind"] == "trained" else f"{row['net']}, {row['kind']}",
        number(row["team"], "d"),
        number(row["input_size"], "d"),
        str(row["epochs"]),
        str(row["seeds"]),
        number(row["parameters"], ",.0f"),
        "" if row["macs"] is None else f"{row['macs'] / 1e6:,.1f}",
        _with_deviation(row["test_f1"], row["test_f1_sd"]) or (val_f1 and f"({val_f1} val)"),
        number(row["ms"], ".2f"),
        number(row["relative_time"], ".2f"),
        _with_deviation(row["score"], row["score_sd"]),
    ]


def _with_deviation(value: float | None, deviation: float | None) -> str:
    return number(value, ".4f") + ("" if deviation is None else f" ± {deviation:.4f}")


def sentences(found: Comparison) -> list[str]:
    """What the score is relative to, and how far the best of ours is from the best of the contest's teams."""
    if found.reference:
        lines = [f"Scored against {found.reference}."]
    elif found.splits:
        lines = [f"No scores: no model of the baseline {found.baseline} could be measured."]
    else:
        lines = ["Trained only: F1 on the validation split; the same command without --train-only measures."]
    scored = [row for row in found.rows if row["score"] is not None]
    ours, teams = ([row for row in scored if (row["team"] is None) is mine] for mine in (True, False))
    if ours and teams:
        our, their = ours[0], teams[0]
        lines.append(
            f"Best of ours: {our['name']}, score {our['score']:.4f}; best of the contest's teams: {their['name']}, "
            f"score {their['score']:.4f}; ours is {'lower' if our['score'] < their['score'] else 'higher'} by "
            f"{abs(their['score'] - our['score']):.4f}."
        )
    return lines


def draw_tradeoff(rows: Sequence[SystemRow], path: Path) -> bool:
    """Draws a dot for every system that has both an F1 and a time; False, and no file, where none has.

    Bars are the standard deviation of F1 over the seeds; the line joins the systems that no other one beats in both.
    """
    dots = [
        Dot(row["ms"], row["test_f1"], row["name"], int(row["team"] is not None), row["test_f1_sd"])
        for row in rows
        if row["test_f1"] is not None and row["ms"] is not None
    ]
    return draw_dots(path, dots, "F1 against time", ("ours", "the contest's teams"))


def comparison_page(found: Comparison, drawn: bool) -> str:
    """The page: table, picture, conditions, what failed, and the systems file."""
    return page(
        "comparison.md.j2",
        found=found,
        drawn=drawn,
        table=systems_table(found).markdown(),
        explained=EXPLAINED,
        sentences=sentences(found),
        seconds=sum(row["seconds"] or 0 for row in found.seed_rows),
    )
