"""How surely a candidate is worse than a bound allows. A sequential test: one may look at it after every call.

Each call of the candidate's is set beside some of the current provider's that ended shortly before it.
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

from collections.abc import Collection

ODDS = (3.0, 12.0)
"""The odds ratios that are bet on, in equal parts: one near to the bounds, and one far beyond them."""


class Evidence:
    """The evidence against a candidate in one respect. ``value`` is ``1 / p`` when ``p`` is its error probability.

    Args:
        margin: the share of its calls that may go wrong, beyond what goes wrong with the current provider.
        compared: False: that is all that may go wrong, whatever the current provider does.
    """

    def __init__(self, margin: float, *, compared: bool = True) -> None:
        self.calls = self.bad = 0
        """Of the candidate's: how many calls, and how many of them went wrong."""
        self._margin = margin
        self._compared = compared
        self._stakes = dict.fromkeys(ODDS, 0.0)

    @property
    def value(self) -> float:
        """Return what the stake of 1 has become by now."""
        return sum(self._stakes.values()) / len(ODDS)

    def add(self, bad: bool, beside: Collection[bool]) -> None:
        """Take in a call of the candidate's, and those of the current provider beside which it is set.

        With none to compare it with, a call says nothing. No call is ever set beside two.
        """
        self.calls += 1
        self.bad += bad
        fresh = 1 / (self.calls * (self.calls + 1))
        for odds, stake in self._stakes.items():
            self._stakes[odds] = (stake + fresh) * self._factor(odds, bad, beside)

    def _factor(self, odds: float, bad: bool, beside: Collection[bool]) -> float:
        factor, most = odds if bad else 1.0, odds
        if self._compared:
            calls, failed = len(beside) + 1, sum(beside) + bad
            factor *= calls / (failed * odds + calls - failed)
            most *= calls / (odds + calls - 1)
        return factor / (1 + self._margin * (most - 1))
