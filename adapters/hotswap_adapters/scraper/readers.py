"""Readers: the few threads in which pages are taken apart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")

READERS = 2
"""Threads of one scraper: extraction holds the interpreter most of the time, so more would only starve the loop."""


class Readers:
    """Runs work in threads, so many at a time. Who gives up is let go at once; the place is free when the work ends."""

    def __init__(self) -> None:
        self._places = anyio.Semaphore(READERS)

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work`` in a thread."""
        await self._places.acquire()
        loop, begun = asyncio.get_running_loop(), threading.Lock()

        def held() -> T:
            if not begun.acquire(blocking=False):
                raise RuntimeError("given up before it began")  # which nobody waits for
            try:
                return work()
            finally:
                with suppress(RuntimeError):  # the loop is closed: nobody waits for a place either
                    loop.call_soon_threadsafe(self._places.release)

        try:
            return await anyio.to_thread.run_sync(held, abandon_on_cancel=True)
        finally:
            if begun.acquire(blocking=False):  # cancelled before a thread took it up
                self._places.release()
