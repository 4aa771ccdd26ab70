"""The search for whoever keeps an object alive."""

from __future__ import annotations

import functools
from typing import Any

from hotswap.residue.holders import UNSEEN, Search

TABLE: dict[str, Any] = {}


class Slotted:
    """Holds a thing without a dictionary."""

    __slots__ = ("thing",)


def search(*others: object) -> Search:
    """Return a search among ``others``."""
    return Search((), frozenset(map(id, others)), frozenset((id(others),)))


class Thing:
    """Something to hold."""


def test_a_bounded_cache_is_no_reason() -> None:
    """What a cache with a bound holds will go by itself; one without a bound keeps it for good."""

    @functools.lru_cache(8)
    def bounded(thing: object) -> object:
        return thing

    @functools.cache
    def unbounded(thing: object) -> object:
        return thing

    thing = Thing()
    bounded(thing)
    assert not search().holders(thing).reason
    unbounded(thing)
    TABLE["it"] = unbounded
    try:
        assert search().holders(thing).chain[-1].startswith("tests.unit.test_residue_search.TABLE")
    finally:
        TABLE.clear()


def test_what_nothing_seen_holds_is_said_to_be() -> None:
    """An object that only a call under way holds has no holder that can be seen; two that hold each other say so."""
    thing, other = Thing(), Thing()
    assert search().holders(thing).chain == (UNSEEN,)
    thing.other, other.other = other, thing  # type: ignore[attr-defined]
    assert search(thing, other).holders(thing).dependent
    slotted = Slotted()
    slotted.thing = other
    TABLE["it"] = slotted
    try:
        assert search(thing, other).holders(other).chain == (
            "Slotted.thing",
            "tests.unit.test_residue_search.TABLE (dict)",
        )
    finally:
        TABLE.clear()
