"""What a person sees on the terminal: one console, one progress bar style."""

import functools
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

Item = TypeVar("Item")

console = Console(stderr=True)
"""Progress and messages: standard error."""


def results() -> Console:
    """Results: standard output, as wide as the terminal, or wide enough for every table where there is none."""
    return Console(width=None if sys.stdout.isatty() else 120)


class RateColumn(ProgressColumn):
    """Items a second, in the task's own unit."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {task.fields.get('unit', 'items')}/s" if speed else "", style="progress.data.speed")


def progress_bar() -> Progress:
    """A bar with count, rate and time left (at the end: taken); give each task a `unit` and a `note`.

    Nothing is drawn where there is no terminal: what runs long says so in lines of its own.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        disable=not console.is_terminal,
    )


def track(
    items: Iterable[Item], description: str, unit: str, total: int | None = None, before: int = 0
) -> Iterator[Item]:
    """Yields the items while a progress bar shows how many are done, the rate and the time left.

    `before` of the `total` were done by an earlier call.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    started, done = time.perf_counter(), 0
    with progress_bar() as progress:
        task = progress.add_task(description, total=total, completed=before, unit=unit, note="")
        for item in items:
            yield item
            done += 1
            progress.advance(task)
    if not console.is_terminal:
        earlier = f" ({before} before)" if before else ""
        say(f"{description}: {done} {unit} in {time.perf_counter() - started:.1f} s{earlier}")


def say(message: str | Text) -> None:
    """Prints a line of messages as it stands: names and reasons in it are never taken as markup."""
    console.print(message, markup=False, highlight=False, soft_wrap=True)


@functools.cache
def say_once(message: str) -> None:
    """Prints a line of messages the first time that this process has it to say."""
    say(message)


def written(what: object, rest: str) -> None:
    """Prints a line of results that begins with a file, folder or name; nothing in it is taken as markup."""
    results().print(Text.assemble((str(what), "bold"), rest), soft_wrap=True, highlight=False)
