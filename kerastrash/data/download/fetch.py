"""Fetches photographs in parallel, resumably, each checked before it is put in its place."""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock

from kerastrash.console import console, progress_bar
from kerastrash.data.download.client import Client
from kerastrash.data.download.config import FetchConfig
from kerastrash.data.download.journal import Journal
from kerastrash.data.download.obtain import Obtainer, Outcome
from kerastrash.data.download.plan import STATE, Photograph
from kerastrash.errors import ConfigError, FileError

DECODERS = 4
"""Photographs decoded at once at most: one of 24 megapixels takes 72 MB, whatever the number of connections."""
GRACE = 1.0
"""Seconds that a stopped thread gets to leave. One that hangs on a stalled server is left behind: it is a daemon."""


@dataclass(frozen=True)
class Missing:
    """A photograph that could not be had."""

    file_name: str
    path: Path
    address: str
    reason: str

    def as_row(self) -> dict[str, str]:
        """File name, address and reason, each in characters that can be printed."""
        row = {"file_name": self.file_name, "address": self.address, "reason": self.reason}
        return {key: value if value.isprintable() else ascii(value)[1:-1] for key, value in row.items()}


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[Path]:
    """Claims the folder for this process, making it where it is absent; yields the folder of the downloader's state.

    Raises:
        FileError: the folder cannot be written.
        ConfigError: another process is downloading into it.
    """
    state = folder / STATE
    try:
        state.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(state / "lock", timeout=0):
            yield state
    except filelock.Timeout:
        message = f"{folder}: another process is downloading there; wait for it or choose another --folder"
        raise ConfigError(message) from None
    except OSError as error:
        raise cannot_write(folder, error) from error


def cannot_write(folder: Path, error: OSError) -> FileError:
    """The sentence for a full disk or a folder without the right to write."""
    return FileError(
        f"{error.filename or folder}: cannot be written ({error.strerror or error}); "
        "free the disk or choose another --folder: the same command goes on where this one stopped"
    )


def fetch_all(photographs: Sequence[Photograph], state: Path, config: FetchConfig) -> tuple[Missing, ...]:
    """Fetches what is not there yet, with a progress bar, and returns what could not be had.

    A file that is there is taken where the journal or a decoding finds it whole and of the annotated size.

    Args:
        state: the folder that `claim` yields.

    Raises:
        OSError: the disk is full or the folder cannot be written (`claim` makes a sentence of it); every file in its
            place is whole.
    """
    missing = [_missing(photograph, photograph.fault) for photograph in photographs if photograph.fault]
    with contextlib.closing(Journal(state / "journal.jsonl")) as journal:
        wanted = [
            photograph
            for photograph in photographs
            if not photograph.fault and not journal.holds(photograph.file_name, photograph.path, photograph.frame)
        ]
        if there := len(photographs) - len(missing) - len(wanted):
            console.print(f"{there} of {len(photographs)} photographs are there already", highlight=False)
        with contextlib.closing(_run(wanted, state, config)) as outcomes:
            for outcome in _with_bar(outcomes, len(wanted)):
                if outcome.status is None:
                    missing.append(_missing(outcome.photograph, outcome.reason))
                else:
                    journal.add(outcome.photograph.file_name, outcome.status, outcome.photograph.frame)
    return tuple(sorted(missing, key=lambda item: item.file_name))


def _missing(photograph: Photograph, reason: str) -> Missing:
    return Missing(photograph.file_name, photograph.path, next(iter(photograph.addresses), ""), reason)


def _with_bar(outcomes: Iterator[Outcome], total: int) -> Iterator[Outcome]:
    """Passes the outcomes on under a bar with count, rate, time left and the bytes that came."""
    started, received, done, failed = time.perf_counter(), 0, 0, 0
    with progress_bar() as progress:
        task = progress.add_task("fetch", total=total, unit="photographs", note="")
        for outcome in outcomes:
            yield outcome
            done += 1
            received += outcome.status.st_size if outcome.status else 0
            failed += outcome.status is None
            rate = received / 1e6 / (time.perf_counter() - started)
            note = f"{rate:.1f} MB/s" + (f", {failed} missing" if failed else "")
            progress.update(task, advance=1, note=note)
            if not console.is_terminal and (done % 100 == 0 or done == total):
                seconds = time.perf_counter() - started
                console.print(f"fetch: {done} of {total} photographs in {seconds:.0f} s, {note}", highlight=False)


def _run(photographs: Sequence[Photograph], state: Path, config: FetchConfig) -> Iterator[Outcome]:
    """Yields the outcomes as they come, from threads that leave when the caller does."""
    stop = threading.Event()
    decoders = threading.BoundedSemaphore(min(DECODERS, os.cpu_count() or 1))
    jobs: queue.SimpleQueue[Photograph] = queue.SimpleQueue()
    outcomes: queue.SimpleQueue[Outcome | Exception] = queue.SimpleQueue()
    for photograph in photographs:
        jobs.put(photograph)
    threads = []
    try:
        for _ in range(min(config.connections, len(photographs))):
            obtain = Obtainer(Client(config, stop), state / "parts", config.deadline, decoders)
            threads.append(threading.Thread(target=_work, args=(jobs, outcomes, obtain, stop), daemon=True))
            threads[-1].start()
        for _ in photographs:
            outcome = outcomes.get()
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome
    finally:
        stop.set()
        patience = time.monotonic() + GRACE
        for thread in threads:
            thread.join(max(0.0, patience - time.monotonic()))


def _work(jobs: queue.SimpleQueue, outcomes: queue.SimpleQueue, obtain: Obtainer, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            outcomes.put(obtain(jobs.get_nowait()))
        except queue.Empty:
            return
        except Exception as error:  # the main thread raises it, unless it has left (Stopped)
            outcomes.put(error)
