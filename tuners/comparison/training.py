"""Runs the jobs of a comparison one after the other; a failed one does not keep the others from being run."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from rich.markup import escape

from kerastrash.comparison.job import Job, Result, changed_origin, read_result
from kerastrash.comparison.worker import run_in_process
from kerastrash.console import console
from kerastrash.models.base import Rows

Results = dict[Path, Result]
"""By the job's folder."""
Runner = Callable[[Job, Rows | None], Result]


def run_jobs(
    jobs: Sequence[Job], wanted: Sequence[Job], rows: Mapping[str, Rows | None], run: Runner = run_in_process
) -> Results:
    """Runs those of the wanted jobs that have not finished yet, and returns what came of all jobs.

    A job that failed in an earlier call is tried again; one whose origin failed is skipped.

    Args:
        jobs: all, each after those that it is made from.
        wanted: some of them, origins included.
        rows: of the systems' nets, by their names.
        run: makes a model and stores what came of it.
    """
    by_model = {job.model: job for job in jobs}
    waiting = [job for job in wanted if not _finished(read_result(job.folder))]
    results: Results = {}
    progress = _Progress(waiting)
    for job in jobs:
        earlier = read_result(job.folder)
        obstacle = _obstacle([by_model[path] for path in job.origins if path in by_model], results)
        changed = changed_origin(job)
        if job not in waiting:
            results[job.folder] = Result("failed", changed) if changed else earlier or Result("not run", "not run yet")
            continue
        progress.begin(job)
        if obstacle:
            results[job.folder] = Result("skipped", obstacle)
        elif changed:
            results[job.folder] = Result("failed", changed)
        else:
            results[job.folder] = run(job, rows[job.system])
        progress.end(job, results[job.folder])
    return results


def _finished(result: Result | None) -> bool:
    return result is not None and result.status == "finished"


def _obstacle(origins: Sequence[Job], results: Results) -> str:
    """Why a job cannot be made from its origins; empty where it can."""
    for origin in origins:
        result = results[origin.folder]
        if not _finished(result):
            return f"{origin} {result.status}: {result.reason}"
    return ""


class _Progress:
    """Says on the console which job begins, what came of it, and about how long the others will take."""

    def __init__(self, waiting: Sequence[Job]) -> None:
        self._waiting, self._done = waiting, 0
        self._seconds: dict[str, float] = {}
        """By system, of a job that has finished in this call."""

    def begin(self, job: Job) -> None:
        _say(f"[bold]{escape(str(job))}[/] ({job.kind}), {self._done + 1} of {len(self._waiting)}")

    def end(self, job: Job, result: Result) -> None:
        self._done += 1
        if _finished(result):
            self._seconds[job.system] = result.seconds
            _say(f"{escape(str(job))}: F1 {result.f1:.4f} on the validation split{self._left()}")
        else:
            _say(f"[red]{escape(str(job))} {result.status}:[/] {escape(result.reason)}")

    def _left(self) -> str:
        remaining = self._waiting[self._done :]
        if not remaining:
            return ""
        usual = fmean(self._seconds.values())
        seconds = sum(self._seconds.get(job.system, usual) for job in remaining)
        return f"; {len(remaining)} left, about {seconds / 60:.0f} min"


def _say(text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)
