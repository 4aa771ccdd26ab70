"""The entries of ``enabled`` in the settings, read once: whatever settings are made of others keep what was read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from hotswap.errors import SettingsInvalid
from hotswap.layered import Layered
from hotswap.settings_tables import split_requirement

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_MANY = 20
"""Entries that are taken out together from which on one look at each of the others is less work."""


@lru_cache(maxsize=1024)
def _range(text: str) -> SpecifierSet:
    """Return a range, the same object for the same text: the resolver remembers answers by the identity of ranges."""
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(text)


class Entries(tuple[str, ...]):
    """Entries such as ``"id"`` and ``"id>=1.2"``, in order."""

    _by_id: Layered[str, tuple[str, ...]] | None = None
    _wanted: tuple[tuple[str, ...], Layered[str, SpecifierSet]] | None = None

    @classmethod
    def of(cls, entries: Iterable[str]) -> Entries:
        """Return entries as one of these, itself if it is one."""
        return entries if isinstance(entries, Entries) else cls(entries)

    def by_id(self) -> Layered[str, tuple[str, ...]]:
        """Return the entries of each id. Raises SettingsInvalid for one that is no requirement."""
        if self._by_id is None:
            found: dict[str, tuple[str, ...]] = {}
            for entry in self:
                try:
                    plugin, _ = split_requirement(entry)
                except ValueError as wrong:
                    raise SettingsInvalid("Settings(enabled=...)", [f"{entry!r} {wrong}"]) from None
                found[plugin] = (*found.get(plugin, ()), entry)
            self._by_id = Layered(found)
        return self._by_id

    def wanted(self, disabled: tuple[str, ...]) -> Layered[str, SpecifierSet]:
        """Return the ids with the versions asked for, without the ``disabled`` ones; raises as ``by_id`` does."""
        if self._wanted is None or self._wanted[0] is not disabled:
            anything, closed = _range(""), frozenset(disabled)
            wanted: dict[str, SpecifierSet] = {}
            for plugin, entries in self.by_id().to_dict().items():
                if plugin not in closed:
                    wanted[plugin] = anything
                    for entry in entries:
                        if entry != plugin and (text := split_requirement(entry)[1]):
                            asked = _range(text)
                            wanted[plugin] = asked if wanted[plugin] is anything else wanted[plugin] & asked
            self._wanted = disabled, Layered(wanted)
        return self._wanted[1]

    def read_before(self, disabled: tuple[str, ...]) -> Layered[str, SpecifierSet] | None:
        """Return what ``wanted`` does where it was asked for already."""
        return self._wanted[1] if self._wanted is not None and self._wanted[0] is disabled else None

    def changed(
        self, disabled: tuple[str, ...], enable: Mapping[str, str], disable: Collection[str]
    ) -> tuple[Entries, tuple[str, ...]]:
        """Return the entries and the disabled ids after some (id -> entry) were enabled and others disabled.

        Nothing is read but the entries that come.
        """
        by_id, touched = self.by_id(), (*enable, *disable)
        left = [entry for plugin in touched if plugin in by_id for entry in by_id[plugin]]
        after = Entries(self._without(left) + tuple(enable.values()))
        closed = tuple(sorted({*disabled, *disable} - enable.keys()))
        after._by_id = by_id.changed({key: (entry,) for key, entry in enable.items()}, touched)
        ranges = {key: _range(split_requirement(entry)[1]) for key, entry in enable.items()}
        after._wanted = closed, self.wanted(disabled).changed(ranges, touched)
        return after, closed

    def _without(self, left: Sequence[str]) -> tuple[str, ...]:
        if not left:
            return self
        if len(left) > _MANY:
            gone = set(left)
            return tuple([each for each in self if each not in gone])
        kept: tuple[str, ...] = self
        for each in left:
            at = kept.index(each)
            kept = kept[:at] + kept[at + 1 :]
        return kept
