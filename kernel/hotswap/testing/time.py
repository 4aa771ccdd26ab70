"""The time that a plugin under test lives in: it stands still, and a test moves it on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hotswap.errors import CallInvalid
from hotswap_ports import FeatureUnsupported

_RESOLUTION = 1e-6
"""Seconds that a timer may be late."""
TURNS = 1_000
"""Turns of the loop that what a timer has woken may take, at most, before the next timer is due."""


class ManualTime:
    """Moves the clock of an event loop on, and that of the wall where it was frozen.

    Timers that come due meanwhile go off one after the other, each at its own time. A loop's clock never goes back:
    it stays ahead of the machine's by what it was moved on.

    Args:
        now: aware; what ``datetime.now``, ``time.time`` and their like say in this process until it is moved on. None:
            what they say otherwise. Needs the distribution time-machine.

    Raises:
        CallInvalid: the moment names no time zone.
        FeatureUnsupported: time-machine is not installed.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now
        self._frozen: Any = None if now is None else _travel(now)
        self._wall: Any = None

    def start(self) -> None:
        """Freeze the clock on the wall, if it is to be."""
        if self._frozen is not None:
            self._wall = self._frozen.start()

    def stop(self) -> None:
        """Let the clock on the wall say what it says otherwise."""
        if self._wall is not None:
            self._frozen.stop()
            self._wall = None

    async def advance(self, seconds: float) -> None:
        """Let time pass, and let everything that was waiting for it go on.

        Raises:
            CallInvalid: ``seconds`` is below 0.
        """
        if not seconds >= 0:
            raise CallInvalid("advance", "seconds, 0 or more", seconds)
        clock = _clock_of(asyncio.get_running_loop())
        begun, passed, now = clock.ahead, 0.0, self._now
        await clock.settle()  # what was only begun has yet to say what it waits for
        while passed < seconds:
            passed = min(seconds, passed + clock.until_next())
            clock.ahead = begun + passed
            if now is not None and self._wall is not None:
                self._now = now + timedelta(seconds=passed)
                self._wall.move_to(self._now)
            await clock.settle()


class _LoopClock:
    """The clock of an event loop, ahead of the machine's by some seconds."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._machine: Callable[[], float] = loop.time
        self.ahead = 0.0

    def __call__(self) -> float:
        return self._machine() + self.ahead

    def until_next(self) -> float:
        """Return how many seconds there are until a timer goes off; more than 0, and without end for none."""
        due = (each.when() for each in getattr(self._loop, "_scheduled", ()) if not each.cancelled())
        return max(min(due, default=math.inf) - self(), 0.0) + _RESOLUTION

    async def settle(self) -> None:
        """Let run what is due, and what that leads to, up to where it waits for something else."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if not getattr(self._loop, "_ready", ()):
                return


def _clock_of(loop: asyncio.AbstractEventLoop) -> _LoopClock:
    found: object = loop.time
    if isinstance(found, _LoopClock):
        return found
    clock = _LoopClock(loop)
    try:
        loop.time = clock  # type: ignore[method-assign] # what a loop asks for the time
    except AttributeError as error:
        raise FeatureUnsupported("hotswap.testing", f"moving on the clock of a {type(loop).__name__}") from error
    return clock


def _travel(now: datetime) -> Any:
    if now.tzinfo is None:
        raise CallInvalid(
            "PluginHarness(now=...)", "a datetime with a time zone", now, "Say datetime(..., tzinfo=UTC)."
        )
    try:
        import time_machine
    except ImportError as error:
        hint = "pip install 'hotswap[testing]'"
        raise FeatureUnsupported("hotswap.testing", "freezing time: time-machine is not installed", hint) from error
    return time_machine.travel(now, tick=False)
