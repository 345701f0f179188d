"""Runs a trial in a process of its own: `python -m tuners.worker FOLDER`, started and watched by `run_in_process`.

The memory that a training takes goes back to the system with its process, and a crash takes nothing else along.
A worker whose parent has died ends at once, so that no two processes ever write into one trial.
"""

import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from kerastrash.files import read_csv
from kerastrash.training.checkpoint import METRICS
from tuners.trial import TrialResult, read_result, read_spec, run_trial, write_result

LOG = "trial.log"
POLL_SECONDS = 0.2


def run_in_process(folder: Path, on_progress: Callable[[int], None] = lambda epochs: None) -> TrialResult:
    """Runs the trial whose spec lies in `folder` and returns its result, stored there as well.

    What the worker prints goes to trial.log. A worker that dies without a result gives a failed one.

    Args:
        on_progress: called now and then with the finished epochs.
    """
    with (folder / LOG).open("ab") as log:
        command = [sys.executable, "-m", "tuners.worker", str(folder)]
        # In a session of its own, so that an interrupt at the terminal reaches this process first.
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        ) as process:
            try:
                while process.poll() is None:
                    on_progress(len(read_csv(folder / METRICS)))
                    time.sleep(POLL_SECONDS)
            finally:
                process.kill()
    result = read_result(folder)
    if result is None:
        reason = f"its process ended with {_ending(process.returncode)}; see {folder / LOG}"
        result = TrialResult("failed", reason=reason)
        write_result(folder, result)
    return result


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    hint = " (out of memory?)" if code == -9 else ""
    return f"signal {-code}{hint}"


def main(folder: Path) -> None:
    """The worker: runs the trial, stores its result, failed or not."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        result = run_trial(read_spec(folder))
    except Exception as error:
        traceback.print_exc()
        result = TrialResult("failed", reason=f"{type(error).__name__}: {error}".splitlines()[0])
    write_result(folder, result)


def _end_with_parent() -> None:
    # The parent holds the other end of standard input for as long as it lives. Read past Python's buffer, whose lock
    # this thread would still hold when the interpreter ends, which aborts it.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
