"""How much worse than the current provider a candidate may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import field, frozen, validators

from hotswap.trials.stats import TrialStats

_share: Any = validators.optional((validators.ge(0), validators.lt(1)))  # Any: attrs types them for one field each
_positive: Any = validators.optional(validators.gt(0))


@frozen
class Bounds:
    """How much worse than the provider in use a candidate may be. What is None is not looked at.

    A candidate goes back as soon as it is sure that it breaks a bound; one that keeps all of them is sent back with a
    probability of at most ``false_alarm`` (ADR 0014 has the rule). It is set beside what the current provider does at
    the same time, so a trouble that both have blames nobody; ``p95_seconds`` alone is absolute.
    """

    error_rate: float | None = field(default=0.02, validator=_share)
    """The share of its calls that may fail beyond those that fail with the current provider; likewise declined."""
    p95_ratio: float | None = field(default=2.0, validator=_positive)
    """Its p95 latency by that of the current provider; what takes less than 5 ms is never slow.

    With this and ``p95_seconds`` None, a candidate that never answers is not noticed either.
    """
    p95_seconds: float | None = field(default=None, validator=_positive)
    """Its p95 latency."""
    min_calls: int = field(default=20, validator=_positive)
    """Answers of the current provider before latencies are compared."""
    false_alarm: float = field(default=0.01, validator=(validators.gt(0), validators.lt(1)))
    """The probability of ever sending back a candidate that keeps the bounds."""


AbortIf: TypeAlias = Bounds | Callable[[TrialStats], object]
"""Bounds, or a function that is asked after each call of the candidate's: true, or a reason, sends it back."""
