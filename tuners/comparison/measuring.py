"""All finished models of a comparison in one run: their answers on the test split, and their times in turns."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from kerastrash.console import console, track
from kerastrash.data import DataConfig, Dataset, prepare, read_crop
from kerastrash.errors import KerastrashError
from kerastrash.export.export import compared_images, export_model, exported_name, open_original
from kerastrash.export.format import OpenNet
from kerastrash.export.formats import FormatName, open_runtime
from kerastrash.export.open_net import conditions
from kerastrash.export.writing import open_as
from kerastrash.models.saved import image_size
from kerastrash.scoring.baseline import Baseline, open_baseline
from kerastrash.scoring.clocks import Timing, seconds_in_turns, spread, time_block
from kerastrash.scoring.config import ClockConfig
from kerastrash.scoring.evaluate import evaluate
from kerastrash.scoring.report import check_classes
from tuners.comparison.jobs import Outcomes, SystemJob

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
