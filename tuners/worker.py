"""Runs a trial in a process of its own: `python -m tuners.worker FOLDER`, started and watched by `run_in_process`.

The memory that a training takes goes back to the system with its process, and a crash takes nothing else along.
A worker whose parent has died ends at once, so that no two processes ever write into one trial.
"""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from kerastrash.files import read_csv
from kerastrash.processes import end_with_parent, ending, run_module
from kerastrash.training.checkpoint import METRICS
from tuners.trial import TrialResult, read_result, read_spec, run_trial, write_result

LOG = "trial.log"


def run_in_process(folder: Path, on_progress: Callable[[int], None] = lambda epochs: None) -> TrialResult:
    """Runs the trial whose spec lies in `folder` and returns its result, stored there as well.

    What the worker prints goes to trial.log. A worker that dies without a result gives a failed one.

    Args:
        on_progress: called now and then with the finished epochs.
    """

    def report() -> None:
        on_progress(len(read_csv(folder / METRICS)))

    with (folder / LOG).open("ab") as log:
        code = run_module("tuners.worker", folder, output=log, on_poll=report)
    result = read_result(folder)
    if result is None:
        result = TrialResult("failed", reason=f"its process ended with {ending(code)}; see {folder / LOG}")
        write_result(folder, result)
    return result


def main(folder: Path) -> None:
    """The worker: runs the trial, stores its result, failed or not."""
    end_with_parent()
    try:
        result = run_trial(read_spec(folder))
    except Exception as error:
        traceback.print_exc()
        result = TrialResult("failed", reason=f"{type(error).__name__}: {error}".splitlines()[0])
    write_result(folder, result)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
