"""report.md of a run, with its pictures: the net, its score and predictions, its training, the trials of a search."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerastrash.export.format import conditions
from kerastrash.files import read_csv, write_text
from kerastrash.reports.pages import page
from kerastrash.reports.pictures import COLOURS, picture
from kerastrash.reports.scoring import accuracy_table, clock_table, confusion_table, published_table
from kerastrash.reports.sheets import draw_predictions
from kerastrash.reports.tables import PlainTable, ranked
from kerastrash.runs import environment
from kerastrash.scoring import MEASURED_ON
from kerastrash.scoring.report import ScoreReport
from kerastrash.training.checkpoint import METRICS

REPORT, PREDICTIONS, TRAINING, TRIALS = "report.md", "predictions.png", "training.png", "trials.png"
TrialRow = Mapping[str, Any]
COLUMNS = ("trial", "score", "F1", "ms", "params", "MMACs", "layers", "px", "epochs", "net", "recipe")
LOSSES = {"cross_entropy": "ce", "logit_adjusted": "adj", "class_balanced": "bal", "focal": "focal"}


def write_report(
    folder: Path, score: ScoreReport, origin: str, trials: Sequence[TrialRow] = (), best: str = ""
) -> None:
    """Writes report.md and its pictures: predictions.png, training.png of the run's metrics.csv, trials.png.

    Args:
        origin: a sentence that says where the net is from.
        trials: all rows of a search; `best` is the name of the one that the net is from.
    """
    draw_predictions(score.examples, score.evaluation, score.classes, folder / PREDICTIONS)
    trained = draw_training(read_csv(folder / METRICS), folder / TRAINING)
    tables = {
        "clocks": clock_table(score),
        "accuracy": accuracy_table(score),
        "confusion": confusion_table(score),
        "published": published_table(),
    }
    if trials:
        draw_trials(trials, best, folder / TRIALS)
        tables["trials"] = PlainTable(COLUMNS, [cells(row) for row in ranked(trials)])
    text = page(
        "report.md.j2",
        folder=folder,
        origin=origin,
        score=score,
        here=environment(),
        measured=conditions(score.runtime, score.device, score.threads),
        measured_on=MEASURED_ON,
        wrong=int((score.evaluation.labels != score.evaluation.predicted).sum()),
        tables={name: table.markdown() for name, table in tables.items()},
        trained=trained,
        trials=trials,
        failed=sum(map(_failed, trials)),
    )
    write_text(folder / REPORT, text)


def _failed(row: TrialRow) -> bool:
    return row["status"] == "failed"


def trials_table(trials: Sequence[TrialRow], best: str, most: int = 12) -> PlainTable:
    """The first `most` trials by score, the best one highlighted, failed ones red and always shown."""
    shown = [row for index, row in enumerate(ranked(trials)) if index < most or _failed(row)]
    hidden = len(trials) - len(shown)
    caption = "score and F1 on the validation split, lower scores are better; ms: batch 1, median"
    marked = {index: row for index, row in enumerate(shown) if _failed(row) or row["trial"] == best}
    return PlainTable(
        COLUMNS,
        [cells(row) for row in shown],
        text=("net", "recipe"),
        title="Trials",
        caption=caption + (f"; {hidden} more in trials.csv" if hidden else ""),
        styles={index: "red" if _failed(row) else "bold green" for index, row in marked.items()},
    )


def cells(row: TrialRow) -> list[str]:
    """The cells of one trial under COLUMNS."""
    if _failed(row):
        figures, net = ["failed", *[""] * 5], row["reason"]
    else:
        figures = [f"{row['score']:.4f}", f"{row['f1']:.4f}", f"{row['time_ms']:.2f}", f"{row['parameters']:,}"]
        figures += [f"{row['macs'] / 1e6:.1f}", str(row["layers"])]
        net = describe_net(row)
    recipe = f"lr {row['learning_rate']:.3f} b{row['batch_size']} aug{row['n_select']} {LOSSES[row['loss']]}"
    return [row["trial"], *figures, str(row["input_size"]), str(row["epochs"]), net, recipe]


def describe_net(row: TrialRow) -> str:
    """The net in one line: width, then a given net's depth, or repeats x kernel, expansion and extras by stage."""
    if "stages" not in row:
        return f"w{row['width']:g} d{row['depth']:g}"
    stages = []
    for stage in range(row["stages"]):
        extras = ("se" if row[f"squeeze_excite_{stage}"] else "") + ("hs" if row[f"hard_swish_{stage}"] else "")
        repeats, kernel, expansion = (row[f"{name}_{stage}"] for name in ("repeats", "kernel", "expansion"))
        stages.append(f"{repeats}xk{kernel}e{expansion:g}{extras}")
    return f"w{row['width']:g} " + " ".join(stages)


def draw_trials(trials: Sequence[TrialRow], best: str, path: Path) -> None:
    """Validation macro F1 against milliseconds an image, a dot a trial, coloured by score, the best one ringed."""
    rows = [row for row in trials if row["status"] == "finished"]
    times, f1 = [row["time_ms"] for row in rows], [row["f1"] for row in rows]
    with picture(path, 7, 4.5) as axes:
        sizes, scores = [20 + 10 * row["epochs"] for row in rows], [row["score"] for row in rows]
        dots = axes.scatter(times, f1, s=sizes, c=scores, cmap="viridis_r", edgecolors="black", linewidths=0.5)
        for spot in ((row["time_ms"], row["f1"]) for row in rows if row["trial"] == best):
            axes.scatter(*spot, s=320, facecolors="none", edgecolors="tab:red", linewidths=2)
            axes.annotate(f"best: {best}", spot, xytext=(12, -14), textcoords="offset points")
        axes.figure.colorbar(dots, label="score (lower is better)")
        axes.set(xlabel="milliseconds an image, batch 1", ylabel="macro F1, validation")
        axes.set_title("Trials (size: epochs trained)")


def draw_training(metrics: Sequence[Mapping[str, str]], path: Path) -> bool:
    """Loss and macro F1 by epoch, from the rows of metrics.csv; False, and no file, without any."""
    if not metrics:
        return False
    epochs = [int(row["epoch"]) for row in metrics]
    with picture(path, 7, 4) as axes:
        right = axes.twinx()
        for name, label, style in (("loss", "loss, training", "--"), ("val_loss", "loss, validation", "-")):
            axes.plot(epochs, [float(row[name]) for row in metrics], style, color="grey", label=label)
        f1 = [float(row["val_macro_f1"]) for row in metrics]
        right.plot(epochs, f1, "o-", color=COLOURS[0], markersize=3, label="macro F1, validation")
        axes.set(xlabel="epoch", ylabel="loss")
        axes.xaxis.get_major_locator().set_params(integer=True)
        right.set(ylabel="macro F1", ylim=(0, 1))
        axes.figure.legend(loc="outside upper center", ncols=3)
    return True
