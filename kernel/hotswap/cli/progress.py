"""How far a workflow is, on stderr: bars on a terminal, a line every few seconds elsewhere, nothing when not wanted."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.output import coloured, is_terminal
from hotswap.cli.visible import one_line

if TYPE_CHECKING:
    from rich.progress import TaskID

    from hotswap_ports import Progress, ProgressEvent

SECONDS = 5.0
"""The least time between two lines of progress, and before the first: a short run says nothing."""
_WIDEST = 60


@contextmanager
def progress_of(invocation: Invocation) -> Iterator[Progress | None]:
    """Yield what a workflow is given to report its progress to; None when nobody wants it."""
    if invocation.quiet or invocation.json:
        yield None
    elif is_terminal(sys.stderr) and not os.environ.get("CI") and os.environ.get("TERM") != "dumb":
        with _bars() as show:
            yield show
    else:
        yield Lines()


class Lines:
    """Prints a line at most every few seconds; ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, seconds: float = SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._last = clock()

    def __call__(self, event: ProgressEvent) -> None:
        """Say where the work is, if it is time to."""
        now = self._clock()
        if now - self._last >= self._seconds:
            self._last = now
            total = "" if event.total is None else f"/{event.total}"
            click.echo(one_line(f"{event.step} {event.done}{total} {event.item}").rstrip(), err=True)


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    # markup=False: an address with brackets in it is text
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[item]}", markup=False),
    )
    console = Console(file=sys.stderr, no_color=not coloured(sys.stderr), stderr=True)
    steps: dict[str, TaskID] = {}
    # stdout is left alone: the report goes there, maybe into a file
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bars:

        def show(event: ProgressEvent) -> None:
            task = steps.get(event.step)
            if task is None:
                task = steps[event.step] = bars.add_task(one_line(event.step), total=event.total, item="")
            bars.update(task, completed=event.done, total=event.total, item=_short(one_line(event.item)))

        yield show


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST // 2]}…{text[-_WIDEST // 2 + 1 :]}"
