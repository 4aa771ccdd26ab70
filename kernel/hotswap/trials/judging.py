"""Who decides on a candidate: bounds, each with its evidence, or a function of the application's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from hotswap.errors import says
from hotswap.trials.bounds import Bounds
from hotswap.trials.endings import Ending
from hotswap.trials.evidence import Evidence
from hotswap.trials.meter import Meter
from hotswap.trials.stats import TrialStats, duration

SLOW = 0.05
"""The share of calls that lies above a p95."""
FLOOR = 0.005
"""Seconds below which no call is slow by comparison: there one would measure the event loop."""

KEPT = 8
"""For how many calls of the candidate's those to set them beside are kept."""


class Judge(Protocol):
    """Decides on a candidate, call by call."""

    def current(self, ending: Ending, seconds: float) -> None:
        """Hear of a call of the current provider's that ended."""

    def candidate(self, ending: Ending, seconds: float | None) -> None:
        """Hear of a call of the candidate's that ended; None: it was overdue, as was told before."""

    def overdue(self) -> None:
        """Hear of a call of the candidate's that has not been answered within the limit."""

    def limit(self) -> float | None:
        """Return the seconds after which an answer is late by every rule; None while that cannot be said."""

    def against(self) -> str:
        """Return why the candidate has to go back; empty: it may stay."""

    def fit(self) -> bool:
        """Return whether the candidate's numbers are within the bounds."""


class Errors:
    """No more of the candidate's calls than of the current provider's may end with errors of one kind."""

    def __init__(self, bad: Ending, margin: float, current: Meter, candidate: Meter) -> None:
        self.evidence = Evidence(margin)
        self._bad, self._margin = bad, margin
        self._current, self._candidate = current, candidate

    def broken(self, ending: Ending, seconds: float | None) -> bool | None:
        """Return whether a call breaks the rule; None: it says nothing about that."""
        return ending is self._bad

    def limit(self) -> float | None:
        return None

    def fit(self) -> bool:
        return self._candidate.share(self._bad) <= self._current.share(self._bad) + self._margin

    def __str__(self) -> str:
        own, other = self._candidate, self._current
        return (
            f"it {self._bad.name.lower()} {own.count(self._bad):,} of {own.calls:,} calls, "
            f"{other.provider} {other.count(self._bad):,} of {other.calls:,}"
        )


class Latency:
    """No more than 5 % of the candidate's answers may take longer than ``limit``, which is what a p95 means.

    A caller who gave up got no answer in time, whoever the provider is; one that failed or declined is no answer.
    """

    def __init__(self, bounds: Bounds, current: Meter, candidate: Meter, *, compared: bool) -> None:
        self.evidence = Evidence(SLOW, compared=compared)
        self._bounds, self._compared = bounds, compared
        self._current, self._candidate = current, candidate

    def limit(self) -> float | None:
        """Return the bound in seconds; None until the current provider has given answers enough to compare with."""
        if not self._compared:
            return self._bounds.p95_seconds
        others = self._current.latencies
        if others.p95 is None or len(others) < self._bounds.min_calls:
            return None
        return max((self._bounds.p95_ratio or 0) * others.p95, FLOOR)

    def broken(self, ending: Ending, seconds: float | None) -> bool | None:
        limit = self.limit()
        if limit is None or seconds is None or ending in (Ending.FAILED, Ending.DECLINED):
            return None
        return ending is Ending.GIVEN_UP or seconds > limit

    def fit(self) -> bool:
        limit, p95 = self.limit(), self._candidate.latencies.p95
        return limit is not None and (p95 is None or p95 <= limit)

    def __str__(self) -> str:
        late = f"{self.evidence.bad:,} of its {self.evidence.calls:,} calls took longer than"
        if not self._compared:
            return f"{late} {self._bounds.p95_seconds:g} s"
        p95 = self._current.latencies.p95 or 0.0
        return f"{late} {self._bounds.p95_ratio:g} times the p95 of {self._current.provider}, which is {duration(p95)}"


class Bounded:
    """Judges by bounds; each call of the candidate's is set beside ``group`` calls of the current provider's, the last.

    Some of the candidate's may end together: the others are kept for a few of them.
    """

    def __init__(self, bounds: Bounds, group: int, current: Meter, candidate: Meter) -> None:
        self._rules: list[Errors | Latency] = []
        if bounds.error_rate is not None:
            kinds = (Ending.FAILED, Ending.DECLINED)
            self._rules += [Errors(each, bounds.error_rate, current, candidate) for each in kinds]
        if bounds.p95_ratio is not None:
            self._rules.append(Latency(bounds, current, candidate, compared=True))
        if bounds.p95_seconds is not None:
            self._rules.append(Latency(bounds, current, candidate, compared=False))
        self._enough = len(self._rules) / bounds.false_alarm  # each rule has an equal part of the false alarms
        self._group = group
        self._others = deque[tuple[Ending, float]](maxlen=KEPT * group)

    def current(self, ending: Ending, seconds: float) -> None:
        self._others.append((ending, seconds))

    def candidate(self, ending: Ending, seconds: float | None) -> None:
        self._judge(self._rules, ending, seconds)

    def overdue(self) -> None:
        self._judge([each for each in self._rules if isinstance(each, Latency)], Ending.GIVEN_UP, inf)

    def _judge(self, rules: Sequence[Errors | Latency], ending: Ending, seconds: float | None) -> None:
        beside = [self._others.pop() for _ in range(min(self._group, len(self._others)))]
        for rule in rules:
            bad = rule.broken(ending, seconds)
            if bad is not None:
                others = [each for other in beside if (each := rule.broken(*other)) is not None]
                rule.evidence.add(bad, others)

    def limit(self) -> float | None:
        return max((limit for each in self._rules if (limit := each.limit()) is not None), default=None)

    def against(self) -> str:
        return next((str(each) for each in self._rules if each.evidence.value >= self._enough), "")

    def fit(self) -> bool:
        return all(each.fit() for each in self._rules)


class Asked:
    """Judges by what a function of the application's says of the numbers."""

    def __init__(self, ask: Callable[[TrialStats], object], stats: Callable[[], TrialStats]) -> None:
        self._ask = ask
        self._stats = stats

    def current(self, ending: Ending, seconds: float) -> None:
        """Do nothing: the numbers have it."""

    def candidate(self, ending: Ending, seconds: float | None) -> None:
        """Do nothing: the numbers have it."""

    def overdue(self) -> None:
        """Do nothing: without a limit, nothing is."""

    def limit(self) -> float | None:
        return None

    def against(self) -> str:
        try:
            answer = self._ask(self._stats())
            return answer if isinstance(answer, str) else "abort_if said so" if answer else ""
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the application's own code: reported as the reason of the verdict
            return f"abort_if raised {type(error).__name__}: {says(error)}".rstrip(": ")

    def fit(self) -> bool:
        """Return True: it was asked just before."""
        return True
