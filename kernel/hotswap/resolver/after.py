"""How a solution will be after a change, while that is worked out: what is asked of both."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from attrs import field, frozen
from packaging.specifiers import SpecifierSet

from hotswap.manifest.model import Manifest
from hotswap.resolver.known import Known, leads_up, requires
from hotswap.resolver.model import Request


@frozen
class Change:
    """What a request asks for otherwise than the one that was solved last."""

    want: Mapping[str, SpecifierSet] = field(factory=dict)
    """Plugins that are wanted now, or in another range."""
    drop: Collection[str] = ()
    """Plugins that are not wanted any more."""
    close: Collection[str] = ()
    """Plugins that may not be used any more, with all that require them by id."""
    anew: Collection[str] = ()
    """Plugins whose manifests may have become others."""


class Unsettled(Exception):
    """It cannot be said without solving anew."""


class After:
    """A known solution with a change to it, as far as it is worked out."""

    def __init__(self, known: Known, request: Request, change: Change) -> None:
        self.known = known
        self.request = request
        self.change = change
        self.gone: set[str] = set()
        self.put: dict[str, Manifest] = {}
        """Plugins that come, or come in another version or with another manifest."""
        self.new: list[str] = []
        """Those of them that were not there before."""
        self._askers: dict[str, set[str]] = {}
        self._bound: dict[str, dict[str, str | None]] = {}

    def is_wanted(self, plugin: str) -> bool:
        """Return whether a plugin is wanted after the change."""
        change = self.change
        return plugin in change.want or (
            plugin in self.known.wanted and plugin not in change.drop and plugin not in change.close
        )

    def manifest(self, plugin: str) -> Manifest:
        """Return the manifest of a plugin as it is after the change."""
        return self.put.get(plugin) or self.known.manifests[plugin]

    def is_there(self, plugin: str) -> bool:
        """Return whether a plugin is in the solution after the change."""
        return plugin not in self.gone and (plugin in self.put or plugin in self.known.manifests)

    def is_core(self, plugin: str) -> bool:
        """Return whether a plugin would be in the solution if it filled no port."""
        return leads_up(plugin, self.is_wanted, self._requirers)

    def _requirers(self, plugin: str) -> Iterator[str]:
        for each in (*self.known.naming.get(plugin, ()), *self.put):
            if self.is_there(each) and requires(self.manifest(each), plugin):
                yield each

    def askers(self, plugin: str) -> set[str]:
        """Return the plugins that require one: a set to be changed as they come and go."""
        found = self._askers.get(plugin)
        if found is None:
            entry = self.known.chosen.get(plugin)
            found = self._askers[plugin] = set(entry.required_by if entry is not None else ())
        return found

    def bound(self, plugin: str) -> Mapping[str, str | None]:
        """Return who fills the ports of a plugin, as far as that is known by now."""
        found = self._bound.get(plugin)
        if found is not None:
            return found
        return {} if plugin in self.put else self.known.chosen[plugin].ports

    @property
    def changed(self) -> set[str]:
        """Return the plugins of which the entry in the solution may be another one."""
        named = {*self.put, *self._bound, *self._askers, *self.change.want, *self.change.drop}
        return {each for each in named if self.is_there(each)}

    @property
    def bound_anew(self) -> Collection[str]:
        """Return the plugins of which a port is filled by another one."""
        return self._bound.keys()

    def bind(self, plugin: str, port: str, filler: str | None) -> None:
        """Let a port of a plugin be filled by another one."""
        if plugin not in self._bound:
            self._bound[plugin] = {} if plugin in self.put else dict(self.known.chosen[plugin].ports)
        self._bound[plugin][port] = filler

    def candidates(self, port: str) -> set[str]:
        """Return the providers of a port among all that may be used, needed or not."""
        found = set(self.known.providing.get(port, ()))
        found.difference_update(self.change.close)
        found.update(each for each in self.new if self.put[each].provides_port(port))
        return found

    def others(self, port: str, filler: str, asker: str) -> bool:
        """Return whether somebody else could fill a port, be it in another version."""
        beside = self.known.offering.get(port, set()).difference((filler, asker), self.change.close)
        beside |= {each for each in self.new if each not in (filler, asker) and self._offers(each, port)}
        here = self.candidates(port)
        return any(each in here or not self.is_core(each) for each in beside)

    def askers_of(self, port: str) -> Iterator[str]:
        """Yield the plugins that asked for a port before and stay."""
        for each in self.known.asking.get(port, ()):
            if each not in self.gone:
                yield each

    def _offers(self, plugin: str, port: str) -> bool:
        return any(each.provides_port(port) for each in self.request.versions[plugin])
