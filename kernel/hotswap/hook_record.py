"""What handlers did: how often each was called, and what went wrong last."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from attrs import frozen
from loguru import logger

KEPT_FAILURES = 100
"""How many of the last failures are kept: a screenful to look at, and a bound on memory."""


class Tally:
    """How often all handlers of a chain have run: one number for all of them, which each one's count looks at."""

    __slots__ = ("runs",)

    def __init__(self) -> None:
        self.runs = 0


class HookCount:
    """How often the handlers of one plugin at one point were called, and how often that failed."""

    __slots__ = ("_tallies", "alone", "failures")

    def __init__(self) -> None:
        self._tallies: list[Tally] = []
        self.alone = 0
        """Calls that are in no tally: of runs in which some handler had something to say."""
        self.failures = 0

    @property
    def calls(self) -> int:
        """Return how often they were called; one that still waits for something is not counted yet."""
        return self.alone + sum(each.runs for each in self._tallies)

    def share(self, tally: Tally) -> None:
        """Count the runs of a chain, once for each handler in it."""
        self._tallies.append(tally)

    def take(self, tally: Tally, runs: int) -> None:
        """Take over what stood in a tally that comes to its end."""
        self.alone += runs
        if tally in self._tallies:
            self._tallies.remove(tally)

    def __repr__(self) -> str:
        return f"HookCount(calls={self.calls}, failures={self.failures})"


@frozen
class HookFailure:
    """One handler that failed. The error is kept as text: an exception would keep its frames, and what they hold."""

    point: str
    source: str
    """The plugin's id; empty for the application."""
    time: datetime
    error: str


class HookRecord:
    """Counts and recent failures of one kernel's handlers; those of a plugin stay readable after it has gone."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], HookCount] = {}
        self.failures: deque[HookFailure] = deque(maxlen=KEPT_FAILURES)

    @property
    def counts(self) -> Mapping[tuple[str, str], HookCount]:
        """Return the counts by point and plugin id."""
        return MappingProxyType(self._counts)

    def count(self, point: str, source: str) -> HookCount:
        """Return the count that the handlers of ``source`` at ``point`` share."""
        return self._counts.setdefault((point, source), HookCount())

    def failed(self, point: str, source: str, error: Exception) -> None:
        """Count, keep and log a handler's failure; the log gets the 1st, 2nd, 4th, 8th ... of a plugin at a point.

        A hook that fails on every call would otherwise slow each of them by the time that logging takes.
        """
        text = f"{type(error).__name__}: {error}"
        count = self.count(point, source)
        count.failures += 1
        self.failures.append(HookFailure(point, source, datetime.now(UTC), text))
        if count.failures & (count.failures - 1):
            return
        log = logger.bind(plugin=source, point=point, failures=count.failures)
        log.warning("A hook of {!r} at {} failed, and the chain goes on: {}", source or "application", point, text)
        log.opt(exception=error).debug("Where the hook at {} failed", point)
