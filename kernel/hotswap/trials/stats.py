"""What a trial tells: its numbers while it is under way, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import frozen

Kind: TypeAlias = Literal["canary", "shadow"]
Outcome: TypeAlias = Literal["promoted", "aborted", "stopped"]


def duration(seconds: float) -> str:
    """Return a latency for people."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"


@frozen
class Side:
    """The calls of one provider during a trial, those that have ended."""

    provider: str
    """Name and version."""
    calls: int = 0
    failures: int = 0
    """Ended with an error that is the provider's: see ``errors`` for which."""
    declined: int = 0
    """Ended with ``NotFound``, ``Conflict``, ``InvalidRequest``, ``FeatureUnsupported``, ``Refused``, ``TooLarge``."""
    given_up: int = 0
    """Cancelled by their callers."""
    p95: float | None = None
    """Seconds that 95 % of the last 512 answers did not exceed (of streams: their first items); None without any."""
    errors: Mapping[str, int] = {}
    """Name of the error's class -> how often."""

    @property
    def error_rate(self) -> float:
        """Return the share of the calls that failed; 0 when there were none."""
        return self.failures / self.calls if self.calls else 0.0

    def __str__(self) -> str:
        p95 = "no answer" if self.p95 is None else f"p95 {duration(self.p95)}"
        errors = ", ".join(f"{name} {count}" for name, count in sorted(self.errors.items()))
        counts = f"{self.calls:,} calls, {self.failures:,} failed, {self.declined:,} declined"
        return f"{self.provider}: {counts}, {p95}" + (f" ({errors})" if errors else "")


@frozen
class Difference:
    """Two answers to the same call that are not the same: shortened, and without the secrets of plugins."""

    method: str
    what: str
    """In what they differ."""
    current: str
    candidate: str

    def __str__(self) -> str:
        return f"{self.method}: {self.what}: {self.current} | {self.candidate}"


@frozen
class TrialStats:
    """The numbers of a trial."""

    port: str
    kind: Kind
    current: Side
    candidate: Side
    seconds: float
    """Since the trial began."""
    compared: int = 0
    """Shadow: pairs of answers."""
    differences: int = 0
    """Shadow: how many of those were not the same."""
    dropped: int = 0
    """Shadow: calls that were not made a second time, because as many as may be were under way."""
    examples: tuple[Difference, ...] = ()
    """Shadow: the first differences."""

    def __str__(self) -> str:
        lines = [str(self.current), str(self.candidate)]
        if self.kind == "shadow":
            dropped = f", {self.dropped:,} calls not repeated" if self.dropped else ""
            lines.append(f"{self.differences:,} of {self.compared:,} answers differ{dropped}")
            lines += [str(each) for each in self.examples]
        return "\n".join(f"  {each}" for each in lines)


@frozen
class Verdict:
    """What came of a trial."""

    outcome: Outcome
    """``promoted``: the candidate is selected now. ``aborted``: it is not. ``stopped``: nobody judged, by request."""
    reason: str
    stats: TrialStats

    @property
    def headline(self) -> str:
        """Return one line that says what was tried and what came of it."""
        stats = self.stats
        what = f"{stats.kind} of {stats.candidate.provider} for {stats.port}, {stats.seconds:.1f} s"
        return f"{what}: {self.outcome}, {self.reason}"

    def __str__(self) -> str:
        return f"{self.headline}\n{self.stats}"
