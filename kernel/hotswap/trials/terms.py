"""What a trial is asked for with, checked before anything is opened."""

from __future__ import annotations

import operator
from collections.abc import Collection
from inspect import iscoroutinefunction
from numbers import Real
from typing import Any

from attrs import frozen

from hotswap.errors import TrialRefused, nearest
from hotswap.trials.answers import Same
from hotswap.trials.bounds import AbortIf, Bounds
from hotswap_ports import Port
from hotswap_ports.methods import port_methods

DEFAULT = Bounds()


@frozen
class CanaryTerms:
    """A share of the calls goes to the candidate."""

    share: float
    abort_if: AbortIf
    promote_after: int
    min_seconds: float


@frozen
class ShadowTerms:
    """The calls of some methods are made a second time, with the candidate."""

    methods: frozenset[str]
    same: Same = operator.eq
    most: int = 16
    """How many may be under way at once."""
    seconds: float = 30.0
    """How long the candidate may take for one of them."""


def terms_of(
    port: type[Port], names: Collection[str], *, canary: float | None = None, shadow: bool = False, **more: Any
) -> CanaryTerms | ShadowTerms | None:
    """Return the terms of a trial of the first of ``names``; None where none is asked for.

    Raises:
        TrialRefused: they make no sense.
        TypeError: ``more`` is not for this kind of trial.
    """
    candidate = next(iter(names), "")
    if not candidate:
        raise TrialRefused(port.PORT, "", "no provider is named")
    if canary is not None and shadow:
        raise TrialRefused(port.PORT, candidate, "a trial is a canary or a shadow, and not both")
    if canary is not None:
        return _canary(port.PORT, candidate, canary, **more)
    if shadow:
        return _shadow(port, candidate, **more)
    if more:
        hint = "Say canary=0.05, or shadow=True."
        raise TrialRefused(port.PORT, candidate, f"{', '.join(more)} belong to a trial, and none is asked for", hint)
    return None


def _canary(
    port: str,
    candidate: str,
    share: float,
    abort_if: AbortIf = DEFAULT,
    promote_after: int = 500,
    min_seconds: float = 60.0,
) -> CanaryTerms:
    def refused(what: str, given: object, hint: str = "") -> TrialRefused:
        return TrialRefused(port, candidate, f"{what}, and not {given!r}", hint)

    if not (_is_number(share) and 0 < share < 1):
        raise refused("canary is a share between 0 and 1", share, "Say canary=0.05 for one call of twenty.")
    if not (_is_number(promote_after) and promote_after >= 1):
        raise refused("promote_after is at least one call", promote_after, "Leave it out for 500 calls.")
    if not (_is_number(min_seconds) and min_seconds >= 0):
        raise refused("min_seconds is a number of seconds from 0", min_seconds, "Leave it out for a minute.")
    if not (isinstance(abort_if, Bounds) or _is_plain_function(abort_if)):
        hint = "Say abort_if=Bounds(...), or a function that is given the TrialStats."
        raise refused("abort_if is Bounds or a plain function", abort_if, hint)
    return CanaryTerms(share, abort_if, promote_after, min_seconds)


def _shadow(
    port: type[Port], candidate: str, same: Same = operator.eq, methods: Collection[str] | None = None
) -> ShadowTerms:
    if not _is_plain_function(same):
        hint = "It is given both answers, and returns whether they are the same."
        raise TrialRefused(port.PORT, candidate, f"same is a plain function, and not {same!r}", hint)
    return ShadowTerms(_repeatable(port, candidate, methods), same)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_plain_function(value: object) -> bool:
    """Return whether a value can be called and answers at once: nobody would await it."""
    return callable(value) and not iscoroutinefunction(value)


def _repeatable(port: type[Port], candidate: str, methods: Collection[str] | None) -> frozenset[str]:
    """Return the methods whose calls are made twice: those that change nothing, unless they are named."""
    known = {each.name for each in port_methods(port) if each.kind != "sync"}
    if methods is not None and not isinstance(methods, Collection):
        hint = f"Say methods=[...] of {', '.join(sorted(known))}."
        raise TrialRefused(port.PORT, candidate, f"methods are names, and not {methods!r}", hint)
    wanted = port.READS if methods is None else frozenset((methods,) if isinstance(methods, str) else methods)
    for each in sorted(wanted - known):
        hint = nearest(each, known) or f"It has {', '.join(sorted(known))}."
        raise TrialRefused(port.PORT, candidate, f"the port has no async method {each!r}", hint)
    if not wanted:
        hint = f"Name those whose calls may be made twice: methods=[...] of {', '.join(sorted(known))}."
        raise TrialRefused(port.PORT, candidate, "the port does not say which of its methods change nothing", hint)
    return wanted
