"""The catalog as a solver wants it: candidates in order of preference, ranges as bit masks, providers by rank.

Everything is worked out when it is first asked for: the greedy path touches a few candidates of each plugin only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    __slots__ = ("_masks", "_request", "_usable", "candidates", "id")

    def __init__(self, plugin: str, candidates: list[Manifest], request: Request) -> None:
        self.id = plugin
        self.candidates = candidates
        self._request = request
        self._usable: dict[int, bool] = {}
        self._masks: dict[int, tuple[SpecifierSet, int]] = {}

    def usable(self, position: int) -> bool:
        """Return whether that candidate can be used on this host."""
        known = self._usable.get(position)
        if known is None:
            known = self._usable[position] = not obstacles(self.candidates[position], self._request)
        return known

    def usable_mask(self) -> int:
        """Return the candidates that can be used on this host."""
        return self.mask(self.usable)

    def allowed(self, specifier: SpecifierSet) -> int:
        """Return the candidates that ``specifier`` holds."""
        entry = self._masks.get(id(specifier))
        if entry is None:
            mask = sum(1 << i for i, each in enumerate(self.candidates) if holds(specifier, each.version))
            entry = self._masks[id(specifier)] = (specifier, mask)
        return entry[1]

    def providing(self, port: str) -> int:
        """Return the candidates that provide ``port``."""
        return self.mask(lambda position: self.candidates[position].provides_port(port))

    def mask(self, test: Callable[[int], bool]) -> int:
        """Return the candidates whose position passes ``test``."""
        return sum(1 << i for i in range(len(self.candidates)) if test(i))


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
        return Family(plugin, by_preference(plugin, manifests, request), request)

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
    """Return the manifests of a plugin, one per version: locked, active, final releases, pre-releases; newest first."""
    found = sorted(manifests, key=_version, reverse=True)
    ordered: list[Manifest] = []
    late: list[Manifest] = []
    first = request.locked.get(plugin)
    second = request.active.get(plugin)
    last: Version | None = None
    for each in found:
        version = each.version
        if version == last:
            _keep_one(ordered, late, each)
            continue
        last = version
        (late if version.is_prerelease else ordered).append(each)
    ordered += late
    if second is not None:
        ordered.sort(key=lambda each: each.version != second)
    if first is not None:
        ordered.sort(key=lambda each: each.version != first)
    return ordered


def _keep_one(ordered: list[Manifest], late: list[Manifest], other: Manifest) -> None:
    """Of two manifests with one version keep the same one in any order of input (a catalog reports such pairs)."""
    place = late if other.version.is_prerelease else ordered
    place[-1] = min(place[-1], other, key=lambda each: (each.raw_version, str(each.path or "")))


def rank(request: Request, port: str, manifest: Manifest, plugin: str) -> tuple[int, int, str]:
    """Return the sort key of a provider of ``port``: selected, then wanted, locked, active, any; ties by id."""
    names = request.selected.get(port, ())
    positions = [names.index(each.name) for each in manifest.provides if each.port == port and each.name in names]
    known = 0 if plugin in request.locked else 1 if plugin in request.active else 2
    wanted = 0 if plugin in request.wanted else 3
    return (min(positions, default=len(names)), wanted + known, plugin)
