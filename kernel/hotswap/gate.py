"""A gate before which calls wait until it is released, or for as long as they may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

ASKS = 0.02
"""Seconds until one that waits asks for the first time whether it still has to; then each time after twice as long."""


class Gate:
    """Closed from the start, and open for good once it is released.

    Args:
        seconds: how long each call waits.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._open = asyncio.Event()

    def release(self) -> None:
        """Let the calls go on."""
        self._open.set()

    async def opens(self, must: Callable[[], bool] = lambda: True) -> bool:
        """Wait; return whether it was released in time.

        Args:
            must: asked now and then whether the call still has to wait: whoever holds it up may have begun to wait for
                it in turn.
        """
        loop = asyncio.get_running_loop()
        ends, pause = loop.time() + self.seconds, ASKS
        while not self._open.is_set() and (left := ends - loop.time()) > 0 and must():
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pause, left)):
                    await self._open.wait()
            pause *= 2
        return self._open.is_set()
