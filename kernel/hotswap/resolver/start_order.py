"""The start order after a change to a known solution: newcomers last, or before those that need them from now on."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hotswap.resolver.after import After, Unsettled
from hotswap.resolver.graph import components
from hotswap.resolver.model import Chosen


def start_order(after: After, entries: Mapping[str, Chosen]) -> dict[str, Chosen]:
    """Return all plugins in start order, given the entries of those that come or changed."""
    order = dict(after.known.chosen)
    for each in after.gone:
        del order[each]
    order.update((plugin, entry) for plugin, entry in entries.items() if plugin in order)
    return _Placing(after, entries, order).run()


class _Placing:
    def __init__(self, after: After, entries: Mapping[str, Chosen], order: dict[str, Chosen]) -> None:
        self._after = after
        self._entries = entries
        self._order = order

    def run(self) -> dict[str, Chosen]:
        early = self._early()
        if early:
            return self._with(early)
        self._order.update((each, self._entries[each]) for each in self._sorted(self._after.new))
        return self._order

    def _waits(self, plugin: str) -> set[str]:
        """Return all that a plugin would rather start after."""
        found = {each.id for each in self._after.manifest(plugin).dependencies if self._after.is_there(each.id)}
        found.update(each for each in self._after.bound(plugin).values() if each is not None)
        return found - {plugin}

    def _places(self) -> dict[str, int]:
        return dict(zip(self._order, range(len(self._order)), strict=True))

    def _early(self) -> set[str]:
        """Return what others wait for from now on that stand before it, or were there before it."""
        changed = [each for each in {*self._after.put, *self._after.bound_anew} if each in self._order]
        if not changed:
            return set()
        place = self._places()
        late = len(place)
        return {other for each in changed for other in self._waits(each) if place.get(other, late) > place[each]}

    def _with(self, early: set[str]) -> dict[str, Chosen]:
        """Return the order with newcomers, and all that is early, before the first that waits for some of it."""
        placed = self._sorted([*self._after.new, *early])
        for each in placed:
            self._order.pop(each, None)
        place = self._places()
        waiting = [each for each in {*self._after.put, *self._after.bound_anew} if each in place]
        at = min((place[each] for each in waiting if not early.isdisjoint(self._waits(each))), default=None)
        if at is None:
            raise Unsettled
        behind = {target for each in placed for target in self._waits(each) if place.get(target, -1) >= at}
        if behind:
            return self._with(early | behind)
        items = list(self._order.items())
        return dict([*items[:at], *((each, self._entry(each)) for each in placed), *items[at:]])

    def _entry(self, plugin: str) -> Chosen:
        return self._entries.get(plugin) or self._after.known.chosen[plugin]

    def _sorted(self, plugins: Collection[str]) -> list[str]:
        """Return plugins that are placed anew, each after what it waits for."""
        waiting = {each: sorted(self._waits(each).intersection(plugins)) for each in sorted(plugins)}
        parts = components(waiting)
        if any(len(part) > 1 for part in parts):
            raise Unsettled
        return [each for part in parts for each in part]
