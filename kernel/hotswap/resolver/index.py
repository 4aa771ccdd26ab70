"""The catalog as a solver wants it: candidates in order of preference, ranges as bit masks, providers by rank.

Everything is worked out when it is first asked for: the greedy path touches a few candidates of each plugin only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.manifest.model import Manifest
from hotswap.resolver.matching import holds
from hotswap.resolver.model import Request
from hotswap.resolver.usability import obstacles

_version = attrgetter("version")


class Family:
    """All versions of one plugin, the preferred one first; bit ``i`` of a mask stands for candidate ``i``."""

    __slots__ = ("_candidates", "_manifests", "_masks", "_request", "_usable", "id")

    def __init__(self, plugin: str, manifests: Sequence[Manifest], request: Request) -> None:
        self.id = plugin
        self._manifests = manifests
        self._candidates: list[Manifest] | None = None
        self._request = request
        self._usable: dict[int, bool] = {}
        self._masks: dict[int, tuple[SpecifierSet, int]] = {}

    @property
    def candidates(self) -> list[Manifest]:
        """The manifests in order of preference."""
        if self._candidates is None:
            self._candidates = by_preference(self.id, self._manifests, self._request)
        return self._candidates

    def best(self) -> Manifest:
        """Return the preferred candidate, without putting the others in order if it can be had without."""
        if self._candidates is None and self.id not in self._request.locked and self.id not in self._request.active:
            newest = max(self._manifests, key=_version)
            if not newest.version.is_prerelease:
                return newest
        return self.candidates[0]

    def usable(self, manifest: Manifest) -> bool:
        """Return whether a candidate can be used on this host."""
        known = self._usable.get(id(manifest))
        if known is None:
            known = self._usable[id(manifest)] = not obstacles(manifest, self._request)
        return known

    def allowed(self, specifier: SpecifierSet) -> int:
        """Return the candidates that ``specifier`` holds."""
        entry = self._masks.get(id(specifier))
        if entry is None:
            mask = sum(1 << i for i, each in enumerate(self.candidates) if holds(specifier, each.version))
            entry = self._masks[id(specifier)] = (specifier, mask)
        return entry[1]

    def providing(self, port: str) -> int:
        """Return the candidates that provide ``port``."""
        return sum(1 << i for i, each in enumerate(self.candidates) if each.provides_port(port))


class Index:
    """The catalog of one request."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._families: dict[str, Family | None] = {}
        self._providers: dict[str, tuple[str, ...]] | None = None
        self._ranked: dict[str, tuple[str, ...]] = {}

    def family(self, plugin: str) -> Family | None:
        """Return all versions of ``plugin``; None when the catalog has none, or the id is excluded."""
        try:
            return self._families[plugin]
        except KeyError:
            found = self._families[plugin] = self._read(plugin)
            return found

    def _read(self, plugin: str) -> Family | None:
        request = self.request
        manifests = request.versions.get(plugin)
        if not manifests or plugin in request.excluded:
            return None
        return Family(plugin, manifests, request)

    def providers(self, port: str) -> tuple[str, ...]:
        """Return the ids of all plugins with a version that provides ``port``, the preferred one first."""
        ranked = self._ranked.get(port)
        if ranked is None:
            found = self._all_providers().get(port, ())
            ranked = self._ranked[port] = tuple(sorted(found, key=lambda each: self._rank(port, each)))
        return ranked

    def selected(self, port: str) -> frozenset[str]:
        """Return the ids of the plugins that provide ``port`` under a name selected for it."""
        names = self.request.selected.get(port)
        if not names:
            return frozenset()
        return frozenset(each for each in self.providers(port) if self._rank(port, each)[0] < len(names))

    def _rank(self, port: str, plugin: str) -> tuple[int, int, str]:
        manifests = self.request.versions[plugin]
        return min(rank(self.request, port, each, plugin) for each in manifests)

    def _all_providers(self) -> dict[str, tuple[str, ...]]:
        if self._providers is None:
            found: dict[str, dict[str, None]] = {}
            for plugin, manifests in self.request.versions.items():
                for manifest in manifests:
                    for provide in manifest.provides:
                        found.setdefault(provide.port, {})[plugin] = None
            self._providers = {port: tuple(ids) for port, ids in found.items()}
        return self._providers


def by_preference(plugin: str, manifests: Sequence[Manifest], request: Request) -> list[Manifest]:
    """Return the manifests of a plugin: locked, active, final releases, pre-releases; the newest first."""
    found = sorted(manifests, key=_version, reverse=True)
    found.sort(key=lambda each: each.version.is_prerelease)
    for preferred in (request.active.get(plugin), request.locked.get(plugin)):
        if preferred is not None:
            found.sort(key=partial(_is_other, preferred))
    return found


def _is_other(version: Version, manifest: Manifest) -> bool:
    return manifest.version != version


def rank(request: Request, port: str, manifest: Manifest, plugin: str) -> tuple[int, int, str]:
    """Return the sort key of a provider of ``port``: selected, then wanted, locked, active, any; ties by id."""
    names = request.selected.get(port, ())
    positions = [names.index(each.name) for each in manifest.provides if each.port == port and each.name in names]
    known = 0 if plugin in request.locked else 1 if plugin in request.active else 2
    wanted = 0 if plugin in request.wanted else 3
    return (min(positions, default=len(names)), wanted + known, plugin)
