"""The fast path: the preferred version of everything, repaired where a range says otherwise. Linear; proves nothing.

It follows what is wanted along required edges and looks at nothing else, so a change costs what it can reach. What it
finds is held against all rules by the caller; where it gives up, it says which plugins the trouble is about.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from attrs import define, field
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.manifest.model import Manifest, Require
from hotswap.resolver.index import Family, Index
from hotswap.resolver.matching import holds

_REPAIRS_PER_PLUGIN = 3
_REPAIRS_AT_LEAST = 50


@define
class Attempt:
    """Where the fast path came to."""

    chosen: dict[str, Manifest]
    troubled: set[str] = field(factory=set)
    """Plugins that had to be chosen anew, or could not be."""
    complete: bool = False


class _Demand(NamedTuple):
    """A range on a plugin, and the choice that states it: void once that choice was dropped."""

    parent: str
    version: Version | None
    specifier: SpecifierSet
    forbids: bool = False
    port: str = ""


def newest(index: Index) -> dict[str, Manifest] | None:
    """Return the preferred version of everything that is needed then, no range looked at; None if that cannot be right.

    Where nothing conflicts, which is most of the time, this and the verification that follows are all there is to do.
    """
    chosen: dict[str, Manifest] = {}
    ports: dict[str, list[str]] = {}
    todo = sorted(index.request.wanted, reverse=True)
    while todo:
        plugin = todo.pop()
        if plugin in chosen:
            continue
        family = index.family(plugin)
        if family is None:
            return None
        manifest = chosen[plugin] = family.best()
        todo += [each.id for each in manifest.dependencies if not each.optional and each.id not in chosen]
        for require in manifest.requires:
            if not require.optional:
                ports.setdefault(require.port, []).append(plugin)
    providers: dict[str, list[tuple[str, str]]] = {}
    for plugin, manifest in chosen.items():
        for it in manifest.provides:
            providers.setdefault(it.port, []).append((plugin, it.name))
    for port, askers in ports.items():
        names = index.request.selected.get(port, ())[:1]
        here = {plugin for plugin, name in providers.get(port, ()) if not names or name in names}
        if not all(here - {asker} for asker in askers):
            return None
    return chosen


class Greedy:
    """One attempt at a request."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._chosen: dict[str, Manifest] = {}
        self._demands: dict[str, list[_Demand]] = {}
        self._queue: deque[str] = deque()
        self._ports: deque[tuple[str, Version, Require]] = deque()
        self._troubled: set[str] = set()
        self._repairs = 0

    def run(self) -> Attempt:
        """Choose until nothing is open, or until it takes more repairs than a fast path should.

        What cannot be chosen is left out and the rest is gone through all the same: the trouble stays where it is.
        """
        for plugin, specifier in sorted(self._index.request.wanted.items()):
            self._demand(plugin, _Demand("", None, specifier), required=True)
        complete = True
        while self._repairs <= max(_REPAIRS_AT_LEAST, _REPAIRS_PER_PLUGIN * len(self._chosen)):
            if self._queue:
                complete = self._choose(self._queue.popleft()) and complete
            elif self._ports:
                complete = self._fill(*self._ports.popleft()) and complete
            else:
                return Attempt(self._chosen, self._troubled, complete)
        return Attempt(self._chosen, self._troubled)

    def _demand(self, plugin: str, demand: _Demand, *, required: bool) -> None:
        """Note a range; have the plugin chosen (again) if it is required and missing, or out of that range now."""
        self._demands.setdefault(plugin, []).append(demand)
        present = self._chosen.get(plugin)
        if present is None:
            if required:
                self._queue.append(plugin)
        elif not _allows(demand, present):
            self._troubled.add(plugin)
            del self._chosen[plugin]
            self._queue.append(plugin)

    def _choose(self, plugin: str) -> bool:
        if plugin in self._chosen:
            return True
        family = self._index.family(plugin)
        if family is None:
            self._troubled.add(plugin)
            return False
        demands = self._demands[plugin]
        if self._troubled:
            self._repairs += plugin in self._troubled
            demands = self._demands[plugin] = [each for each in demands if self._stands(each)]
        found = _first(family, demands)
        if found is None:
            self._troubled.add(plugin)
            self._troubled.update(each.parent for each in demands if each.parent)
            return False
        self._take(plugin, found)
        return True

    def _stands(self, demand: _Demand) -> bool:
        if demand.version is None:
            return True
        parent = self._chosen.get(demand.parent)
        return parent is not None and parent.version == demand.version

    def _take(self, plugin: str, manifest: Manifest) -> None:
        self._chosen[plugin] = manifest
        version = manifest.version
        for each in manifest.dependencies:
            self._demand(each.id, _Demand(plugin, version, each.specifier), required=not each.optional)
        for conflict in manifest.conflicts:
            if conflict.id != plugin:
                self._demand(conflict.id, _Demand(plugin, version, conflict.specifier, forbids=True), required=False)
        for require in manifest.requires:
            if not require.optional:
                self._ports.append((plugin, version, require))

    def _fill(self, plugin: str, version: Version, require: Require) -> bool:
        """See to it that a port is provided: by what was selected, by what is there anyway, by the next best."""
        asker = self._chosen.get(plugin)
        if asker is None or asker.version != version:
            return True
        index = self._index
        candidates = [each for each in index.providers(require.port) if each != plugin]
        selected = index.selected(require.port)
        here = [each for each in candidates if each in self._chosen and self._chosen[each].provides_port(require.port)]
        for each in [each for each in candidates if each in selected] + here + candidates:
            if each in here:
                self._demands[each].append(_Demand(plugin, version, SpecifierSet(), port=require.port))
                return True
            family = index.family(each)
            demand = _Demand(plugin, version, SpecifierSet(), port=require.port)
            standing = [d for d in self._demands.get(each, ()) if self._stands(d)]
            if family is not None and each not in self._chosen and _first(family, [*standing, demand]) is not None:
                self._demand(each, demand, required=True)
                return True
        self._troubled.update([plugin, *candidates])
        return False


def _allows(demand: _Demand, manifest: Manifest) -> bool:
    if demand.port:
        return manifest.provides_port(demand.port)
    return holds(demand.specifier, manifest.version) != demand.forbids


def _first(family: Family, demands: list[_Demand]) -> Manifest | None:
    best = family.best()
    if all(_allows(each, best) for each in demands) and family.usable(best):
        return best
    for manifest in family.candidates:
        if all(_allows(each, manifest) for each in demands) and family.usable(manifest):
            return manifest
    return None
