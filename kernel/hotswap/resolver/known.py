"""A solution that stands, and who in it names, asks for and provides what. It moves along with every change.

It is *stable*: solving anew for the same request, with everything in it active, would choose the same plugins in the
same versions. That is what lets a change be solved by looking at what it reaches (``hotswap.resolver.local``). Three
things make a solution stable, besides that it holds: each port is filled by the provider that comes first; one that is
in it only to fill ports is the only one that could fill them; and whoever is selected first for a port fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count

from attrs import evolve, frozen
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.manifest.model import Manifest
from hotswap.resolver.index import Index
from hotswap.resolver.matching import holds
from hotswap.resolver.model import Chosen, Request, Solution
from hotswap.resolver.verify import accept, read


@frozen
class Move:
    """What a change does to a solution."""

    before: Solution
    after: Solution
    entries: Mapping[str, Chosen]
    """Those of the plugins that come or changed."""
    is_reordered: bool
    """Whether some stand otherwise among those that were there before."""
    gone: Collection[str]
    manifests: Mapping[str, Manifest]
    """Those of plugins that come, or come in another version or with another manifest."""
    versions: Mapping[str, Sequence[Manifest]]
    """What the catalog has of plugins that come, or of which it was read anew."""
    wanted: Mapping[str, SpecifierSet | None]
    """Plugins that are wanted now, or in another range; None: no more."""
    selected: Mapping[str, tuple[str, ...]]


class Known:
    """A stable solution with its reverse index."""

    def __init__(
        self, solution: Solution, found: Solution, manifests: Mapping[str, Manifest], request: Request
    ) -> None:
        self.solution = solution
        self.chosen = {each.id: each for each in found.plugins}
        """In start order."""
        self.plugins = found.plugins
        self._places = dict(zip(self.chosen, count(), strict=False))
        """Plugin -> where it stood once; since then some before it may have left."""
        self.manifests: dict[str, Manifest] = {}
        self.wanted = dict(request.wanted)
        self.selected = request.selected
        self.ports = request.ports
        self.naming: dict[str, set[str]] = {}
        """Plugin -> those whose dependencies or conflicts name it."""
        self.asking: dict[str, set[str]] = {}
        """Port -> those that require it, or would take it."""
        self.providing: dict[str, set[str]] = {}
        self.rebuilding: dict[str, set[str]] = {}
        """Port -> those that ask to be rebuilt when it leads elsewhere."""
        self.offering: dict[str, set[str]] = {}
        """Port -> those of which some version in the catalog provides it."""
        self._offers: dict[str, set[str]] = {}
        for plugin, manifest in manifests.items():
            self._enter(plugin, manifest)
            self._offer(plugin, request.versions[plugin])

    @classmethod
    def of(cls, request: Request, solution: Solution) -> Known | None:
        """Read a solution of ``request``, in linear time; None when it is none, or not stable."""
        manifests, problems = read(request, solution.versions())
        if problems:
            return None
        request = evolve(request, active=solution.versions(), locked={})
        found = accept(request, manifests)
        if found is None or len(found.plugins) < len(manifests):
            return None
        before = {each.id: each for each in solution.plugins}
        same = tuple(before[each.id] if each == before[each.id] else each for each in found.plugins)
        known = cls(solution, Solution(same), manifests, request)
        return known if known._is_stable(request) else None

    def _is_stable(self, request: Request) -> bool:
        index = Index(request)
        for port, askers in self.asking.items():
            first, second = (*self.ranked(port, self.providing.get(port, ())), None, None)[:2]
            fillers = {each: self.chosen[each].ports[port] for each in askers}
            if any(filler != (second if each == first else first) for each, filler in fillers.items()):
                return False
            lonely = {each for each in fillers.values() if each is not None and not self._is_core(each)}
            is_other = first is not None and not self._is_first_selected(port, first)
            if lonely or is_other:
                required = [each for each in askers if asked(self.manifests[each], self.ports)[port]]
                if any(fillers[each] in lonely and self._others(port, fillers[each], each) for each in required):
                    return False
                if required and is_other and index.selected(port) - self.chosen.keys() - request.excluded:
                    return False  # looked for last: that reads the whole catalog
        return True

    def _others(self, port: str, filler: str | None, asker: str) -> bool:
        """Return whether somebody else could fill a port, be it in another version."""
        beside = self.offering[port] - {filler, asker}
        return any(each in self.providing[port] or not self._is_core(each) for each in beside)

    def _is_core(self, plugin: str) -> bool:
        """Return whether a plugin would be in the solution if it filled no port."""

        def requirers(each: str) -> Iterable[str]:
            return (other for other in self.naming.get(each, ()) if requires(self.manifests[other], each))

        return leads_up(plugin, self.wanted.__contains__, requirers)

    def ranked(self, port: str, plugins: Collection[str]) -> list[str]:
        """Return providers of a port, the first to fill it first."""
        return sorted(plugins, key=lambda each: rank(port, each, self.manifests[each], self.selected, self.wanted))

    def _is_first_selected(self, port: str, plugin: str) -> bool:
        """Return whether a plugin is what the settings select first for a port, if they select anything."""
        names = self.selected.get(port, ())
        return not names or (port, names[0]) in {(each.port, each.name) for each in self.manifests[plugin].provides}

    def offers(self, plugin: str) -> Collection[str]:
        """Return the ports that some version of a plugin provides."""
        return self._offers.get(plugin, ())

    def place(self, plugin: str) -> int:
        """Return the place of a plugin in start order."""
        plugins = self.plugins
        at = min(self._places[plugin], len(plugins) - 1)
        while plugins[at].id != plugin:
            at -= 1
        self._places[plugin] = at
        return at

    def move(self, move: Move) -> None:
        """Follow a change that was worked out from here."""
        for each in (*move.gone, *(each for each in move.manifests if each in self.manifests)):
            self._leave(each, self.manifests.pop(each))
        for plugin, manifest in move.manifests.items():
            self._enter(plugin, manifest)
        for plugin in move.gone:
            self._offer(plugin, ())
        for plugin, versions in move.versions.items():
            self._offer(plugin, versions)
        for plugin, specifier in move.wanted.items():
            if specifier is None:
                self.wanted.pop(plugin, None)
            else:
                self.wanted[plugin] = specifier
        self.selected, self.solution, self.plugins = move.selected, move.after, move.after.plugins
        for plugin in move.gone:
            del self.chosen[plugin], self._places[plugin]
        if move.is_reordered:
            self.chosen = {each.id: each for each in move.after.plugins}
            self._places = dict(zip(self.chosen, count(), strict=False))
        self.chosen.update(move.entries)
        for plugin in move.entries:
            self._places.setdefault(plugin, len(self.chosen))

    def _enter(self, plugin: str, manifest: Manifest) -> None:
        self.manifests[plugin] = manifest
        for table, key in self._keys(manifest):
            table.setdefault(key, set()).add(plugin)

    def _leave(self, plugin: str, manifest: Manifest) -> None:
        for table, key in self._keys(manifest):
            table[key].discard(plugin)

    def _offer(self, plugin: str, versions: Sequence[Manifest]) -> None:
        offers = {each.port for manifest in versions for each in manifest.provides}
        for port in self._offers.pop(plugin, set()) - offers:
            self.offering[port].discard(plugin)
        for port in offers:
            self.offering.setdefault(port, set()).add(plugin)
        if offers:
            self._offers[plugin] = offers

    def _keys(self, manifest: Manifest) -> Iterator[tuple[dict[str, set[str]], str]]:
        for each in (*manifest.dependencies, *manifest.conflicts):
            yield self.naming, each.id
        for provide in manifest.provides:
            yield self.providing, provide.port
        for port in asked(manifest, self.ports):
            yield self.asking, port
        for require in manifest.requires:
            if require.rebind == "rebuild":
                yield self.rebuilding, require.port

    def dependants(self, plugins: Collection[str], by_name: Callable[[str], Collection[str]]) -> list[str]:
        """Return the plugins that cannot go on without ``plugins``, the farthest first: in this order they stop.

        Args:
            by_name: those that were given a provider of a plugin by name.
        """
        gone, found = set(plugins), []
        border = [each for each in gone if each in self.manifests]
        while border:
            left_alone = {other for each in border for other in (*self._left_alone(each, gone), *by_name(each))}
            border = sorted(left_alone - gone)
            gone.update(border)
            found += border
        return found[::-1]

    def _left_alone(self, plugin: str, gone: Collection[str]) -> Iterator[str]:
        for each in self.naming.get(plugin, ()):
            if requires(self.manifests[each], plugin):
                yield each
        for port in {each.port for each in self.manifests[plugin].provides}:
            left = self.providing[port].difference(gone)
            if len(left) < 2:
                for each in self.asking.get(port, ()):
                    if left <= {each} and asked(self.manifests[each], self.ports)[port]:
                        yield each


def asked(manifest: Manifest, ports: Mapping[str, Version]) -> dict[str, bool]:
    """Return the ports that a plugin is given where they are provided -> whether it cannot do without."""
    found: dict[str, bool] = {}
    for each in manifest.requires:
        if not each.optional or (each.port in ports and holds(each.specifier, ports[each.port])):
            found[each.port] = found.get(each.port, False) or not each.optional
    return found


def leads_up(plugin: str, is_wanted: Callable[[str], bool], requirers: Callable[[str], Iterable[str]]) -> bool:
    """Return whether a plugin is wanted, or required by id by one that is, at any distance: it need fill no port."""
    seen, todo = {plugin}, [plugin]
    for each in todo:  # grows meanwhile
        if is_wanted(each):
            return True
        more = [other for other in requirers(each) if other not in seen]
        seen.update(more)
        todo += more
    return False


def requires(manifest: Manifest, plugin: str) -> bool:
    """Return whether a plugin depends on another one by its id and cannot do without."""
    return any(each.id == plugin and not each.optional for each in manifest.dependencies)


def rank(
    port: str,
    plugin: str,
    manifest: Manifest,
    selected: Mapping[str, tuple[str, ...]],
    wanted: Collection[str],
    newcomers: Collection[str] = (),
) -> tuple[int, int, str]:
    """Return the sort key of a provider, as ``index.rank`` does where all but the ``newcomers`` are active."""
    names = selected.get(port, ())
    places = [names.index(each.name) for each in manifest.provides if each.port == port and each.name in names]
    known = (0 if plugin in wanted else 3) + (plugin in newcomers)
    return (min(places, default=len(names)), known, plugin)
