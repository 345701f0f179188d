"""From what was measured to the rows: the score of each model against the baseline, means and deviations by system."""

from collections.abc import Mapping, Sequence

from kerastrash.comparison.config import CompareConfig
from kerastrash.comparison.job import Job, Result
from kerastrash.comparison.measuring import OUTSIDE, PART, Measured
from kerastrash.comparison.rows import SeedRow, SystemRow, deviation, mean, ranked, whole_mean
from kerastrash.comparison.system import System
from kerastrash.comparison.training import Results
from kerastrash.export.open_net import conditions
from kerastrash.scoring.baseline import measured_as
from kerastrash.scoring.clocks import Timing
from kerastrash.scoring.formula import MEASURED, Reference, measured_reference, reference_for


def reference_of(
    measured: Measured | None, jobs: Sequence[Job], config: CompareConfig, baseline: str | None
) -> Reference | None:
    """What models are scored against: the mean F1 and the time of the baseline system, or the baseline net.

    None where the baseline system has no model that could be measured.
    """
    if measured is None:
        return None
    images = len(measured.dataset.part(PART))
    if measured.outside:
        outside, net = measured.outside, measured.nets[OUTSIDE]
        seconds = measured.timings[OUTSIDE].seconds(images)
        return reference_for(config.reference, seconds, measured_as(config, net), outside.f1, outside.f1_source)
    mine = [job.folder for job in jobs if job.system == baseline and job.folder in measured.f1]
    timed = [folder for folder in mine if folder in measured.timings]
    if not timed:
        return None
    net = measured.nets[timed[0]]
    about = f"{baseline} at {net.input_size} px, {conditions(net.name, net.device, config.threads)}"
    seconds = mean([measured.timings[folder].seconds(images) for folder in timed])
    return measured_reference(seconds, about, mean([measured.f1[folder] for folder in mine]), MEASURED)


def seed_rows(
    jobs: Sequence[Job], results: Results, measured: Measured | None, reference: Reference | None
) -> list[SeedRow]:
    """A row for each job."""
    return [_seed_row(job, results[job.folder], _timing(job, measured), measured, reference) for job in jobs]


def _timing(job: Job, measured: Measured | None) -> Timing | None:
    """Of the job's own model, or of another seed's, which has the same architecture."""
    if measured is None or job.folder not in measured.f1:
        return None
    same = [timing for folder, timing in measured.timings.items() if folder.parent == job.folder.parent]
    return measured.timings.get(job.folder) or same[0]


def _seed_row(
    job: Job, result: Result, timing: Timing | None, measured: Measured | None, reference: Reference | None
) -> SeedRow:
    failure = measured.failures.get(job.folder, "") if measured else ""
    f1 = measured.f1.get(job.folder) if measured else None
    score = None
    if timing and reference:
        score = reference.score(f1, timing.seconds(len(measured.dataset.part(PART))))
    return SeedRow(
        system=job.system,
        seed=job.seed,
        status="failed" if failure else result.status,
        val_f1=result.f1,
        test_f1=f1,
        ms=timing.median_ms if timing else None,
        p90_ms=timing.p90_ms if timing else None,
        score=score,
        parameters=result.parameters,
        macs=result.macs,
        epochs=result.epochs,
        seconds=result.seconds,
        device=result.device,
        model=str(job.model),
        reason=failure or result.reason,
    )


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
    ms = mean([row.ms for row in good])
    return SystemRow(
        name=system.name,
        kind=system.kind,
        team=system.team,
        net=system.net,
        input_size=size,
        epochs=system.recipe.epochs,
        seeds=len(good),
        parameters=whole_mean([row.parameters for row in good]),
        macs=whole_mean([row.macs for row in good]),
        val_f1=mean([row.val_f1 for row in good]),
        test_f1=mean([row.test_f1 for row in good]),
        test_f1_sd=deviation([row.test_f1 for row in good]),
        ms=ms,
        relative_time=ms / baseline_ms if ms and baseline_ms else None,
        score=mean([row.score for row in good]),
        score_sd=deviation([row.score for row in good]),
        status=", ".join(dict.fromkeys(row.status for row in rows)),
        reason="; ".join(f"seed {row.seed} {row.status}: {row.reason}" for row in bad),
        note=system.note,
    )
