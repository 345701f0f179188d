"""A module run in a process of its own: its memory goes back with it, a crash takes nothing else along, and it ends
when its parent does, so that no two processes ever write into one folder.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

POLL_SECONDS = 0.2
STANDARD_ERROR = 2


def run_module(
    module: str,
    *arguments: object,
    output: IO | None = None,
    on_poll: Callable[[], object] = lambda: None,
) -> int:
    """Runs `python -m module ARGUMENTS` to its end and returns its exit status; one of a signal is negative.

    The module is to call `end_with_parent` first. An error or interrupt in this process kills the other one.

    Args:
        output: where both of its outputs go; left out, to this process's standard error.
        on_poll: called now and then while it runs.
    """
    # In a session of its own, so that an interrupt at the terminal reaches this process first.
    with subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=output or STANDARD_ERROR,
        stderr=output,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    ) as process:
        try:
            while process.poll() is None:
                on_poll()
                time.sleep(POLL_SECONDS)
        finally:
            process.kill()
    return process.returncode


def ending(code: int) -> str:
    """How a process ended, in words: `exit status 1`, `signal 9 (out of memory?)`."""
    if code >= 0:
        return f"exit status {code}"
    return f"signal {-code}" + (" (out of memory?)" if code == -9 else "")


def end_with_parent() -> None:
    """To be called in the process: ends it, from a thread of its own, as soon as its parent has died."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    # The parent holds the other end of standard input for as long as it lives. Read past Python's buffer, whose lock
    # this thread would still hold when the interpreter ends, which aborts it.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
