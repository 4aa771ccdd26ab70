"""A gate before which calls wait until it is released, or for as long as they may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

ASKS = 0.02
"""Seconds until it is asked for the first time whether a call still has to wait; then each time after twice as long."""

Must: TypeAlias = Callable[[asyncio.Task[Any] | None], bool]
"""Tells whether a call has to wait, given its task while that is suspended; None: it is the current one."""


class Gate:
    """Closed from the start, and open for good once it is released.

    Args:
        seconds: how long each call waits.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._released = False
        self._waiting: set[asyncio.Future[bool]] = set()

    def release(self) -> None:
        """Let the calls go on."""
        self._released = True
        for each in self._waiting:
            if not each.done():
                each.set_result(True)

    async def opens(self, must: Must = lambda task: True) -> bool:
        """Wait; return whether it was released in time.

        Args:
            must: asked at first, and then now and then: whoever holds a call up may have begun to wait for it in turn.
        """
        if self._released or self.seconds <= 0 or not must(None):
            return self._released
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        ends = loop.time() + self.seconds
        waiter: asyncio.Future[bool] = loop.create_future()
        timer: asyncio.TimerHandle

        def ask(pause: float) -> None:
            nonlocal timer
            left = ends - loop.time()
            if waiter.done():
                return
            try:
                if left <= 0 or not must(task):
                    waiter.set_result(False)
                    return
            except Exception as error:  # noqa: BLE001 - raised for the call that waits
                waiter.set_exception(error)
                return
            timer = loop.call_later(min(2 * pause, left), ask, 2 * pause)

        timer = loop.call_later(min(ASKS, self.seconds), ask, ASKS)
        self._waiting.add(waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiting.discard(waiter)
