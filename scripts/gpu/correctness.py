"""The tests of `tests/backends/gpu`, a file in one process, with what they measured."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from gpu.plan import Found, GpuCheck

from kerastrash.errors import ConfigError
from kerastrash.reports.tables import PlainTable

TESTS = Path(__file__).resolve().parents[2] / "tests/backends/gpu"


@dataclass(eq=False)
class Outcomes:
    """A plugin of pytest that keeps what became of each test."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report) -> None:
        if report.when != "call" and report.passed:
            return
        name = report.nodeid.partition("::")[2].removeprefix("test_").replace("_", " ")
        told = [f"{what} {figure}" for what, figure in report.user_properties]
        if report.skipped:
            told.append(report.longrepr[2].removeprefix("Skipped: "))
        elif report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            told.append((crash.message if crash else str(report.longrepr)).strip().partition("\n")[0][:300])
            self.failures.append(f"{name}: {told[-1]}")
        self.rows.append((name, report.outcome, "; ".join(told)))

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self.failures.append(f"{report.nodeid}: {str(report.longrepr).strip().splitlines()[-1]}")


def nets(config: GpuCheck) -> Found:
    """Every preset's logits on the device against the processor's."""
    return tested(TESTS / "nets.py")


def steps(config: GpuCheck) -> Found:
    """Training steps against stock Keras, graphs against single kernels, overflow, schedule, two nets."""
    return tested(TESTS / "steps.py")


def trainings(config: GpuCheck) -> Found:
    """Trainings that go on from their folder, and memory that runs out."""
    return tested(TESTS / "trainings.py")


def tested(path: Path) -> Found:
    """Runs a file of tests in this process."""
    try:
        import pytest
    except ImportError:
        raise ConfigError("pytest is not installed: run pip install pytest") from None
    outcomes, started = Outcomes(), time.perf_counter()
    status = pytest.main(["-v", "-p", "no:cacheprovider", str(path)], plugins=[outcomes])
    if status and not outcomes.failures:
        outcomes.failures.append(f"pytest ended with status {int(status)}; see the log")
    caption = f"{len(outcomes.rows)} tests in {time.perf_counter() - started:.0f} s"
    columns = ("test", "outcome", "measured")
    table = PlainTable(
        columns, outcomes.rows, text=("outcome", "measured"), title=f"correctness: {path.stem}", caption=caption
    )
    return Found((table,), failures=tuple(outcomes.failures))
