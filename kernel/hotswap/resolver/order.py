"""Which provider fills which port, and in what order plugins start: rules 5 and 6, and the preferences about them."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from attrs import define, field, frozen

from hotswap.manifest.model import Manifest, Require
from hotswap.resolver.graph import circle, components
from hotswap.resolver.index import rank
from hotswap.resolver.matching import holds
from hotswap.resolver.model import Request


@frozen
class Arrangement:
    """A start order and who fills which port; or, when ``stuck`` is not empty, the plugins that wait for each other."""

    order: tuple[str, ...]
    bindings: Mapping[str, Mapping[str, str | None]]
    stuck: tuple[str, ...] = ()
    cycle: tuple[str, ...] = ()
    """One circle among the stuck ones."""

    def needed_by(self, chosen: Mapping[str, Manifest], wanted: Mapping[str, object]) -> dict[str, list[str]]:
        """Return who requires each plugin that is wanted or (rule 7) required by one that is needed."""
        needed: dict[str, list[str]] = {each: [] for each in self.order if each in wanted}
        for plugin in reversed(self.order):
            if plugin in needed:
                for target in self._required(plugin, chosen[plugin]):
                    needed.setdefault(target, []).append(plugin)
        return needed

    def _required(self, plugin: str, manifest: Manifest) -> dict[str, None]:
        targets: dict[str, None] = {each.id: None for each in manifest.dependencies if not each.optional}
        if manifest.requires:
            bound = self.bindings[plugin]
            for require in manifest.requires:
                target = bound[require.port]
                if target is not None and not require.optional:
                    targets[target] = None
        return targets


@define
class _Waits:
    """What one plugin waits for before it starts."""

    hard: set[str] = field(factory=set)
    """Required dependencies."""
    ports: dict[str, tuple[str, ...]] = field(factory=dict)
    """Required port -> its providers here, best first, itself left out."""
    soft: set[str] = field(factory=set)
    """Optional dependencies and the providers of optional ports."""


def arrange(request: Request, chosen: Mapping[str, Manifest]) -> Arrangement:
    """Return how to start ``chosen``, where required dependencies are there and each required port has a provider."""
    return _Starter(request, chosen).run()


class _Starter:
    def __init__(self, request: Request, chosen: Mapping[str, Manifest]) -> None:
        self._request = request
        self._chosen = chosen
        self._providers: dict[str, list[str]] | None = None
        self._bindings: dict[str, dict[str, str | None]] = {}
        self._waits: dict[str, _Waits] = {}
        self._open: dict[str, set[str]] = {}
        """Plugin -> all that it would rather wait for and that has not started."""
        self._started: dict[str, None] = {}

    def run(self) -> Arrangement:
        dependants: dict[str, list[str]] = {}
        ready: list[str] = []
        for plugin in self._chosen:
            waiting = self._read(plugin)
            if waiting:
                self._open[plugin] = waiting
                for target in waiting:
                    dependants.setdefault(target, []).append(plugin)
            else:
                ready.append(plugin)
        heapq.heapify(ready)
        while ready or self._open:
            if not ready:
                loosened = self._loosen()
                if loosened is None:
                    return self._stuck()
                del self._open[loosened]
                ready.append(loosened)
            plugin = heapq.heappop(ready)
            self._started[plugin] = None
            for dependant in dependants.get(plugin, ()):
                waiting = self._open.get(dependant, set())
                if plugin in waiting:
                    waiting.discard(plugin)
                    if not waiting:
                        del self._open[dependant]
                        heapq.heappush(ready, dependant)
        return Arrangement(tuple(self._started), self._bindings)

    def _read(self, plugin: str) -> set[str]:
        """Note what ``plugin`` waits for, bind its ports to the best providers, and return all it waits for."""
        manifest = self._chosen[plugin]
        if not manifest.requires and not any(each.optional for each in manifest.dependencies):
            return {each.id for each in manifest.dependencies}
        waits = self._waits[plugin] = _Waits()
        for each in manifest.dependencies:
            if not each.optional:
                waits.hard.add(each.id)
            elif each.id in self._chosen and each.id != plugin:
                waits.soft.add(each.id)
        bound: dict[str, str | None] = {}
        for require in manifest.requires:
            candidates = tuple(each for each in self._providers_of(require.port) if each != plugin)
            best = candidates[0] if candidates and _fits_host(self._request, require) else None
            bound[require.port] = bound.get(require.port) or best
            if not require.optional:
                waits.ports[require.port] = candidates
            elif best is not None:
                waits.soft.add(best)
        self._bindings[plugin] = bound
        return waits.hard | waits.soft | {each[0] for each in waits.ports.values()}

    def _providers_of(self, port: str) -> list[str]:
        if self._providers is None:
            found: dict[str, list[str]] = {}
            for plugin, manifest in self._chosen.items():
                for name in {each.port for each in manifest.provides}:
                    found.setdefault(name, []).append(plugin)
            for name, plugins in found.items():
                plugins.sort(key=lambda each, name=name: rank(self._request, name, self._chosen[each], each))  # type: ignore[misc]
            self._providers = found
        return self._providers.get(port, [])

    def _of(self, plugin: str) -> _Waits:
        waits = self._waits.get(plugin)
        return waits or _Waits(hard={each.id for each in self._chosen[plugin].dependencies})

    def _blocked(self, plugin: str) -> list[str]:
        """Return what keeps ``plugin`` from starting whatever one gives up: all it waits for, for one such reason."""
        waits = self._of(plugin)
        late = sorted(each for each in waits.hard if each not in self._started)
        if late:
            return late[:1]
        for port in sorted(waits.ports):
            if not any(each in self._started for each in waits.ports[port]):
                return sorted(waits.ports[port])
        return []

    def _loosen(self) -> str | None:
        """Choose a plugin that starts though something it would rather wait for has not; None when none can.

        One inside a circle that waits for nothing outside it comes first: no edge that closes no circle is dropped.
        """
        able = {each for each in self._open if not self._blocked(each)}
        if not able:
            return None
        waiting = {each: sorted(self._open[each]) for each in sorted(self._open)}
        home = {each: part for part in components(waiting) for each in part}
        chosen = min(able, key=lambda each: (self._leaves(waiting, home[each]), self._second_best(each), each))
        for port, candidates in self._of(chosen).ports.items():
            self._bindings[chosen][port] = next(each for each in candidates if each in self._started)
        return chosen

    @staticmethod
    def _leaves(waiting: Mapping[str, list[str]], part: tuple[str, ...]) -> bool:
        return any(target not in part for each in part for target in waiting[each])

    def _second_best(self, plugin: str) -> bool:
        return any(each[0] not in self._started for each in self._of(plugin).ports.values())

    def _stuck(self) -> Arrangement:
        waiting = {each: self._blocked(each) for each in sorted(self._open)}
        part = components(waiting)[0]  # the first one found points to none outside itself
        return Arrangement((), {}, tuple(sorted(part)), circle(waiting, min(part)))


def _fits_host(request: Request, require: Require) -> bool:
    version = request.ports.get(require.port)
    return version is not None and holds(require.specifier, version)
