"""A process that answers calls: its memory goes back with it, a crash takes nothing else along, and it ends when its
parent does, so that no two processes ever write into one folder.

    with Child({"KERAS_BACKEND": "tensorflow"}, hidden=True) as child:  # or Child(log=path), or Child(): our stderr
        child.call("package.module:function", 3, array)      # its value; an error is raised here
        child.keep("package.module:Class", path)             # what that gives stays in the process ...
        child.call("method", array)                          # ... and its methods can be called
        child.send("package.module:function", 5)             # the same in two steps: several children at once,
        multiprocessing.connection.wait([child, other], 0.2) # ... those that have an answer or have died
        child.receive()

It is a plain subprocess and two pipes, not `multiprocessing`, which would run the caller's main module again, or fork
threads of torch. Arrays are not copied on the way in or out of a pipe.
"""

import contextlib
import os
import pickle
import pkgutil
import queue
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from kerastrash.errors import KerastrashError


class ChildError(KerastrashError):
    """A call in a child that raised what is no KerastrashError, then with its traceback; or a child that died."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback


class Child(contextlib.AbstractContextManager):
    """A process that answers one call at a time; calls from several threads must not overlap.

    An error or interrupt in this process in the middle of a call ends the child. What it prints is added to the `log`,
    or is `hidden`, but for the last line if it dies, or goes to this process's standard error.

    Args:
        environment: variables beside those of this process.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, log: Path | None = None, hidden: bool = False
    ) -> None:
        self._log = log
        self._printed = log.open("ab") if log else tempfile.TemporaryFile() if hidden else None  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from kerastrash.processes import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | dict(environment or {}),
            start_new_session=True,  # an interrupt at the terminal is the parent's to deal with
        )
        self.pid = self._process.pid

    def call(self, function: str, *arguments: Any) -> Any:
        """The value of `module:function`, or of a `method` of what is kept, for the arguments.

        Raises:
            KerastrashError: as the function raised it.
            ChildError: any other exception of the function, or the process died.
        """
        self.send(function, *arguments)
        return self.receive()

    def keep(self, function: str, *arguments: Any) -> None:
        """Calls `module:function` and keeps its value in the process, in place of an earlier one; raises as `call`."""
        self.send(function, *arguments, keep=True)
        self.receive()

    def send(self, function: str, *arguments: Any, keep: bool = False) -> None:
        """Begins a call; `receive` is to follow before the next one."""
        try:
            _write(self._process.stdin, (function, arguments, keep))
        except BrokenPipeError:
            pass  # `receive` says how the process ended
        except BaseException:
            self.close()
            raise

    def receive(self) -> Any:
        """Waits for the answer to the call that was sent; raises as `call`."""
        try:
            first, *buffers = _read(self._process.stdout)
            value, error = pickle.loads(first, buffers=buffers)
        except EOFError:
            raise ChildError(self._last_words()) from None
        except BaseException:
            self.close()
            raise
        if error:
            raise error
        return value

    def fileno(self) -> int:
        """The descriptor that is readable when an answer is there, or the process has died."""
        return self._process.stdout.fileno()

    def close(self) -> None:
        """Ends the process at once, whatever it does."""
        self._process.kill()
        self._process.communicate()
        if self._printed:
            self._printed.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _last_words(self) -> str:
        """How the process ended, such as with `exit status 1` or `signal 9 (out of memory?)`, and where to look."""
        code = self._process.wait()
        how = f"exit status {code}" if code >= 0 else f"signal {-code}" + " (out of memory?)" * (code == -9)
        ended = f"its process ended with {how}"
        if self._log:
            return f"{ended}; see {self._log}"
        if not self._printed:
            return ended
        self._printed.seek(0)
        last = self._printed.read().decode(errors="replace").strip().rpartition("\n")[2]
        return f"{ended}: {last or 'it said nothing'}"


def said(error: BaseException) -> str:
    """An exception in one line: a KerastrashError's sentence, the class and the first line of any other."""
    first = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
    return str(error) if isinstance(error, KerastrashError) else first


def _write(stream: BinaryIO, value: Any) -> None:
    """The value as: the sizes of its pieces, a pickle, and each array's bytes as they lie in memory."""
    buffers: list[pickle.PickleBuffer] = []
    pieces = [pickle.dumps(value, pickle.HIGHEST_PROTOCOL, buffer_callback=buffers.append)]
    pieces += [buffer.raw() for buffer in buffers]
    pickle.dump([len(piece) for piece in pieces], stream)
    for piece in pieces:
        stream.write(piece)
    stream.flush()


def _read(stream: BinaryIO) -> list[bytearray]:
    pieces = [bytearray(size) for size in pickle.load(stream)]
    for piece in pieces:
        if stream.readinto(piece) < len(piece):
            raise EOFError
    return pieces


def serve() -> None:
    """The child: answers requests until its parent is gone."""
    # Descriptors of their own, so that nothing that is printed or started here gets at the two pipes.
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what is printed goes to standard error
    waiting: queue.SimpleQueue[list[bytearray]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, waiting), daemon=True).start()
    kept: list[Any] = []
    while True:
        answer = _answer(waiting.get(), kept)
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            _write(answers, answer)
        except BrokenPipeError:
            os._exit(1)
        except Exception as error:  # what the function returned cannot be pickled
            _write(answers, (None, ChildError(said(error), traceback.format_exc())))


def _listen(requests: BinaryIO, waiting: queue.SimpleQueue) -> None:
    """Reads requests in a thread of its own, which notices at once that the parent is gone, also during a call."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            waiting.put(_read(requests))
    os._exit(1)


def _answer(request: list[bytearray], kept: list[Any]) -> tuple[Any, KerastrashError | None]:
    try:
        name, arguments, keep = pickle.loads(request[0], buffers=request[1:])
        value = (pkgutil.resolve_name(name) if ":" in name else getattr(kept[0], name))(*arguments)
        if keep:
            kept[:] = [value]
            return None, None
    except KerastrashError as error:
        return None, error
    except BaseException as error:  # whatever it is, also an exit, it is this call's failure
        return None, ChildError(said(error), traceback.format_exc())
    return value, None
