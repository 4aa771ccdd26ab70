"""A bound on the time that handlers take, paid for only by those that really wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, Protocol, TypeAlias

Steps: TypeAlias = Generator[Any, Any, None] | Coroutine[Any, Any, None]


class Deadline:
    """Cancels what a task waits for when a handler takes too long; used again for each handler of a stage.

    It asks the task whether somebody else wants it cancelled as well, as ``asyncio.timeout`` does. A handler that
    catches the cancellation and goes on is cancelled again after the same time.
    """

    __slots__ = ("_cancelling", "_fired", "_loop", "_reason", "_seconds", "_timer", "since", "task")

    def __init__(self, seconds: float, task: asyncio.Task[Any]) -> None:
        self._seconds = seconds
        self._loop = task.get_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._fired = 0
        self._reason = ""
        self._cancelling = 0
        self.task = task
        self.since = 0.0
        """When the handler began to wait, by the loop's clock."""

    @property
    def age(self) -> float:
        """Return the seconds that the handler has waited."""
        return self._loop.time() - self.since

    @property
    def is_cut(self) -> bool:
        """Return whether the handler at work was cut short."""
        return bool(self._reason)

    def begin(self) -> None:
        """Start the clock, unless it runs."""
        if self._timer is None:
            self._cancelling = self.task.cancelling()
            self._reason = ""
            self.since = self._loop.time()
            self._timer = self._loop.call_at(self.since + self._seconds, self._expire)

    def end(self) -> str:
        """Stop the clock; say why the task was cancelled, if it was by this, and by nobody else."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        fired, self._fired = self._fired, 0
        left = self._cancelling
        for _ in range(fired):
            left = self.task.uncancel()
        if not fired or left > self._cancelling:
            return ""
        return self._reason or f"it did not answer within {self._seconds:g} s"

    def cut(self, reason: str) -> None:
        """Let the time be up now."""
        if self._timer is not None:
            self._timer.cancel()
            self._reason = reason
            self._expire()

    def _expire(self) -> None:
        self._fired += 1
        self._timer = self._loop.call_later(self._seconds, self._expire)
        self.task.cancel()


class Watched(Protocol):
    """Where the work finds its deadline, to end it after each handler."""

    deadline: Deadline | None


DONE = object()
"""What ``next(steps, DONE)`` gives where work has ended; no step is cheaper, since no exception is made of the end."""


@coroutine
def watched(_hotswap_steps: Steps, awaited: Any, watch: Watched, seconds: float) -> Generator[Any, Any, None]:
    """Go on with work that waits for ``awaited`` after its first step, with a deadline on ``watch``.

    Most handlers never wait, and ``asyncio.timeout`` around each would cost more than they do. So the first step of a
    stage is taken by hand, and only what comes back from it unfinished gets a timer. Who follows what a task awaits
    finds the work in ``_hotswap_steps``, a local of this frame.
    """
    task = asyncio.current_task()
    deadline = watch.deadline = None if task is None else Deadline(seconds, task)
    try:
        while True:
            if deadline is not None:
                deadline.begin()
            try:
                sent = yield awaited
            except GeneratorExit:
                _hotswap_steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - handed on to the work, which decides
                awaited = _hotswap_steps.throw(error)
            else:
                awaited = _hotswap_steps.send(sent)
    except StopIteration:
        return
    finally:
        if deadline is not None:
            deadline.end()
