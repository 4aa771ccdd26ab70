"""Automatic garbage collection while a kernel comes up.

Nearly all that is made then stays, and CPython would look through the youngest of it after every 700 objects, and
through all of it time and again: a quarter of the time. It is never switched off, since what a plugin does meanwhile
may make garbage and take long; and nothing is frozen, since most objects in the process are not the kernel's.
"""

from __future__ import annotations

import gc
import threading

SELDOM = 200_000
"""Objects made and kept between two collections: some 40 MB of garbage at most."""


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
