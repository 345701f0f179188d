"""The trials of a search as a table, for the terminal and for markdown, and as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table

from kerastrash.files import atomic_path

TrialRow = dict[str, Any]
COLUMNS = ("trial", "score", "F1", "ms", "params", "MMACs", "layers", "px", "epochs", "net", "recipe")
LOSSES = {"cross_entropy": "ce", "logit_adjusted": "adj", "class_balanced": "bal", "focal": "focal"}


def ranked(trials: Sequence[TrialRow]) -> list[TrialRow]:
    """Trials from the lowest score up; failed ones last."""
    return sorted(trials, key=lambda row: (row["status"] == "failed", row.get("score", 0)))


def cells(row: TrialRow) -> list[str]:
    """The cells of one trial under COLUMNS."""
    if row["status"] == "failed":
        figures = ["failed", *[""] * 5]
    else:
        figures = [
            f"{row['score']:.4f}",
            f"{row['f1']:.4f}",
            f"{row['time_ms']:.2f}",
            f"{row['parameters']:,}",
            f"{row['macs'] / 1e6:.1f}",
            str(row["layers"]),
        ]
    shape = row["reason"] if row["status"] == "failed" else describe_net(row)
    return [row["trial"], *figures, str(row["input_size"]), str(row["epochs"]), shape, describe_recipe(row)]


def describe_net(row: TrialRow) -> str:
    """In one line: width, then a given net's depth, or repeats x kernel, expansion and extras of each stage."""
    if "stages" not in row:
        return f"w{row['width']:g} d{row['depth']:g}"
    stages = []
    for stage in range(row["stages"]):
        extras = ("se" if row[f"squeeze_excite_{stage}"] else "") + ("hs" if row[f"hard_swish_{stage}"] else "")
        repeats, kernel, expansion = (row[f"{name}_{stage}"] for name in ("repeats", "kernel", "expansion"))
        stages.append(f"{repeats}xk{kernel}e{expansion:g}{extras}")
    return f"w{row['width']:g} " + " ".join(stages)


def describe_recipe(row: TrialRow) -> str:
    """The searched part of the recipe in one line."""
    return f"lr {row['learning_rate']:.3f} b{row['batch_size']} aug{row['n_select']} {LOSSES[row['loss']]}"


def trials_table(trials: Sequence[TrialRow], best: str, most: int = 12) -> Table:
    """The first `most` trials by score, the best one highlighted, failed ones red and always shown."""
    rows = ranked(trials)
    shown = [row for place, row in enumerate(rows) if place < most or row["status"] == "failed"]
    hidden = len(rows) - len(shown)
    caption = "score and F1 on the validation split, lower scores are better; ms: batch 1, median"
    table = Table(title="Trials", caption=caption + (f"; {hidden} more in trials.csv" if hidden else ""))
    for name in COLUMNS:
        text = name in ("trial", "net", "recipe")
        table.add_column(name, justify="left" if text else "right", overflow="fold", no_wrap=not text)
    for row in shown:
        style = "bold green" if row["trial"] == best else "red" if row["status"] == "failed" else None
        table.add_row(*(escape(cell) for cell in cells(row)), style=style)
    return table


def trials_markdown(trials: Sequence[TrialRow]) -> str:
    """All trials by score as a markdown table."""
    return markdown_table(COLUMNS, [cells(row) for row in ranked(trials)])


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table; bars inside cells are escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines) + "\n"


def draw_trials(trials: Sequence[TrialRow], best: str, path: Path) -> None:
    """Validation macro F1 against milliseconds an image, a dot a trial, coloured by score, the best one ringed."""
    rows = [row for row in trials if row["status"] == "finished"]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    dots = axes.scatter(
        [row["time_ms"] for row in rows],
        [row["f1"] for row in rows],
        c=[row["score"] for row in rows],
        s=[20 + 10 * row["epochs"] for row in rows],
        cmap="viridis_r",
        edgecolors="black",
        linewidths=0.5,
    )
    for row in rows:
        if row["trial"] == best:
            axes.scatter(row["time_ms"], row["f1"], s=320, facecolors="none", edgecolors="tab:red", linewidths=2)
            axes.annotate(f"best: {best}", (row["time_ms"], row["f1"]), xytext=(12, -14), textcoords="offset points")
    figure.colorbar(dots, label="score (lower is better)")
    axes.set(
        xlabel="milliseconds an image, batch 1", ylabel="macro F1, validation", title="Trials (size: epochs trained)"
    )
    axes.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
