"""Politeness: how often, and how many at a time, one host is asked."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from aiolimiter import AsyncLimiter
from attrs import frozen

from hotswap_ports.errors import RateLimited

_LANES = 1024
_LONGEST_HOLD = 600.0


@frozen
class Limits:
    """What one host may be asked."""

    requests_per_second: float = 4.0
    burst: int = 8
    """Requests that may follow each other without a wait after a pause."""
    concurrency: int = 4


class Lane:
    """The requests to one host."""

    def __init__(self, host: str, limits: Limits, clock: Callable[[], float]) -> None:
        self._host = host
        self._limits = limits
        self._clock = clock
        self._places = anyio.Semaphore(limits.concurrency)
        self._rate = AsyncLimiter(limits.burst, limits.burst / limits.requests_per_second)
        self._delay = 0.0
        self._held_until = 0.0
        self.users = 0

    def slow_down(self, delay: float) -> None:
        """Leave ``delay`` seconds between requests, as robots.txt asks, where that is slower than the limits."""
        if delay != self._delay and delay > 1 / self._limits.requests_per_second:
            self._delay = delay
            self._rate = AsyncLimiter(1, delay)

    def hold(self, seconds: float) -> None:
        """Let nobody ask for ``seconds``, ten minutes at most: the host said when to come back."""
        self._held_until = max(self._held_until, self._clock() + min(seconds, _LONGEST_HOLD))

    @asynccontextmanager
    async def turn(self, remaining: Callable[[], float]) -> AsyncIterator[None]:
        """Wait for a place and a turn, and keep the place inside the ``async with``.

        Raises:
            RateLimited: the host asked to be left alone for longer than the ``remaining()`` seconds.
        """
        async with self._places:
            while (held := self._held_until - self._clock()) > 0:
                if held >= remaining():
                    raise RateLimited(f"{self._host} asked to be left alone for another {held:.0f} s.", held)
                await anyio.sleep(held)
            async with self._rate:
                pass
            yield


class Lanes:
    """A lane for each host; idle ones are forgotten when there are many."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._lanes: dict[str, Lane] = {}

    @asynccontextmanager
    async def turn(self, host: str, remaining: Callable[[], float]) -> AsyncIterator[Lane]:
        """Wait for a turn in the lane of ``host``; raises as ``Lane.turn`` does."""
        lane = self.of(host)
        lane.users += 1
        try:
            async with lane.turn(remaining):
                yield lane
        finally:
            lane.users -= 1

    def of(self, host: str) -> Lane:
        """Return the lane of ``host``."""
        lane = self._lanes.pop(host, None) or Lane(host, self._limits, self._clock)
        self._lanes[host] = lane
        if len(self._lanes) > _LANES:
            oldest = next((each for each, held in self._lanes.items() if not held.users and each != host), None)
            self._lanes.pop(oldest or "", None)
        return lane
