"""What one side of a trial has done so far."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, deque
from math import ceil

from hotswap.trials.endings import ANSWERED, Ending
from hotswap.trials.stats import Side

WINDOW = 512
"""How many latencies are kept: the 26 largest lie above their p95, which makes it steady enough."""


class Latencies:
    """The last latencies, in seconds."""

    def __init__(self, size: int = WINDOW) -> None:
        self._size = size
        self._last: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._last)

    def add(self, seconds: float) -> None:
        """Take one in; the oldest goes when there are more than the window holds."""
        if len(self._last) == self._size:
            del self._sorted[bisect_left(self._sorted, self._last.popleft())]
        self._last.append(seconds)
        insort(self._sorted, seconds)

    @property
    def p95(self) -> float | None:
        """Return the least latency that 95 % do not exceed; None when there are none."""
        return self._sorted[ceil(0.95 * len(self._sorted)) - 1] if self._sorted else None


class Meter:
    """Counts the calls of one provider, by how they ended."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.latencies = Latencies()
        self.calls = 0
        self._endings = [0] * len(Ending)
        self._errors = Counter[str]()

    def add(self, ending: Ending, seconds: float, error: Exception | None = None) -> None:
        """Count a call; the latency is that of an answer (of a stream: of its first item)."""
        self.calls += 1
        self._endings[ending] += 1
        if ending is ANSWERED:
            self.latencies.add(seconds)
        elif error is not None:
            self._errors[type(error).__name__] += 1

    def share(self, ending: Ending) -> float:
        """Return the share of the calls that ended so; 0 when there were none."""
        return self._endings[ending] / self.calls if self.calls else 0.0

    def count(self, ending: Ending) -> int:
        """Return how many calls ended so."""
        return self._endings[ending]

    def side(self) -> Side:
        """Return the counts as they are now."""
        return Side(
            self.provider,
            self.calls,
            self._endings[Ending.FAILED],
            self._endings[Ending.DECLINED],
            self._endings[Ending.GIVEN_UP],
            self.latencies.p95,
            dict(self._errors),
        )
