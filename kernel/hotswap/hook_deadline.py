"""A bound on the time that handlers take, paid for only by those that really wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, Protocol


class Deadline:
    """Cancels what a task waits for when a handler takes too long; used again for each handler of a stage.

    It asks the task whether somebody else wants it cancelled as well, as ``asyncio.timeout`` does.
    """

    __slots__ = ("_cancelling", "_expired", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float, task: asyncio.Task[Any]) -> None:
        self._seconds = seconds
        self._task = task
        self._timer: asyncio.TimerHandle | None = None
        self._expired = False
        self._cancelling = 0

    def begin(self) -> None:
        """Start the clock."""
        self._cancelling = self._task.cancelling()
        self._expired = False
        self._timer = self._task.get_loop().call_later(self._seconds, self._expire)

    def end(self) -> bool:
        """Stop the clock; return whether the task was cancelled by it, and by nobody else."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._expired:
            return False
        self._expired = False
        return self._task.uncancel() <= self._cancelling

    def again(self) -> None:
        """Give the next handler its own time."""
        self.end()
        self.begin()

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()


class Watched(Protocol):
    """Where the work finds its deadline, to begin and end it around each handler."""

    deadline: Deadline | None


@coroutine
def watched(work: Coroutine[Any, Any, None], watch: Watched, seconds: float) -> Generator[Any, Any, None]:
    """Run ``work``; when it waits for the first time, put a deadline that runs on ``watch``.

    Most handlers never wait, and ``asyncio.timeout`` around each would cost more than they do. So the first step is
    taken by hand, and only work that comes back from it unfinished gets a timer.
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return
    task = asyncio.current_task()
    if task is not None:
        watch.deadline = Deadline(seconds, task)
        watch.deadline.begin()
    try:
        while True:
            try:
                sent = yield awaited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:  # noqa: BLE001 - handed on to the work, which decides
                awaited = work.throw(error)
            else:
                awaited = work.send(sent)
    except StopIteration:
        return
    finally:
        if watch.deadline is not None:
            watch.deadline.end()
