"""What a trial is asked for with, checked before anything is opened."""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any

from attrs import frozen

from hotswap.errors import TrialRefused, nearest
from hotswap.handles import port_methods
from hotswap.trials.answers import Same
from hotswap.trials.bounds import AbortIf, Bounds
from hotswap_ports import Port

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
    if not 0 < share < 1:
        raise TrialRefused(port, candidate, f"canary is a share between 0 and 1, and not {share!r}")
    if promote_after < 1:
        raise TrialRefused(port, candidate, f"promote_after is at least one call, and not {promote_after!r}")
    return CanaryTerms(share, abort_if, promote_after, min_seconds)


def _shadow(
    port: type[Port], candidate: str, same: Same = operator.eq, methods: Collection[str] | None = None
) -> ShadowTerms:
    return ShadowTerms(_repeatable(port, candidate, methods), same)


def _repeatable(port: type[Port], candidate: str, methods: Collection[str] | None) -> frozenset[str]:
    """Return the methods whose calls are made twice: those that change nothing, unless they are named."""
    known = {each.name for each in port_methods(port) if each.kind != "sync"}
    wanted = port.READS if methods is None else frozenset((methods,) if isinstance(methods, str) else methods)
    for each in sorted(wanted - known):
        hint = nearest(each, known) or f"It has {', '.join(sorted(known))}."
        raise TrialRefused(port.PORT, candidate, f"the port has no async method {each!r}", hint)
    if not wanted:
        hint = f"Name those whose calls may be made twice: methods=[...] of {', '.join(sorted(known))}."
        raise TrialRefused(port.PORT, candidate, "the port does not say which of its methods change nothing", hint)
    return wanted
