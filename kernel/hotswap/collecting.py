"""Automatic garbage collection while a kernel comes up.

Nearly all that is made then stays, and CPython would look through the youngest of it after every 700 objects, and
through all of it time and again: a quarter of the time. It is never switched off, since what a plugin does meanwhile
may make garbage and take long; and nothing is frozen, since most objects in the process are not the kernel's.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import ExitStack

SELDOM = 500_000
"""Objects made and kept between two collections: some 100 MB of garbage at most."""


class SeldomCollected:
    """Collections are rare within the block. Blocks of several kernels, in any threads, share one beginning and end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._before: tuple[int, int, int] | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._blocks += 1
            now = gc.get_threshold()
            if self._blocks == 1 and 0 < now[0] < SELDOM:
                self._before = now
                gc.set_threshold(SELDOM, *now[1:])

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._blocks -= 1
            if self._blocks or self._before is None:
                return
            before, self._before = self._before, None
            if gc.get_threshold() == (SELDOM, *before[1:]):  # else somebody has decided otherwise meanwhile
                gc.set_threshold(*before)


SELDOM_COLLECTED = SeldomCollected()
IDLE_AFTER = 1.0
"""Seconds after coming up: by then an application has made the first calls that it was started for."""


class ComingUp:
    """Lets collections be rare while a kernel comes up, and until its application has had a moment of its own."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._seldom = ExitStack()

    def begin(self) -> None:
        """Begin."""
        self._seldom.enter_context(SELDOM_COLLECTED)

    def end_soon(self) -> None:
        """End a while after this: the first collection then looks at all that was made."""
        self._timer = asyncio.get_running_loop().call_later(IDLE_AFTER, self.end)

    def end(self) -> None:
        """End now, if that was not done yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._seldom.close()
