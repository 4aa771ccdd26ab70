"""One call that a shadow gives to the candidate too, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from hotswap.generation import Generation
from hotswap.trials.answers import Answer

ITEMS = 1_000
"""How many items of a stream are kept and compared."""

Clock: TypeAlias = Callable[[], float]
Ask: TypeAlias = Callable[[Generation, Clock], Awaitable[Answer]]
"""Gives a call to the candidate, and measures it."""


class Repeated:
    """A call that the candidate is given too."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.busy = True
        """Whether the candidate is at it."""
        self.heard: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        """What the caller was answered."""
        self.task: asyncio.Task[None] | None = None

    def tell(self, answer: Answer) -> None:
        """Take in what the caller was answered."""
        if not self.heard.done():  # cancelled with the task, when the trial is over
            self.heard.set_result(answer)

    def give_up(self) -> None:
        """Let the candidate stop: the caller does not wait for an answer either."""
        if self.task is not None:
            self.task.cancel()


class Items:
    """The first items of a stream, and how long it took to the very first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock()
        self._seconds: float | None = None
        self._items: list[Any] = []

    @property
    def full(self) -> bool:
        """Return whether further items are not kept."""
        return len(self._items) == ITEMS

    def add(self, item: Any) -> None:
        """Keep an item, unless there are enough."""
        if self._seconds is None:
            self._seconds = self._clock() - self._since
        if not self.full:
            self._items.append(item)

    def answer(self) -> Answer:
        """Return what was kept."""
        seconds = self._clock() - self._since if self._seconds is None else self._seconds
        return Answer(seconds, items=tuple(self._items))
