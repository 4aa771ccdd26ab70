"""Trials: a candidate takes a share of a port's calls (canary), or repeats them unseen (shadow), before it is selected.

``Kernel.select`` makes them. ``register`` starts and ends them, ``canary`` and ``shadow`` direct the calls, ``judging``
decides by ``bounds`` with the sequential test of ``evidence``.
"""

from hotswap.trials.answers import Same
from hotswap.trials.bounds import AbortIf, Bounds
from hotswap.trials.register import Trials
from hotswap.trials.stats import Difference, Side, TrialStats, Verdict
from hotswap.trials.terms import CanaryTerms, ShadowTerms, terms_of
from hotswap.trials.trial import Trial

__all__ = [
    "AbortIf",
    "Bounds",
    "CanaryTerms",
    "Difference",
    "ShadowTerms",
    "Same",
    "Side",
    "Trial",
    "TrialStats",
    "Trials",
    "Verdict",
    "terms_of",
]
