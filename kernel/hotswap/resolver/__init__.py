"""Solving: which versions of which plugins, who provides what, in what order; and why not. The rules are in model."""

from hotswap.resolver.after import Change
from hotswap.resolver.known import Known, Move
from hotswap.resolver.local import step
from hotswap.resolver.model import Chosen, Problem, Refusal, Request, Solution
from hotswap.resolver.solving import decide, resolve
from hotswap.resolver.verify import verify

__all__ = [
    "Change",
    "Chosen",
    "Known",
    "Move",
    "Problem",
    "Refusal",
    "Request",
    "Solution",
    "decide",
    "resolve",
    "step",
    "verify",
]
