"""All finished models of a comparison measured in one run: their answers on the test split, their times in turns, and
the rows of their scores against the baseline, with means and deviations by system."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from kerastrash.console import say, track
from kerastrash.data import Dataset, prepare, read_crop
from kerastrash.errors import KerastrashError
from kerastrash.export.export import compared_images, export_model, exported_name, open_original
from kerastrash.export.format import OpenNet
from kerastrash.export.formats import open_runtime
from kerastrash.export.open_net import conditions
from kerastrash.export.writing import open_as
from kerastrash.jobs import JobResult
from kerastrash.reports.comparison import SeedRow, SystemRow, ranked
from kerastrash.scoring import MEASURED, Reference, measured_reference, reference_for
from kerastrash.scoring.baseline import Baseline, measured_as, open_baseline
from kerastrash.scoring.clocks import Timing, seconds_in_turns, spread, time_block
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
    """Of the test split; 0 where nothing was measured."""
    f1: dict[Path, float] = field(default_factory=dict)
    """Macro F1 on the test split, by the folder of the job."""
    failures: dict[Path, str] = field(default_factory=dict)
    """Why a model could not be measured, by the folder of the job."""
    nets: dict[Path, OpenNet] = field(default_factory=dict)
    """Those that are timed, by `architecture`."""
    timings: dict[Path, Timing] = field(default_factory=dict)
    outside: Baseline | None = None
    """The baseline where it is none of the systems; its net and time are those of OUTSIDE."""

    def conditions(self, threads: int) -> str:
        """What ran the nets: runtime, device, threads."""
        return "; ".join(dict.fromkeys(conditions(net.name, net.device, threads) for net in self.nets.values()))


def architecture(job: SystemJob) -> Path:
    """What is timed once: all seeds of a system have the same widths, but for a pruned one."""
    return job.folder if job.settings.kind == "pruned" else job.folder.parent


def measure(
    jobs: Sequence[SystemJob], outcomes: Mapping[Path, JobResult], clock: ClockConfig, systems: Systems
) -> Measured:
    """Classifies the test split with every job's model, written in the format of `clock.runtime`, and times them.

    An architecture is timed with the first of its seeds. A model that cannot be written or run is a failure with its
    reason, and the others go on. Without a baseline among the systems, a net of its own is timed beside them.

    Args:
        jobs: finished ones, at least one.
        outcomes: of all jobs.
        clock: its runtime not `auto`.

    Raises:
        ModelError: the baseline net cannot be opened, or was made for other classes.
    """
    sizes = {job.folder: outcomes[job.folder].value["input_size"] for job in jobs}
    datasets = {size: prepare(systems.data, size, track) for size in sorted(set(sizes.values()))}
    dataset = datasets[sizes[jobs[0].folder]]
    measured = Measured(len(dataset.split(SPLIT)))
    for job in track(jobs, "classifying the test split", "models"):
        try:
            _classify(job, datasets[sizes[job.folder]], clock, measured)
        except KerastrashError as error:
            measured.failures[job.folder] = str(error)
    if systems.baseline is None:
        measured.outside = open_baseline(clock, systems.data, SPLIT, len(dataset.classes))
        measured.nets[OUTSIDE] = open_as(measured.outside.model, clock.runtime, clock.threads)
    if measured.nets:
        _time(measured, datasets, clock)
    return measured


def _classify(job: SystemJob, dataset: Dataset, clock: ClockConfig, measured: Measured) -> None:
    part, path = dataset.split(SPLIT), job.model
    if clock.runtime != "keras":
        path = job.folder / "exports" / exported_name(job.model.stem, clock.runtime, "float32")
        if not path.exists() or path.stat().st_mtime < job.model.stat().st_mtime:
            export_model(open_original(job.model, compared_images(part, COMPARED)), clock.runtime, path)
    net = open_runtime(path, clock.threads)
    check_classes(net.classes, net.description, dataset, path)
    measured.f1[job.folder] = evaluate(net, part).macro_f1
    measured.nets.setdefault(architecture(job), net)


def _time(measured: Measured, datasets: Mapping[int, Dataset], clock: ClockConfig) -> None:
    """Times the nets in turns on the same crops."""
    chosen = spread(measured.images, clock.timed_images)
    pixels = {}
    for size, dataset in datasets.items():
        part = dataset.split(SPLIT)
        pixels[size] = part.images[part.indices[chosen]]
    for net in measured.nets.values():
        if net.input_size not in pixels:  # the baseline's
            pixels[net.input_size] = np.stack([read_crop(part.crops[index], net.input_size) for index in chosen])
    nets = measured.nets
    say(f"timing {len(nets)} nets on {len(chosen)} images, in {clock.blocks} turns")
    blocks = itertools.count(1)

    def say_turn() -> None:
        """Says each turn that is over, between two blocks: a bar's thread would take its share of the time."""
        turn, rest = divmod(next(blocks), len(nets))
        if not rest:
            say(f"turn {turn} timed")

    clocks = {key: partial(time_block, net) for key, net in nets.items()}
    images = {key: pixels[net.input_size] for key, net in nets.items()}
    seconds = seconds_in_turns(clocks, images, clock.blocks, on_block=say_turn)
    measured.timings = {key: Timing.of(values) for key, values in seconds.items()}


def reference_of(
    measured: Measured, jobs: Sequence[SystemJob], clock: ClockConfig, baseline: str | None
) -> Reference | None:
    """What models are scored against: the mean F1 and the time of the baseline system, or the baseline net.

    None where the baseline system has no model that could be measured.
    """
    if measured.outside:
        outside, net = measured.outside, measured.nets[OUTSIDE]
        seconds = measured.timings[OUTSIDE].seconds(measured.images)
        return reference_for(clock.reference, seconds, measured_as(clock, net), outside.f1, outside.f1_source)
    mine = [job for job in jobs if job.system == baseline and job.folder in measured.f1]
    if not mine:
        return None
    timed = list(dict.fromkeys(map(architecture, mine)))
    net = measured.nets[timed[0]]
    about = f"{baseline} at {net.input_size} px, {conditions(net.name, net.device, clock.threads)}"
    seconds = fmean(measured.timings[key].seconds(measured.images) for key in timed)
    return measured_reference(seconds, about, fmean(measured.f1[job.folder] for job in mine), MEASURED)


def seed_rows(
    jobs: Sequence[SystemJob], outcomes: Mapping[Path, JobResult], measured: Measured, reference: Reference | None
) -> list[SeedRow]:
    """A row for each job; its time is that of its architecture."""
    rows = []
    for job in jobs:
        came, failure, f1 = outcomes[job.folder], measured.failures.get(job.folder), measured.f1.get(job.folder)
        made = came.value or {}
        timing = None if f1 is None else measured.timings[architecture(job)]
        scored = timing and reference
        row = SeedRow(
            system=job.system,
            seed=job.seed,
            status="failed" if failure else came.status,
            val_f1=made.get("f1"),
            test_f1=f1,
            ms=timing.median_ms if timing else None,
            p90_ms=timing.p90_ms if timing else None,
            score=reference.score(f1, timing.seconds(measured.images)) if scored else None,
            **{name: made.get(name) for name in ("parameters", "macs", "epochs", "seconds")},
            device=made.get("device", ""),
            model=str(job.model),
            reason=failure or came.reason,
        )
        rows.append(row)
    return rows


def system_rows(
    systems: Sequence[System], rows: Sequence[SeedRow], sizes: Mapping[str, int | None], baseline_ms: float | None
) -> list[SystemRow]:
    """A row for each system, the best one first.

    Args:
        sizes: of the images, by system.
        baseline_ms: the baseline's milliseconds an image.
    """
    by_system = {system.name: [row for row in rows if row.system == system.name] for system in systems}
    return ranked([_system_row(system, by_system[system.name], sizes[system.name], baseline_ms) for system in systems])


def _system_row(system: System, rows: Sequence[SeedRow], size: int | None, baseline_ms: float | None) -> SystemRow:
    good = [row for row in rows if row.status == "finished"]
    bad = [row for row in rows if row.status != "finished"]
    means, deviations = {}, {}
    for name in ("parameters", "macs", "val_f1", "test_f1", "ms", "score"):
        numbers = [value for row in good if (value := getattr(row, name)) is not None]
        means[name] = fmean(numbers) if numbers else None
        deviations[name] = stdev(numbers) if len(numbers) > 1 else None
    whole = {name: None if means[name] is None else round(means[name]) for name in ("parameters", "macs")}
    return SystemRow(
        name=system.name,
        kind=system.settings.kind,
        team=system.team,
        net=system.net,
        input_size=size,
        epochs=system.settings.recipe.epochs,
        seeds=len(good),
        **means | whole,
        test_f1_sd=deviations["test_f1"],
        relative_time=means["ms"] / baseline_ms if means["ms"] and baseline_ms else None,
        score_sd=deviations["score"],
        status=", ".join(dict.fromkeys(row.status for row in rows)),
        reason="; ".join(f"seed {row.seed} {row.status}: {row.reason}" for row in bad),
        note=system.note,
    )
