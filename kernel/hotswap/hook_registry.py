"""Which handlers are in force, in the order they run. It changes wholly or not at all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import count
from typing import TypeAlias

from hotswap.errors import HookInvalid
from hotswap.hook_entry import Entry
from hotswap.hook_order import in_order
from hotswap.hook_points import FIRED, Points, Target
from hotswap.hook_record import HookRecord
from hotswap_ports.hooks import Handler

Methods: TypeAlias = frozenset[tuple[str, str]]
"""Pairs of port and method."""
Key: TypeAlias = Target | str
"""What a chain is for: a stage of a call, or a point that is fired by name."""


class HookRegistry:
    """The handlers of one kernel. ``changed`` is told, within the same step, which chains are others now."""

    def __init__(self, points: Points, record: HookRecord, changed: Callable[[Collection[Key]], None]) -> None:
        self._points = points
        self._record = record
        self._tell = changed
        self._numbers = count(1)
        self._chains: dict[Key, tuple[Entry, ...]] = {}
        self._of_source: dict[str, set[Entry]] = {}

    def entry(
        self,
        point: str,
        handler: Handler,
        source: str,
        priority: int,
        before: Iterable[str],
        after: Iterable[str],
        owner: object = None,
    ) -> Entry:
        """Return a registration that is not in force yet; ``owner`` is what it leaves with.

        Raises:
            HookInvalid: there is no such point, or the handler cannot be one.
        """
        targets = self._points.targets(point)
        if not callable(handler):
            raise HookInvalid(point, f"its handler is {type(handler).__name__}, which cannot be called.")
        first, then = _ids(before), _ids(after)
        if source in first | then:
            raise HookInvalid(point, f"{source!r} is to run before or after itself.")
        number, tally = next(self._numbers), self._record.count(point, source)
        return Entry(point, source, handler, targets, number, tally, priority, first, then, owner)

    def chain(self, key: Key) -> tuple[Entry, ...]:
        """Return the handlers of one chain, in their order."""
        return self._chains.get(key, ())

    def of_source(self, source: str | None = None) -> list[Entry]:
        """Return the handlers of one plugin (None: all), in the order they came."""
        names = self._of_source if source is None else (source,)
        found = (entry for name in names for entry in self._of_source.get(name, ()))
        return sorted(found, key=lambda each: each.number)

    def ordered(self, gone: Collection[Entry], new: Collection[Entry]) -> Mapping[Key, tuple[Entry, ...]]:
        """Return the chains that a change touches, as they would be.

        Raises:
            HookInvalid: the order would contradict itself.
        """
        leaving = frozenset(gone)
        joining: dict[Key, list[Entry]] = {key: [] for entry in gone for key in keys_of(entry)}
        for entry in new:
            for key in keys_of(entry):
                joining.setdefault(key, []).append(entry)
        return {
            key: in_order([*(each for each in self.chain(key) if each not in leaving), *entries])
            for key, entries in joining.items()
        }

    def touch(self, keys: Collection[Key]) -> None:
        """Tell that some chains are to be made anew, though no handler comes or leaves."""
        if keys:
            self._tell(keys)

    def replace(self, gone: Iterable[Entry], new: Collection[Entry]) -> None:
        """Take some handlers out (those that are not there any more are passed over) and put others in force.

        Raises:
            HookInvalid: the order would contradict itself; nothing was changed.
        """
        gone = [entry for entry in gone if entry in self._of_source.get(entry.source, ())]
        if not gone and not new:
            return
        chains = self.ordered(gone, new)
        for key, entries in chains.items():
            if entries:
                self._chains[key] = entries
            else:
                self._chains.pop(key, None)
        for entry in gone:
            self._of_source[entry.source].discard(entry)
            if not self._of_source[entry.source]:
                del self._of_source[entry.source]
        for entry in new:
            self._of_source.setdefault(entry.source, set()).add(entry)
        self._tell(chains)


def keys_of(entry: Entry) -> Collection[Key]:
    """Return the chains that a handler belongs to; a named point whose port this host lacks has none."""
    return entry.targets or ((entry.point,) if entry.point in FIRED or entry.point.startswith("event.") else ())


def _ids(ids: Iterable[str]) -> frozenset[str]:
    return frozenset((ids,) if isinstance(ids, str) else ids)
