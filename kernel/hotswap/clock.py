"""A coarse clock that costs an attribute: calls note when they began without asking the system for the time.

``time.monotonic()`` in every call would cost a quarter of the call. A running kernel moves the clock on once a second;
where none runs it stands still, and ages that are read from it are 0.
"""

from __future__ import annotations

import asyncio
import time

TICK = 1.0
"""Seconds between two moves: the ages of stuck calls, which are all this is for, are many of these."""


class CoarseClock:
    """Seconds of the monotonic clock, up to ``TICK`` behind."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = time.monotonic()

    def age(self, since: float) -> float:
        """Return the seconds since ``since``, which was read from ``now``; at most ``TICK`` too many."""
        return max(0.0, time.monotonic() - since)


CLOCK = CoarseClock()
"""One for the process: time is the same for all kernels."""


class Ticking:
    """Moves the clock on while a kernel runs."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Move the clock on now, and once a second from here on."""
        CLOCK.now = time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(TICK, self.start)

    def stop(self) -> None:
        """Let the clock stand, as far as this kernel is concerned."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
