"""Retries: what may pass by itself, and how long to wait for it."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import stamina
from attrs import frozen

from hotswap_ports.errors import PortError

if TYPE_CHECKING:
    from stamina import Attempt

# Without a handler of its own, stamina's warning at each retry goes to stderr, across the host's progress bars.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class Transient(Exception):
    """A failure that may pass: ``error`` is what the caller gets when it does not."""

    def __init__(self, error: PortError, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after
        """Seconds that the server asked for; None where it did not."""


@frozen
class Backoff:
    """Waits of 1, 2, 4 ... times ``initial`` seconds, each with up to ``initial`` of jitter, none above ``longest``."""

    attempts: int = 3
    initial: float = 0.5
    longest: float = 10.0

    def tries(self, remaining: Callable[[], float]) -> AsyncIterator[Attempt]:
        """Return attempts to enter one after the other.

        A wait that the server asks for replaces the own one. What would end after ``remaining()`` seconds is not
        waited for: the failure is raised at once.
        """

        def on(error: Exception) -> bool | float:
            if not isinstance(error, Transient) or (error.retry_after or 0.0) >= remaining():
                return False
            return True if error.retry_after is None else error.retry_after

        return aiter(
            stamina.retry_context(
                on=on,
                attempts=self.attempts,
                timeout=None,
                wait_initial=self.initial,
                wait_max=self.longest,
                wait_jitter=self.initial,
            )
        )


def seconds_of(retry_after: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, a number or a date; None for none that is readable."""
    if not retry_after:
        return None
    value = retry_after.strip()
    if value.isdigit() and value.isascii():
        return float(value[:12])
    try:
        when = parsedate_to_datetime(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0.0, math.ceil(seconds))
