"""Pictures of a run, drawn by matplotlib without a display."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from kerastrash.files import atomic_path
from kerastrash.reports.trials import TrialRow


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
