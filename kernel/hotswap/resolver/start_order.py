"""The start order after a change to a known solution: newcomers last, or before those that need them from now on."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hotswap.resolver.after import After, Unsettled
from hotswap.resolver.graph import components
from hotswap.resolver.model import Chosen


def start_order(after: After, entries: Mapping[str, Chosen]) -> tuple[tuple[Chosen, ...], bool]:
    """Return all plugins in start order, and whether any stands otherwise among those that were there before.

    ``entries`` are those of the plugins that come or changed.
    """
    placing = _Placing(after, entries)
    early = placing.early()
    return (placing.placed_anew(early), True) if early else (placing.appended(), False)


class _Placing:
    def __init__(self, after: After, entries: Mapping[str, Chosen]) -> None:
        self._after = after
        self._known = after.known
        self._entries = entries

    def appended(self) -> tuple[Chosen, ...]:
        """Return the order with newcomers behind all others."""
        known, plugins = self._known, list(self._known.plugins)
        for plugin, entry in self._entries.items():
            if plugin in known.chosen:
                plugins[known.place(plugin)] = entry
        for place in sorted(map(known.place, self._after.gone), reverse=True):
            del plugins[place]
        plugins += [self._entries[each] for each in self._sorted(self._after.new)]
        return tuple(plugins)

    def _waits(self, plugin: str) -> set[str]:
        """Return all that a plugin would rather start after."""
        found = {each.id for each in self._after.manifest(plugin).dependencies if self._after.is_there(each.id)}
        found.update(each for each in self._after.bound(plugin).values() if each is not None)
        return found - {plugin}

    def early(self) -> set[str]:
        """Return what others wait for from now on that stand before it, or were there before it."""
        after, known = self._after, self._known
        changed = [each for each in {*after.put, *after.bound_anew} if each in known.chosen and each not in after.gone]
        return {other for each in changed for other in self._waits(each) if self._is_behind(other, each)}

    def _is_behind(self, plugin: str, other: str) -> bool:
        known = self._known
        return plugin not in known.chosen or known.place(plugin) > known.place(other)

    def placed_anew(self, early: set[str]) -> tuple[Chosen, ...]:
        """Return the order with newcomers, and all that is early, before the first that waits for some of it."""
        after, known = self._after, self._known
        placed = self._sorted([*after.new, *early])
        order = {each: entry for each, entry in known.chosen.items() if each not in after.gone}
        for each in placed:
            order.pop(each, None)
        place = dict(zip(order, range(len(order)), strict=True))
        waiting = [each for each in {*after.put, *after.bound_anew} if each in place]
        at = min((place[each] for each in waiting if not early.isdisjoint(self._waits(each))), default=None)
        if at is None:
            raise Unsettled
        behind = {target for each in placed for target in self._waits(each) if place.get(target, -1) >= at}
        if behind:
            return self.placed_anew(early | behind)
        ids = list(order)
        return tuple(map(self._entry, [*ids[:at], *placed, *ids[at:]]))

    def _entry(self, plugin: str) -> Chosen:
        return self._entries.get(plugin) or self._known.chosen[plugin]

    def _sorted(self, plugins: Collection[str]) -> list[str]:
        """Return plugins that are placed anew, each after what it waits for."""
        waiting = {each: sorted(self._waits(each).intersection(plugins)) for each in sorted(plugins)}
        parts = components(waiting)
        if any(len(part) > 1 for part in parts):
            raise Unsettled
        return [each for part in parts for each in part]
