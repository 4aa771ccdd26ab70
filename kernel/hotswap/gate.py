"""A gate before which calls wait until it is released, or for as long as they may."""

from __future__ import annotations

import asyncio


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

    async def opens(self) -> bool:
        """Wait; return whether it was released in time."""
        try:
            async with asyncio.timeout(self.seconds):
                await self._open.wait()
        except TimeoutError:
            return self._open.is_set()
        return True
