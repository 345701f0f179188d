"""Checks and times a GPU in one go, and writes a report: `make gpu`, or

python scripts/gpu_check.py --peer FOLDER                # beside a plain PyTorch program
python scripts/gpu_check.py --parts steps speed          # some parts alone
python scripts/gpu_check.py --device cpu --quick         # a rehearsal on a processor: whether all of it runs

Each part runs in a process of its own, with a limit of time; where one fails or hangs, the next one runs all the same.
The report is OUTPUT/report.md and report.json; what a part printed lies beside them.
"""

import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).parent), str(Path(__file__).with_name("benchmarks"))]

from gpu.plan import Found, GpuCheck

from kerastrash.cli import script
from kerastrash.console import progress_bar, results, say, written
from kerastrash.errors import KerastrashError
from kerastrash.files import write_json, write_text
from kerastrash.processes import Child, ChildError
from kerastrash.reports.tables import PlainTable
from kerastrash.runs import environment


@dataclass(frozen=True)
class Part:
    """A function of `scripts/gpu` and its share of the time."""

    function: str
    seconds: int


PARTS = {
    "environment": Part("gpu.environment:environment", 20),
    "nets": Part("gpu.correctness:nets", 80),
    "steps": Part("gpu.correctness:steps", 60),
    "trainings": Part("gpu.correctness:trainings", 50),
    "speed": Part("gpu.speed:speed", 100),
    "end-to-end": Part("gpu.speed:end_to_end_speed", 40),
    "augmentation": Part("gpu.speed:augmentation", 25),
    "recipe": Part("gpu.speed:recipe", 45),
    "kernels": Part("gpu.speed:kernels", 25),
    "latency": Part("gpu.speed:latency", 35),
}
"""In the order in which they run, with seconds of 480."""
REHEARSAL = (
    "A rehearsal on a processor: CUDA graphs, waiting for the device and a limit of its memory are not on this device, "
    "and no time here means anything."
)
AT_ONCE = 2
"""Parts at a time in a rehearsal."""


@dataclass(frozen=True)
class Outcome:
    """What became of a part."""

    name: str
    seconds: float
    found: Found

    @property
    def failed(self) -> bool:
        return bool(self.found.failures)


class Running:
    """A part that runs in a process of its own, until `end` of the monotonic clock at the latest."""

    def __init__(self, name: str, config: GpuCheck, end: float):
        self.name, self.end, self.begun = name, end, time.monotonic()
        self.log = config.output / f"{name}.log"
        self.log.unlink(missing_ok=True)
        variables = {"KERAS_BACKEND": "torch", "KERAS_TORCH_DEVICE": config.device, "PYTHONUNBUFFERED": "1"}
        variables |= {} if config.on_gpu else {"OMP_NUM_THREADS": "1"}  # AT_ONCE of them share the processor
        self.child = Child(variables, log=self.log)
        self.child.send(PARTS[name].function, config)

    def fileno(self) -> int:
        return self.child.fileno()

    def outcome(self, answered: bool) -> Outcome:
        """What became of it; a KerastrashError of the first part, which says that the device is no use, is raised."""
        try:
            found = self.child.receive() if answered else self._hung()
        except ChildError as error:
            found = Found(failures=(f"{error}; see {self.log}",))
            with self.log.open("a") as lines:
                lines.write(error.traceback)
        except KerastrashError as error:
            if self.name == "environment":
                raise
            found = Found(failures=(str(error),))
        finally:
            self.close()
        return Outcome(self.name, time.monotonic() - self.begun, found)

    def _hung(self) -> Found:
        printed = self.log.read_text(errors="replace").strip().rpartition("\n")[2][-200:] or "nothing was printed"
        return Found(failures=(f"not done after {time.monotonic() - self.begun:.0f} s; last: {printed}",))

    def close(self) -> None:
        """Ends the process with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.close()


def main(config: GpuCheck) -> int:
    """Check a GPU and time it; the exit status is 1 where a part failed."""
    names = [name for name in PARTS if name == "environment" or config.parts is None or name in config.parts]
    config.output.mkdir(parents=True, exist_ok=True)
    begun, outcomes = time.monotonic(), []
    for outcome in run_all(names, config, begun):
        outcomes = sorted([*outcomes, outcome], key=lambda each: names.index(each.name))
        write_report(config, outcomes, time.monotonic() - begun)
    for outcome in outcomes:
        show(outcome)
    failed = [outcome.name for outcome in outcomes if outcome.failed]
    verdict = f"failed: {', '.join(failed)}" if failed else "all passed"
    seconds = time.monotonic() - begun
    written(config.output / "report.md", f" holds it all: {len(outcomes)} parts in {seconds:.0f} s, {verdict}")
    return int(bool(failed))


def run_all(names: list[str], config: GpuCheck, begun: float) -> Iterator[Outcome]:
    """Runs the parts, each until the end of its share of the time at the latest; the first one alone."""
    share = 60 * config.minutes / sum(PARTS[name].seconds for name in names)
    ends = itertools.accumulate((share * PARTS[name].seconds for name in names), initial=begun)
    waiting, running = list(zip(names, list(ends)[1:], strict=True)), []
    with progress_bar() as bar, contextlib.ExitStack() as left:
        left.callback(lambda: [part.close() for part in running])
        task, at_once = bar.add_task("parts", total=len(names), unit="parts", note=""), 1
        while waiting or running:
            while waiting and len(running) < at_once:
                name, end = waiting.pop(0)
                running.append(Running(name, config, end))
                bar.update(task, note=name)
            soonest = min(part.end for part in running)
            answered = wait(running, max(0.0, soonest - time.monotonic()))
            for part in answered or [part for part in running if part.end == soonest]:
                running.remove(part)
                outcome = part.outcome(part in answered)
                say(f"{outcome.name}: {'failed' if outcome.failed else 'passed'} in {outcome.seconds:.0f} s")
                bar.advance(task)
                yield outcome
            at_once = 1 if config.on_gpu else AT_ONCE


def show(outcome: Outcome) -> None:
    """Prints what a part found."""
    console = results()
    for table in outcome.found.tables:
        console.print(table)
    for line in (*outcome.found.notes, *outcome.found.failures):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def summary(outcomes: list[Outcome]) -> PlainTable:
    """A row for each part."""
    rows = [
        (each.name, "failed" if each.failed else "passed", f"{each.seconds:.0f}", "; ".join(each.found.failures))
        for each in outcomes
    ]
    return PlainTable(("part", "outcome", "seconds", "reason"), rows, text=("outcome", "reason"), title="parts")


def write_report(config: GpuCheck, outcomes: list[Outcome], seconds: float) -> None:
    """Writes the report as markdown and as JSON."""
    known = environment()
    about = f"{known['started']}, `{known['command']}`, {seconds:.0f} s."
    pages = [f"## Check of {config.device}", about, "" if config.on_gpu else REHEARSAL, summary(outcomes).markdown()]
    for outcome in outcomes:
        for table in outcome.found.tables:
            pages += [f"### {table.title}", table.markdown(), table.caption]
        pages += outcome.found.notes
    write_text(config.output / "report.md", "\n\n".join(page.strip("\n") for page in pages if page) + "\n")
    settings = {"device": config.device, "quick": config.quick, "seconds": round(seconds, 1)}
    parts = [in_json(outcome) for outcome in outcomes]
    write_json(config.output / "report.json", settings | {"environment": known, "parts": parts})


def in_json(outcome: Outcome) -> dict[str, Any]:
    """A part's outcome as plain values."""
    tables = [
        {"title": table.title, "columns": table.columns, "rows": table.rows, "caption": table.caption}
        for table in outcome.found.tables
    ]
    known = {"name": outcome.name, "passed": not outcome.failed, "seconds": round(outcome.seconds, 1)}
    return known | {"failures": outcome.found.failures, "notes": outcome.found.notes, "tables": tables}


if __name__ == "__main__":
    script(main)
