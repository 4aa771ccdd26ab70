"""Ctrl-C and SIGTERM: the first asks the work to end in order, the second ends the process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """The user, or the system, wants an end. ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"signal {number}")

    @property
    def exit_code(self) -> int:
        """Return the exit code that shells know: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number

    @property
    def line(self) -> str:
        """Return what is said to the user."""
        return "Interrupted." if self.number == signal.SIGINT else "Terminated."


class Interrupts:
    """Holds both signals while a command runs; a context manager.

    Outside a running loop the first signal raises Interrupted where it arrives. Inside one it calls what ``attach``
    was given, which cancels the work; then, and while things close, it is only remembered: see ``check``.
    """

    def __init__(self) -> None:
        self.number = 0
        self._cancel: Callable[[], object] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def attach(self, cancel: Callable[[], object]) -> None:
        """Say how to end the work that is beginning."""
        self._cancel = cancel
        if self.number:
            cancel()

    def hold(self) -> None:
        """Let what is being closed come to its end: a first signal that arrives from now on is only remembered."""
        self._cancel = _nothing

    def detach(self) -> None:
        """Say that no loop runs any more."""
        self._cancel = None

    def check(self) -> None:
        """Raise Interrupted when a signal has arrived."""
        if self.number:
            raise Interrupted(self.number)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if self.number:  # the second: nothing in Python is waited for
            with suppress(OSError):  # print could be in the middle of something itself
                os.write(2, f"\n{Interrupted(self.number).line}\n".encode())
            os._exit(128 + number)
        self.number = number
        if self._cancel is None:
            raise Interrupted(number)
        self._cancel()


def _nothing() -> None:
    """Do nothing."""
