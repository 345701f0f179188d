"""Rows of a comparison: the score of each model against the baseline, means and deviations by system."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from kerastrash.export.open_net import conditions
from kerastrash.reports.comparison_rows import SeedRow, SystemRow, ranked
from kerastrash.scoring.baseline import measured_as
from kerastrash.scoring.clocks import Timing
from kerastrash.scoring.config import ClockConfig
from kerastrash.scoring.formula import MEASURED, Reference, measured_reference, reference_for
from tuners.comparison.jobs import Outcome, Outcomes, SystemJob
from tuners.comparison.measuring import OUTSIDE, SPLIT, Measured
from tuners.comparison.systems import System


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
