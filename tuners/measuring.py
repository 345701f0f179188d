"""All finished models of a comparison measured in one run: their answers on the test split, their times in turns, and
the rows of their scores against the baseline, with means and deviations by system."""

import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean, stdev

from kerastrash.console import say, track
from kerastrash.data import Dataset, prepare
from kerastrash.errors import KerastrashError
from kerastrash.export.export import compared_images, export_model, exported_name, open_original
from kerastrash.export.format import OpenNet, conditions
from kerastrash.jobs import JobResult
from kerastrash.reports.comparison import SeedRow, SystemRow
from kerastrash.scoring import MEASURED, Reference, reference_for
from kerastrash.scoring.baseline import BASELINE, measured_as, open_baseline, opened_in_runtime, timed_file
from kerastrash.scoring.clocks import Timing, pixels_by_size, seconds_in_turns, time_block
from kerastrash.scoring.config import ClockConfig
from kerastrash.scoring.evaluate import check_classes, evaluate
from tuners.system_jobs import SystemJob
from tuners.systems import System, Systems

SPLIT = "test"
OUTSIDE = Path("baseline")
"""Stands for an architecture where the baseline is none of the systems."""
COMPARED = 32
"""Images of the test split on which file and model are compared."""


@dataclass
class Measured:
    """What was measured of models; nothing yet."""

    images: int = 0
    """Size of the test split; 0 where nothing was measured."""
    f1: dict[Path, float] = field(default_factory=dict)
    """Macro F1 on the test split, by the folder of the job."""
    failures: dict[Path, str] = field(default_factory=dict)
    """Why a model could not be measured, by the folder of the job."""
    timings: dict[Path, Timing] = field(default_factory=dict)
    """Times, by `architecture`."""
    conditions: str = ""
    """What ran the nets: runtime, device, threads."""
    reference: Reference | None = None
    """What models are scored against; None where the baseline system has no model that could be measured."""


def architecture(job: SystemJob) -> Path:
    """What is timed once: all seeds of a system have the same widths, but for a pruned one."""
    return job.folder if job.settings.kind == "pruned" else job.folder.parent


def measure(
    jobs: Sequence[SystemJob], outcomes: Mapping[Path, JobResult], clock: ClockConfig, systems: Systems
) -> Measured:
    """Classifies the test split with every job's model, written in the format of `clock.runtime`, and times them.

    An architecture is timed with the first of its seeds. A model that cannot be written or run is a failure with its
    reason. Without a baseline among the systems, a net of its own is timed beside them.

    Args:
        jobs: finished ones, at least one.
        clock: its runtime not `auto`.

    Raises:
        ModelError: the baseline net cannot be opened, or was made for other classes.
    """
    sizes = {job.folder: outcomes[job.folder].value["input_size"] for job in jobs}
    datasets = {size: prepare(systems.data, size, track) for size in sorted(set(sizes.values()))}
    dataset = datasets[sizes[jobs[0].folder]]
    measured, nets = Measured(len(dataset.split(SPLIT))), {}
    for job in track(jobs, "classifying the test split", "models"):
        try:
            net, measured.f1[job.folder] = _classify(job, datasets[sizes[job.folder]], clock)
            nets.setdefault(architecture(job), net)
        except KerastrashError as error:
            measured.failures[job.folder] = str(error)
    if systems.baseline is None:
        outside = open_baseline(clock, systems.data, SPLIT, len(dataset.classes))
        with tempfile.TemporaryDirectory(prefix="kerastrash-") as name:
            nets[OUTSIDE] = opened_in_runtime(outside.model, clock, Path(name) / BASELINE, "float32").net
    if not nets:
        return measured
    measured.timings = _time(nets, datasets, clock)
    measured.conditions = "; ".join(sorted({conditions(net.name, net.device, clock.threads) for net in nets.values()}))
    if systems.baseline is None:
        seconds, about = measured.timings[OUTSIDE].seconds(measured.images), measured_as(clock, nets[OUTSIDE])
        measured.reference = reference_for(clock.reference, seconds, about, outside.f1, outside.f1_source)
    else:
        measured.reference = _reference([job for job in jobs if job.system == systems.baseline], nets, measured)
    return measured


def _classify(job: SystemJob, dataset: Dataset, clock: ClockConfig) -> tuple[OpenNet, float]:
    """The job's model in the clock's runtime, exported where it was not yet, and its macro F1 on the test split."""
    part, path = dataset.split(SPLIT), job.model
    if clock.runtime != "keras":
        path = job.folder / "exports" / exported_name(job.model.stem, clock.runtime, "float32")
        if not path.exists() or path.stat().st_mtime < job.model.stat().st_mtime:
            export_model(open_original(job.model, compared_images(part, COMPARED)), clock.runtime, path)
    net = timed_file(path, clock.threads).net
    check_classes(net.classes, net.description, dataset, path)
    return net, evaluate(net, part).macro_f1


def _time(nets: Mapping[Path, OpenNet], datasets: Mapping[int, Dataset], clock: ClockConfig) -> dict[Path, Timing]:
    """Times the nets in turns on the same crops."""
    parts = {size: dataset.split(SPLIT) for size, dataset in datasets.items()}
    sizes = {key: net.input_size for key, net in nets.items()}
    pixels = pixels_by_size(parts, sizes.values(), clock.timed_images)
    images = {key: pixels[size] for key, size in sizes.items()}
    say(f"timing {len(nets)} nets on {len(next(iter(images.values())))} images, in {clock.blocks} turns")
    blocks = itertools.count(1)

    def say_turn() -> None:
        """Says each turn that is over, between two blocks: a bar's thread would take its share of the time."""
        turn, rest = divmod(next(blocks), len(nets))
        if not rest:
            say(f"turn {turn} timed")

    clocks = {key: partial(time_block, net) for key, net in nets.items()}
    seconds = seconds_in_turns(clocks, images, clock.blocks, on_block=say_turn)
    return {key: Timing.of(values) for key, values in seconds.items()}


def _reference(jobs: Sequence[SystemJob], nets: Mapping[Path, OpenNet], measured: Measured) -> Reference | None:
    """The mean F1 and the time of the baseline system, whose jobs these are."""
    mine = [job for job in jobs if job.folder in measured.f1]
    if not mine:
        return None
    timed = list(dict.fromkeys(map(architecture, mine)))
    about = f"{mine[0].system} at {nets[timed[0]].input_size} px, {measured.conditions}"
    seconds = fmean(measured.timings[key].seconds(measured.images) for key in timed)
    return reference_for("measured", seconds, about, fmean(measured.f1[job.folder] for job in mine), MEASURED)


def seed_row(job: SystemJob, came: JobResult, measured: Measured) -> SeedRow:
    """The row of a job; its time is that of its architecture."""
    made, failure, f1 = came.value or {}, measured.failures.get(job.folder), measured.f1.get(job.folder)
    timing = None if f1 is None else measured.timings[architecture(job)]
    scored = timing and measured.reference
    return {
        "system": job.system,
        "seed": job.seed,
        "status": "failed" if failure else came.status,
        "val_f1": made.get("f1"),
        "test_f1": f1,
        "ms": timing.median_ms if timing else None,
        "p90_ms": timing.p90_ms if timing else None,
        "score": measured.reference.score(f1, timing.seconds(measured.images)) if scored else None,
        **{name: made.get(name) for name in ("input_size", "parameters", "macs", "epochs", "seconds", "device")},
        "model": str(job.model),
        "reason": failure or came.reason,
    }


def system_rows(systems: Sequence[System], seed_rows: Sequence[SeedRow], measured: Measured) -> Iterator[SystemRow]:
    """The row of each system over those of its seeds."""
    baseline_ms = 1000 * measured.reference.baseline_time / measured.images if measured.reference else None
    for system in systems:
        mine = [row for row in seed_rows if row["system"] == system.name]
        good = [row for row in mine if row["status"] == "finished"]
        bad = [row for row in mine if row["status"] != "finished"]
        means, deviations = {}, {}
        for name in ("parameters", "macs", "val_f1", "test_f1", "ms", "score"):
            numbers = [row[name] for row in good if row[name] is not None]
            means[name] = fmean(numbers) if numbers else None
            deviations[name] = stdev(numbers) if len(numbers) > 1 else None
        yield {
            "name": system.name,
            "kind": system.settings.kind,
            "team": system.team,
            "net": system.net,
            "input_size": next(filter(None, (row["input_size"] for row in mine)), system.settings.input_size),
            "epochs": system.settings.recipe.epochs,
            "seeds": len(good),
            **means,
            **{name: means[name] and round(means[name]) for name in ("parameters", "macs")},
            "test_f1_sd": deviations["test_f1"],
            "relative_time": means["ms"] / baseline_ms if means["ms"] and baseline_ms else None,
            "score_sd": deviations["score"],
            "status": ", ".join(dict.fromkeys(row["status"] for row in mine)),
            "reason": "; ".join(f"seed {row['seed']} {row['status']}: {row['reason']}" for row in bad),
            "note": system.note,
        }
