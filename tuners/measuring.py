"""All finished models of a comparison measured in one run: their answers on the test split, their times in turns, and
the rows of their scores against the baseline, with means and deviations by system."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from kerastrash.console import console, track
from kerastrash.data import DataConfig, Dataset, prepare, read_crop
from kerastrash.errors import KerastrashError
from kerastrash.export.export import compared_images, export_model, exported_name, open_original
from kerastrash.export.format import OpenNet, conditions
from kerastrash.export.formats import FormatName, open_runtime
from kerastrash.export.writing import open_as
from kerastrash.models.saved import image_size
from kerastrash.reports.comparison import SeedRow, SystemRow, ranked
from kerastrash.scoring.baseline import Baseline, measured_as, open_baseline
from kerastrash.scoring.clocks import Timing, seconds_in_turns, spread, time_block
from kerastrash.scoring.config import ClockConfig
from kerastrash.scoring.evaluate import evaluate
from kerastrash.scoring.formula import MEASURED, Reference, measured_reference, reference_for
from kerastrash.scoring.report import check_classes
from tuners.system_jobs import Outcome, Outcomes, SystemJob
from tuners.systems import System

SPLIT = "test"
OUTSIDE = Path("baseline")
"""Stands for a job's folder where the baseline is none of the systems."""
EXPORTS = "exports"
"""The folder of the exported files, beside the model."""
COMPARED = 32
"""Images of the test split on which file and model are compared."""


@dataclass
class Measured:
    """What was measured of models, by the folders of their jobs."""

    dataset: Dataset
    """The data at the size of the first one."""
    f1: dict[Path, float] = field(default_factory=dict)
    """Macro F1 on the test split."""
    failures: dict[Path, str] = field(default_factory=dict)
    nets: dict[Path, OpenNet] = field(default_factory=dict)
    """Those that are timed."""
    timings: dict[Path, Timing] = field(default_factory=dict)
    outside: Baseline | None = None
    """The baseline where it is none of the systems; its net and time are those of OUTSIDE."""

    def conditions(self, threads: int) -> str:
        """What ran the nets: runtime, device, threads."""
        return "; ".join(dict.fromkeys(conditions(net.name, net.device, threads) for net in self.nets.values()))


def measure(
    jobs: Sequence[SystemJob], outcomes: Outcomes, clock: ClockConfig, data: DataConfig, baseline: str | None
) -> Measured:
    """Classifies the test split with every job's model, written in the format of `clock.runtime`, and times them.

    An architecture is timed once, with the first of its seeds; a pruned one has other widths with each seed. A model
    that cannot be written or run is a failure with its reason, and the others go on.

    Args:
        jobs: finished ones, at least one.
        outcomes: of all jobs.
        clock: its runtime not `auto`.
        baseline: the name of the system that is scored against; None times a net of its own beside the others.

    Raises:
        ModelError: the baseline net cannot be opened, or was made for other classes.
    """
    sizes = {job.folder: outcomes[job.folder].made["input_size"] for job in jobs}
    datasets = {size: prepare(data, size, track) for size in sorted(set(sizes.values()))}
    measured = Measured(datasets[sizes[jobs[0].folder]])
    for job in track(jobs, "classifying the test split", "models"):
        try:
            _classify(job, datasets[sizes[job.folder]], clock, measured)
        except KerastrashError as error:
            measured.failures[job.folder] = str(error)
    if baseline is None:
        measured.outside = open_baseline(clock, data, SPLIT, len(measured.dataset.classes))
        measured.nets[OUTSIDE] = open_as(measured.outside.model, clock.runtime, clock.threads)
    if measured.nets:
        measured.timings = _time(measured.nets, _images(measured, datasets, clock), clock.blocks)
    return measured


def _classify(job: SystemJob, dataset: Dataset, clock: ClockConfig, measured: Measured) -> None:
    path = exported(job, clock.runtime, dataset)
    net = open_runtime(path, clock.threads)
    check_classes(net.classes, net.description, dataset, path)
    measured.f1[job.folder] = evaluate(net, dataset.split(SPLIT)).macro_f1
    if job.settings.kind == "pruned" or job.folder.parent not in {folder.parent for folder in measured.nets}:
        measured.nets[job.folder] = net


def exported(job: SystemJob, name: FormatName, dataset: Dataset) -> Path:
    """The path of the job's model in a format; of the model itself for `keras`.

    Args:
        dataset: at the model's size.

    Raises:
        KerastrashError: as `export_model` does.
    """
    if name == "keras":
        return job.model
    path = job.folder / EXPORTS / exported_name(job.model.stem, name, "float32")
    if not path.exists() or path.stat().st_mtime < job.model.stat().st_mtime:
        export_model(open_original(job.model, compared_images(dataset.split("test"), COMPARED)), name, path)
    return path


def _images(measured: Measured, datasets: Mapping[int, Dataset], clock: ClockConfig) -> dict[Path, np.ndarray]:
    """The images that each net is timed on, the same crops for all."""
    part = measured.dataset.split(SPLIT)
    chosen = spread(len(part), clock.timed_images)
    pixels = {}
    for size, dataset in datasets.items():
        other = dataset.split(SPLIT)
        pixels[size] = other.images[other.indices[chosen]]
    if measured.outside:
        size = image_size(measured.outside.model)
        if size not in pixels:
            pixels[size] = np.stack([read_crop(part.crops[index], size) for index in chosen])
    return {folder: pixels[net.input_size] for folder, net in measured.nets.items()}


def _time(nets: Mapping[Path, OpenNet], images: Mapping[Path, np.ndarray], turns: int) -> dict[Path, Timing]:
    count = len(next(iter(images.values())))
    console.print(f"timing {len(nets)} nets on {count} images, in {turns} turns", highlight=False)
    clocks = {folder: partial(time_block, net) for folder, net in nets.items()}
    seconds = seconds_in_turns(clocks, images, turns, on_block=_counted(len(nets)))
    return {folder: Timing.of(values) for folder, values in seconds.items()}


def _counted(nets: int) -> Callable[[], None]:
    """Says each turn that is over, between two blocks: a bar's thread would take its share of the time."""
    blocks = itertools.count(1)

    def say() -> None:
        turn, rest = divmod(next(blocks), nets)
        if not rest:
            console.print(f"turn {turn} timed", highlight=False)

    return say


def reference_of(
    measured: Measured | None, jobs: Sequence[SystemJob], clock: ClockConfig, baseline: str | None
) -> Reference | None:
    """What models are scored against: the mean F1 and the time of the baseline system, or the baseline net.

    None where the baseline system has no model that could be measured.
    """
    if measured is None:
        return None
    images = len(measured.dataset.split(SPLIT))
    if measured.outside:
        outside, net = measured.outside, measured.nets[OUTSIDE]
        seconds = measured.timings[OUTSIDE].seconds(images)
        return reference_for(clock.reference, seconds, measured_as(clock, net), outside.f1, outside.f1_source)
    mine = [job.folder for job in jobs if job.system.name == baseline and job.folder in measured.f1]
    timed = [folder for folder in mine if folder in measured.timings]
    if not timed:
        return None
    net = measured.nets[timed[0]]
    about = f"{baseline} at {net.input_size} px, {conditions(net.name, net.device, clock.threads)}"
    seconds = fmean(measured.timings[folder].seconds(images) for folder in timed)
    return measured_reference(seconds, about, fmean(measured.f1[folder] for folder in mine), MEASURED)


def seed_rows(
    jobs: Sequence[SystemJob], outcomes: Outcomes, measured: Measured | None, reference: Reference | None
) -> list[SeedRow]:
    """A row for each job."""
    return [_seed_row(job, outcomes[job.folder], measured, reference) for job in jobs]


def _seed_row(job: SystemJob, outcome: Outcome, measured: Measured | None, reference: Reference | None) -> SeedRow:
    timing = _timing(job, measured)
    failure = measured.failures.get(job.folder, "") if measured else ""
    f1 = measured.f1.get(job.folder) if measured else None
    scored = timing and reference
    return SeedRow(
        system=job.system.name,
        seed=job.seed,
        status="failed" if failure else outcome.status,
        val_f1=outcome.made.get("f1"),
        test_f1=f1,
        ms=timing.median_ms if timing else None,
        p90_ms=timing.p90_ms if timing else None,
        score=reference.score(f1, timing.seconds(len(measured.dataset.split(SPLIT)))) if scored else None,
        **{name: outcome.made.get(name) for name in ("parameters", "macs", "epochs", "seconds")},
        device=outcome.made.get("device", ""),
        model=str(job.model),
        reason=failure or outcome.reason,
    )


def _timing(job: SystemJob, measured: Measured | None) -> Timing | None:
    """The time of the job's own model, or of another seed's, which has the same architecture."""
    if measured is None or job.folder not in measured.f1:
        return None
    same = [timing for folder, timing in measured.timings.items() if folder.parent == job.folder.parent]
    return measured.timings.get(job.folder) or same[0]


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
    figures = {name: _numbers(good, name) for name in ("parameters", "macs", "val_f1", "test_f1", "ms", "score")}
    means = {name: fmean(numbers) if numbers else None for name, numbers in figures.items()}
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
        test_f1_sd=_deviation(figures["test_f1"]),
        relative_time=means["ms"] / baseline_ms if means["ms"] and baseline_ms else None,
        score_sd=_deviation(figures["score"]),
        status=", ".join(dict.fromkeys(row.status for row in rows)),
        reason="; ".join(f"seed {row.seed} {row.status}: {row.reason}" for row in bad),
        note=system.note,
    )


def _numbers(rows: Sequence[SeedRow], name: str) -> list[float]:
    return [value for row in rows if (value := getattr(row, name)) is not None]


def _deviation(numbers: Sequence[float]) -> float | None:
    """The standard deviation of a sample; None for fewer than two numbers."""
    return stdev(numbers) if len(numbers) > 1 else None
