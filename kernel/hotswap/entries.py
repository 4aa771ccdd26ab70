"""The entries of ``enabled`` in the settings, read once: whatever settings are made of others keep what was read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from hotswap.errors import SettingsInvalid
from hotswap.settings_tables import split_requirement

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


class Entries(tuple[str, ...]):
    """Entries such as ``"id"`` and ``"id>=1.2"``, in order."""

    _by_id: Mapping[str, tuple[str, ...]] | None = None
    _wanted: tuple[tuple[str, ...], Mapping[str, SpecifierSet]] | None = None

    def by_id(self) -> Mapping[str, tuple[str, ...]]:
        """Return the entries of each id. Raises SettingsInvalid for one that is no requirement."""
        if self._by_id is None:
            found: dict[str, tuple[str, ...]] = {}
            for entry in self:
                try:
                    plugin, _ = split_requirement(entry)
                except ValueError as wrong:
                    raise SettingsInvalid("Settings(enabled=...)", [f"{entry!r} {wrong}"]) from None
                found[plugin] = (*found.get(plugin, ()), entry)
            self._by_id = found
        return self._by_id

    def wanted(self, disabled: tuple[str, ...]) -> Mapping[str, SpecifierSet]:
        """Return the ids with the versions asked for, without the ``disabled`` ones; raises as ``by_id`` does."""
        if self._wanted is None or self._wanted[0] is not disabled:
            from packaging.specifiers import SpecifierSet

            anything, closed = SpecifierSet(), frozenset(disabled)
            wanted: dict[str, SpecifierSet] = {}
            for plugin, entries in self.by_id().items():
                if plugin not in closed:
                    asked = [SpecifierSet(split_requirement(each)[1]) for each in entries if each != plugin]
                    wanted[plugin] = anything
                    for each in asked:
                        wanted[plugin] = each if wanted[plugin] is anything else wanted[plugin] & each
            self._wanted = disabled, MappingProxyType(wanted)
        return self._wanted[1]

    def changed(
        self, disabled: tuple[str, ...], enable: Mapping[str, str], disable: Collection[str]
    ) -> tuple[Entries, tuple[str, ...]]:
        """Return the entries and the disabled ids after some (id -> entry) were enabled and others disabled.

        Nothing is read but the entries that come.
        """
        from packaging.specifiers import SpecifierSet

        kept, by_id, wanted = dict.fromkeys(self), dict(self.by_id()), dict(self.wanted(disabled))
        for plugin in (*enable, *disable):
            wanted.pop(plugin, None)
            for each in by_id.pop(plugin, ()):
                kept.pop(each, None)
        for plugin, entry in enable.items():
            kept[entry] = None
            by_id[plugin] = (entry,)
            wanted[plugin] = SpecifierSet(split_requirement(entry)[1])
        after = Entries(kept)
        closed = tuple(sorted({*disabled, *disable} - enable.keys()))
        after._by_id, after._wanted = by_id, (closed, MappingProxyType(wanted))
        return after, closed
