"""The order in which handlers run: priority, then who registered first, bent by ``before`` and ``after``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import Protocol, TypeVar

from hotswap.errors import HookInvalid

APPLICATION = "application"
"""What a handler's source is called where it is no plugin's."""


class Ordered(Protocol):
    """What is needed of a handler to place it."""

    @property
    def point(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def before(self) -> frozenset[str]: ...
    @property
    def after(self) -> frozenset[str]: ...


T = TypeVar("T", bound=Ordered)


def in_order(handlers: Iterable[T]) -> tuple[T, ...]:
    """Return the handlers of one chain as they run.

    ``before`` and ``after`` beat the priority; what they leave open is decided by priority (lower first), then by the
    number of the registration. Plugins that have no handler here are ignored.

    Raises:
        HookInvalid: they contradict each other; the circle is named.
    """
    ordered = sorted(handlers, key=lambda each: (each.priority, each.number))
    if any(each.before or each.after for each in ordered):
        return _topological(ordered)
    return tuple(ordered)


def _topological(ordered: Sequence[T]) -> tuple[T, ...]:
    follows = _edges(ordered)
    waits_for = [0] * len(ordered)
    for targets in follows:
        for each in targets:
            waits_for[each] += 1
    ready = [index for index, count in enumerate(waits_for) if not count]
    heapify(ready)
    result: list[T] = []
    while ready:
        index = heappop(ready)
        result.append(ordered[index])
        for each in follows[index]:
            waits_for[each] -= 1
            if not waits_for[each]:
                heappush(ready, each)
    if len(result) < len(ordered):
        raise _contradiction(ordered, follows, [index for index, count in enumerate(waits_for) if count])
    return tuple(result)


def _edges(ordered: Sequence[T]) -> list[set[int]]:
    """Return, for each handler, which ones have to come after it."""
    of_source: dict[str, list[int]] = {}
    for index, each in enumerate(ordered):
        of_source.setdefault(each.source, []).append(index)
    follows: list[set[int]] = [set() for _ in ordered]
    for index, each in enumerate(ordered):
        for source in each.before:
            follows[index].update(of_source.get(source, ()))
        for source in each.after:
            for other in of_source.get(source, ()):
                follows[other].add(index)
    return follows


def _contradiction(ordered: Sequence[T], follows: Sequence[set[int]], stuck: Sequence[int]) -> HookInvalid:
    # Everything stuck waits for something stuck, so walking backwards from any of it must meet itself.
    inside = set(stuck)
    path = [stuck[0]]
    while True:
        previous = min(each for each in inside if path[-1] in follows[each])
        if previous in path:
            circle = path[path.index(previous) :][::-1]
            break
        path.append(previous)
    smallest = circle.index(min(circle, key=lambda each: (ordered[each].source, each)))
    circle = circle[smallest:] + circle[:smallest]
    names = [ordered[each].source or APPLICATION for each in (*circle, circle[0])]
    newest = max((ordered[each] for each in circle), key=lambda each: each.number)
    return HookInvalid(
        newest.point,
        f"the order contradicts itself: {' -> '.join(names)}.",
        f"Take a `before` or an `after` out of {newest.source or APPLICATION!r}.",
    )
