"""The course of a trial: its numbers, the decision, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from attrs import frozen

from hotswap.generation import Provider
from hotswap.trials.meter import Meter
from hotswap.trials.stats import Kind, Outcome, TrialStats, Verdict


@frozen
class Decision:
    """What is to become of a trial."""

    outcome: Outcome
    reason: str


class Course:
    """What one trial counts, and what is decided about it.

    Args:
        current: the provider in use.
        clock: returns seconds.
    """

    def __init__(self, kind: Kind, current: Provider, candidate: Provider, clock: Callable[[], float]) -> None:
        self.kind = kind
        self.port = candidate.port
        self.current = current.name
        self.candidate = candidate.name
        self.clock = clock
        self.meters = Meter(str(current)), Meter(str(candidate))
        """Of the current provider and of the candidate."""
        self.decided = False
        """Set with the decision: from then on no call goes to the candidate on account of the trial."""
        self.extend: Callable[[TrialStats], TrialStats] = _as_they_are
        """Adds what only this kind of trial counts."""
        self.over: Verdict | None = None
        self._began = clock()
        self._decision: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

    def __str__(self) -> str:
        if self.over is not None:
            return self.over.headline
        current, candidate = self.meters
        return f"{self.kind} of {candidate.provider} beside {current.provider}, {candidate.calls:,} calls so far"

    @property
    def seconds(self) -> float:
        """Return the seconds since it began."""
        return self.clock() - self._began

    def stats(self) -> TrialStats:
        """Return the numbers: as they are now, or as they were when it was over."""
        if self.over is not None:
            return self.over.stats
        current, candidate = (each.side() for each in self.meters)
        return self.extend(TrialStats(self.port, self.kind, current, candidate, self.seconds))

    def decide(self, outcome: Outcome, reason: str) -> None:
        """Take a decision, unless one is taken. Synchronous: the next call knows."""
        if not self.decided:
            self.decided = True
            self._decision.set_result(Decision(outcome, reason))

    async def decision(self) -> Decision:
        """Wait for the decision."""
        return await asyncio.shield(self._decision)

    def conclude(self, outcome: Outcome, reason: str) -> Verdict:
        """Take the numbers as they are now for the last ones, and tell whoever waits."""
        self.over = Verdict(outcome, reason, self.stats())
        self.extend = _as_they_are  # whoever keeps the trial keeps nothing of a generation alive
        self._verdict.set_result(self.over)
        return self.over

    async def verdict(self) -> Verdict:
        """Wait for what comes of it."""
        return await asyncio.shield(self._verdict)


def _as_they_are(stats: TrialStats) -> TrialStats:
    return stats
