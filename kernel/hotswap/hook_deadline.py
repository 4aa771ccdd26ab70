"""A bound on the time that handlers take, paid for only by those that really wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


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
        """Give the next handler its time."""
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

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()


@coroutine
def watched(work: Coroutine[Any, Any, T], waits: Callable[[], Deadline | None]) -> Generator[Any, Any, T]:
    """Run ``work``; ``waits`` is called when it waits for the first time, and its deadline is ended with the work.

    Most handlers never wait, and ``asyncio.timeout`` around each would cost more than they do. So the first step is
    taken by hand, and only work that comes back from it unfinished gets a timer.
    """
    try:
        awaited = work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    deadline = waits()
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
    except StopIteration as stop:
        value = stop.value
        return value
    finally:
        if deadline is not None:
            deadline.end()
