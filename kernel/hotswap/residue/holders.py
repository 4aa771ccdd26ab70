"""Who keeps an object alive: the shortest way from it to something that lives by itself."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from functools import _lru_cache_wrapper
from types import FrameType
from typing import Any

from attrs import field, frozen

from hotswap.residue.holder_names import namespace_of, sentence
from hotswap.residue.load import LOADED

UNSEEN = "what the garbage collector does not see"
"""The holder of what is alive though nothing is seen to hold it: code in C, or a call under way."""
_FAR = 12
"""How many steps are followed: what is further away explains nothing to a reader."""
_LIVING = (asyncio.Task, threading.Thread, asyncio.AbstractEventLoop)
_WIDE = 400
"""How many objects are followed in one step."""


@frozen
class Held:
    """What came of looking for the holders of an object."""

    chain: tuple[str, ...] = ()
    """The holders, nearest first."""
    reason: bool = True
    """Whether it is a finding of its own: neither something known nor a bounded cache nor what is excused holds it."""
    dependent: bool = False
    """Whether nothing but other objects that are looked at holds it."""


@frozen(eq=False)
class Search:
    """A search for holders.

    Args:
        known: the ids of what is a finding already.
        others: the ids of all objects that are looked at.
        ignored: the ids of what holds them for the search itself.
        excused: tells of a holder that what it holds is no finding for that.
    """

    known: Collection[int]
    others: Collection[int]
    ignored: Collection[int] = field(default=frozenset())
    excused: Callable[[object], bool] = field(default=lambda holder: False)

    def holders(self, target: object) -> Held:
        """Return who holds ``target``: breadth first, so that the nearest reason is the one that is told."""
        if id(target) in self.known:
            return Held(reason=False)
        nodes: list[Any] = [target]  # one flat list, which is passed over: a tuple would be a holder itself
        parents = [-1]
        seen = {id(target)}
        begin, dependent, harmless = 0, False, False
        for _ in range(_FAR):
            end = len(nodes)
            for holder, child in self._step(nodes, begin, min(end, begin + _WIDE), seen):
                if id(holder) in self.known:
                    return Held(reason=False)
                if id(holder) in self.others:
                    dependent = True
                elif _is_bounded_cache(holder) or self.excused(holder):
                    harmless = True
                else:
                    nodes.append(holder)
                    parents.append(child)
                    if _lives_by_itself(holder):
                        return Held(sentence(_way(nodes, parents, len(nodes) - 1)))
            begin = end
            if begin == len(nodes):
                break
        if begin < len(nodes):  # further away than anybody wants to know
            return Held(sentence(_way(nodes, parents, len(nodes) - 1)))
        if (running := _running_with(nodes)) is not None:
            return Held((running,))
        if harmless:
            return Held(reason=False)
        return Held(dependent=True) if dependent else Held((UNSEEN,))

    def _step(self, nodes: list[Any], begin: int, end: int, seen: set[int]) -> Iterator[tuple[Any, int]]:
        """Yield what refers to some of the nodes and was not seen before, each with the node it refers to."""
        level = tuple(nodes[begin:end])
        places = {id(each): number for number, each in enumerate(level, begin)}
        ours = {id(nodes), id(level), id(places), *self.ignored}
        for holder in gc.get_referrers(*level):
            if id(holder) in seen or id(holder) in ours or _is_of_the_search(holder):
                continue
            seen.add(id(holder))
            child = next((places[id(each)] for each in gc.get_referents(holder) if id(each) in places), None)
            if child is not None:
                yield holder, child


def _is_of_the_search(holder: object) -> bool:
    return type(holder) is FrameType and holder.f_globals.get("__name__", "").startswith("hotswap.residue")


def _lives_by_itself(holder: Any) -> bool:
    """Return whether it needs nobody to hold it, or says enough."""
    if namespace_of(holder) is not None:
        return True
    kind = type(holder)  # not ``isinstance``: it asks what is not of a kind for its ``__class__``, and proxies mind
    if issubclass(kind, type):
        return holder.__module__ in sys.modules and not holder.__module__.startswith(f"{LOADED}.")
    return issubclass(kind, _LIVING)


def _is_bounded_cache(holder: Any) -> bool:
    return type(holder) is _lru_cache_wrapper and holder.cache_parameters()["maxsize"] is not None


def _way(nodes: list[Any], parents: list[int], number: int) -> list[Any]:
    """Return the nodes from the target, which comes first, to one of its holders."""
    way: list[Any] = []
    while number >= 0:
        way.append(nodes[number])
        number = parents[number]
    return way[::-1]


def _running_with(nodes: list[Any]) -> str | None:
    """Return the call in another thread that has one of the nodes in a variable: the collector does not see those."""
    wanted = set(map(id, nodes))
    names = {each.ident: each.name for each in threading.enumerate()}
    for ident, outermost in sys._current_frames().items():
        frame: FrameType | None = outermost if ident != threading.get_ident() else None
        while frame is not None:
            if any(id(each) in wanted for each in frame.f_locals.values()):
                code = frame.f_code
                return f"thread {names.get(ident, ident)} in {code.co_qualname} ({code.co_filename}:{frame.f_lineno})"
            frame = frame.f_back
    return None
