"""One process at a time: a turn is held by whoever has the file locked, and is free again when that process ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE = 0.02
"""Seconds between two tries: a turn lasts some milliseconds."""


@contextmanager
def turn(path: Path, wait: float) -> Iterator[None]:
    """Hold the turn at ``path``, a file that is made when it is not there and stays.

    The lock is the system's, so one of a process that was killed holds up nobody. Threads exclude each other too.
    Raises BlockingIOError when others hold it for ``wait`` seconds, and OSError when the file cannot be locked.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        until = time.monotonic() + wait
        while True:
            try:
                _lock(descriptor)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, "another process holds it") from error
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
