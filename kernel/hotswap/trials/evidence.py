"""How surely a candidate is worse than a bound allows. A sequential test: one may look at it after every call.

Each call of the candidate's is set beside the last calls of the current provider that were not set beside another one.
If the two fail alike, the one that is the candidate's is as likely as any other to be among the ``failed`` of these
``calls``, whatever the rate is at that moment: a trouble that both have, or that comes and goes, proves nothing. What
happened becomes a factor, for an odds ratio ``w``::

    (w if the candidate failed else 1) * calls / (failed * w + calls - failed)

whose expectation is 1 then, and at most ``1 + margin * (most - 1)``, ``most`` being the factor of a candidate that
fails alone, while the candidate fails of itself in no more than ``margin`` of its calls. Divided by that and multiplied
up, the factors are a fair game against the candidate: one that is within the margin brings the product to ``1 / p``
with a probability of at most ``p``, however often one looks (Ville's inequality). Part of the stake is kept for later
calls, ``1 / (n * (n + 1))`` for those from the ``n``-th on: a candidate that goes bad late is found as well.
"""

from __future__ import annotations

from collections import deque

ODDS = (3.0, 12.0)
"""The odds ratios that are bet on, in equal parts: one near to the bounds, and one far beyond them."""
KEPT = 8
"""For how many calls of the candidate's those to set them beside are kept: some may end together."""


class Evidence:
    """The evidence against a candidate in one respect. ``value`` is ``1 / p`` when ``p`` is its error probability.

    Args:
        margin: the share of its calls that may go wrong, beyond what goes wrong with the current provider.
        group: beside how many calls of the current provider each is set; 0: ``margin`` is all that may go wrong.
    """

    def __init__(self, margin: float, group: int) -> None:
        self.calls = self.bad = 0
        """Of the candidate's: how many calls, and how many of them went wrong."""
        self._margin = margin
        self._group = group
        self._stakes = dict.fromkeys(ODDS, 0.0)
        self._others = deque[bool](maxlen=KEPT * group)

    @property
    def value(self) -> float:
        """Return what the stake of 1 has become by now."""
        return sum(self._stakes.values()) / len(ODDS)

    def current(self, bad: bool) -> None:
        """Take in that a call of the current provider's ended."""
        self._others.append(bad)

    def candidate(self, bad: bool) -> None:
        """Take in that a call of the candidate's ended. With none of the other's to set it beside, it says nothing."""
        self.calls += 1
        self.bad += bad
        beside = [self._others.pop() for _ in range(min(self._group, len(self._others)))]
        fresh = 1 / (self.calls * (self.calls + 1))
        for odds, stake in self._stakes.items():
            self._stakes[odds] = (stake + fresh) * self._factor(odds, bad, beside)

    def _factor(self, odds: float, bad: bool, beside: list[bool]) -> float:
        factor, most = odds if bad else 1.0, odds
        if self._group:
            calls, failed = len(beside) + 1, sum(beside) + bad
            factor *= calls / (failed * odds + calls - failed)
            most *= calls / (odds + calls - 1)
        return factor / (1 + self._margin * (most - 1))
