"""Makes a job's model, here or in a process of its own: `python -m kerastrash.comparison.worker FOLDER`."""

import sys
import traceback
from pathlib import Path

from kerastrash.comparison.job import RESULT, Job, Result, read_job, read_result, write_job, write_result
from kerastrash.comparison.making import make
from kerastrash.console import console
from kerastrash.errors import KerastrashError
from kerastrash.files import write_json
from kerastrash.models.base import Rows
from kerastrash.processes import end_with_parent, ending, run_module
from kerastrash.runs import ENVIRONMENT, environment


def run_in_process(job: Job, rows: Rows | None) -> Result:
    """Makes the job's model in a process whose memory goes back with it, and stores what came of it in its folder.

    What the process prints goes to this one's standard error. One that dies without a result gives a failed one.
    """
    _begin(job, rows)
    try:
        code = run_module("kerastrash.comparison.worker", job.folder)
    finally:
        console.show_cursor()  # which the progress bar of a killed process has hidden
    result = read_result(job.folder)
    if result is None:
        result = Result("failed", f"its process ended with {ending(code)}")
        write_result(job.folder, result)
    return result


def run_here(job: Job, rows: Rows | None) -> Result:
    """The same in this process."""
    _begin(job, rows)
    return _attempt(job.folder)


def _begin(job: Job, rows: Rows | None) -> None:
    (job.folder / RESULT).unlink(missing_ok=True)
    write_json(job.folder / ENVIRONMENT, environment())
    write_job(job, rows)


def _attempt(folder: Path) -> Result:
    try:
        result = make(read_job(folder))
    except KerastrashError as error:
        result = Result("failed", str(error))
    except Exception as error:  # whatever it is, it is this job's failure, not the comparison's
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        result = Result("failed", f"{said}; see {folder / RESULT}", traceback=traceback.format_exc())
    write_result(folder, result)
    return result


if __name__ == "__main__":
    end_with_parent()
    _attempt(Path(sys.argv[1]))
