"""How tests wait for what happens elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

AT_ONCE = 20
"""Turns of the loop in which what needs no thread has happened."""


async def until(happened: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something has happened, and fail if that takes too long.

    After the first turns it looks every millisecond: a loop that never rests leaves the interpreter to a thread for one
    system call at a time.
    """
    async with asyncio.timeout(seconds):
        for turn in count():
            if happened():
                return
            await asyncio.sleep(0 if turn < AT_ONCE else 0.001)
