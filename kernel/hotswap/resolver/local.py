"""A change to a solution that stands, solved by what it can reach. What it cannot settle is for the solvers.

It takes the steps that the fast path (``greedy``) would take, in the plugins that come, go or change and those beside
them; all others are as they would be chosen again, since the solution is stable (``known``). It answers only where the
answer is the one that solving anew would give, in the same versions, and the solution after it is stable too. Whatever
it chose is held against the rules at the end, at every edge that it touched, by what the manifests say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from attrs import evolve
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.manifest.model import Manifest
from hotswap.resolver.after import After, Change, Unsettled
from hotswap.resolver.filling import Filling
from hotswap.resolver.index import by_preference
from hotswap.resolver.known import Known, Move, asked, requires
from hotswap.resolver.matching import holds
from hotswap.resolver.model import Chosen, Request, Solution
from hotswap.resolver.start_order import start_order
from hotswap.resolver.usability import obstacles


def step(known: Known, request: Request, change: Change) -> Move | None:
    """Return what a change does to a known solution; None where that cannot be said without solving anew.

    ``request`` is what would be solved: of it only the catalog, the host, ``selected`` and ``excluded`` are read.
    """
    try:
        return _Step(After(known, request, change)).run()
    except Unsettled:
        return None


class _Step:
    def __init__(self, after: After) -> None:
        self._after = after
        self._known = after.known
        self._demands: dict[str, list[SpecifierSet]] = {}
        self._queue: deque[str] = deque()
        self._loose: list[str] = []
        """Plugins that lost something that kept them in."""

    def run(self) -> Move:
        self._close()
        self._choose()
        fillings = [Filling(self._after, port) for port in self._ports()]
        for each in fillings:
            each.fill()
        self._rewire()
        self._let_go()
        for each in fillings:
            each.check()
        for plugin in {*self._loose, *self._after.new}.difference(self._after.change.close):
            self._check_loose(plugin)
        for plugin in self._after.change.anew:
            self._check_read_anew(plugin)
        for plugin, manifest in self._after.put.items():
            self._check_own(plugin, manifest)
            self._check_named(plugin, manifest.version)
            self._check_range(plugin, manifest)
        return self._move()

    def _close(self) -> None:
        after, known = self._after, self._known
        after.gone.update(each for each in after.change.close if each in known.manifests)
        for gone in after.gone:
            for each in known.naming.get(gone, ()):
                if each not in after.gone and requires(known.manifests[each], gone):
                    raise Unsettled

    def _choose(self) -> None:
        """Choose what is wanted and not there, then what that requires, in the order in which the fast path would."""
        change, known, queue = self._after.change, self._known, self._queue
        for plugin in sorted({*change.want, *(each for each in change.anew if each in known.manifests)}):
            if plugin in self._after.gone:
                raise Unsettled
            if plugin in known.manifests:
                self._choose_again(plugin)
            else:
                self._demands.setdefault(plugin, []).append(change.want[plugin])
                queue.append(plugin)
        while queue:
            plugin = queue.popleft()
            if plugin not in self._after.put:
                self._after.new.append(plugin)
                self._take(plugin, self._first(plugin, self._demands[plugin][0]))

    def _choose_again(self, plugin: str) -> None:
        """Choose another version of a plugin that is there, or the same with another manifest, if it has to be."""
        change, known = self._after.change, self._known
        specifier = change.want.get(plugin, known.wanted.get(plugin, SpecifierSet()))
        before, version = known.manifests[plugin], known.chosen[plugin].version
        if plugin not in change.anew and holds(specifier, version):
            return
        found = self._first(plugin, specifier, version)
        if found != before:
            if {(each.port, each.name) for each in before.provides} != {(e.port, e.name) for e in found.provides}:
                raise Unsettled
            self._take(plugin, found)

    def _first(self, plugin: str, specifier: SpecifierSet, active: Version | None = None) -> Manifest:
        """Return the preferred version of a plugin that a range allows."""
        request = self._after.request
        manifests = request.versions.get(plugin)
        if not manifests or plugin in request.excluded:
            raise Unsettled
        here = {plugin: active} if active is not None else {}
        for each in by_preference(plugin, manifests, evolve(request, active=here, locked={})):
            if holds(specifier, each.version) and not obstacles(each, request):
                return each
        raise Unsettled

    def _take(self, plugin: str, manifest: Manifest) -> None:
        self._after.put[plugin] = manifest
        for each in manifest.dependencies:
            if not each.optional and each.id not in self._known.manifests:
                self._demands.setdefault(each.id, []).append(each.specifier)
                self._queue.append(each.id)

    def _ports(self) -> dict[str, None]:
        """Return the ports of which the providers, their ranks or the askers are others."""
        after, known, change = self._after, self._known, self._after.change
        selected = after.request.selected
        found: dict[str, None] = {}
        again = [each for each in change.want if each not in known.wanted]
        again += [each for each in change.drop if each in known.wanted]
        for plugin in (*after.gone, *after.new, *(each for each in again if each in known.manifests)):
            found.update((each.port, None) for each in after.manifest(plugin).provides)
        for manifest in after.put.values():
            found.update(dict.fromkeys(asked(manifest, known.ports)))
        if selected != known.selected:
            found.update((port, None) for port, _ in selected.items() ^ known.selected.items())
        return found

    def _rewire(self) -> None:
        """Note who is required by whom no more, and by whom now."""
        after = self._after
        for plugin, manifest in after.put.items():
            for require in manifest.requires:  # what is not filled has an entry too
                if require.port not in after.bound(plugin):
                    after.bind(plugin, require.port, None)
        for plugin in {*after.bound_anew, *after.put}:
            if plugin in self._known.chosen:
                self._lose(plugin)
            for target in _required(after.manifest(plugin), after.bound(plugin)):
                after.askers(target).add(plugin)
        for plugin in after.gone:
            self._lose(plugin)
        self._loose += [each for each in after.change.drop if each in self._known.manifests]

    def _lose(self, plugin: str) -> None:
        for target in _required(self._known.manifests[plugin], self._known.chosen[plugin].ports):
            self._after.askers(target).discard(plugin)
            self._loose.append(target)

    def _let_go(self) -> None:
        """Let go of what nobody wants or requires any more."""
        after = self._after
        for plugin in self._loose:  # grows meanwhile
            if plugin in after.gone or after.askers(plugin) or after.is_wanted(plugin):
                continue
            if plugin in after.put or plugin in after.bound_anew:
                raise Unsettled
            after.gone.add(plugin)
            for provide in self._known.manifests[plugin].provides:
                if any(after.bound(each).get(provide.port) == plugin for each in after.askers_of(provide.port)):
                    raise Unsettled
            self._lose(plugin)

    def _check_loose(self, plugin: str) -> None:
        """Hold a plugin that is there to fill ports, or not there any more, against the rule that only one could."""
        after = self._after
        is_there = after.is_there(plugin)
        if is_there and after.is_core(plugin):
            return
        for port in self._offers(plugin) if plugin in after.new else self._known.offers(plugin):
            for each in after.askers_of(port):
                filler = after.bound(each).get(port)
                if filler is None or not asked(after.manifest(each), self._known.ports).get(port):
                    continue
                could = after.others(port, filler, each) if filler == plugin else not after.is_core(filler)
                if could or (not is_there and after.request.selected.get(port)):
                    raise Unsettled

    def _check_read_anew(self, plugin: str) -> None:
        """Hold what the catalog has of a plugin now against the rule that nobody else could fill a port."""
        after = self._after
        if plugin in after.new or plugin in after.request.excluded:
            return
        more = self._offers(plugin).difference(self._known.offers(plugin))
        if not after.is_there(plugin) or (more and not after.is_core(plugin)):
            raise Unsettled

    def _offers(self, plugin: str) -> set[str]:
        return {each.port for one in self._after.request.versions.get(plugin, ()) for each in one.provides}

    def _check_own(self, plugin: str, manifest: Manifest) -> None:
        """Hold what a plugin that comes says of others against the rules."""
        after = self._after
        for each in manifest.dependencies:
            if each.id == plugin or not after.is_there(each.id):
                if not each.optional:
                    raise Unsettled
            elif not holds(each.specifier, after.manifest(each.id).version):
                raise Unsettled
        for each in manifest.conflicts:
            if each.id != plugin and after.is_there(each.id) and holds(each.specifier, after.manifest(each.id).version):
                raise Unsettled

    def _check_named(self, plugin: str, version: Version) -> None:
        """Hold what others say of a plugin that comes against the rules."""
        after, known = self._after, self._known
        for other in known.naming.get(plugin, set()).difference(after.gone, after.put):
            for each in known.manifests[other].dependencies:
                if each.id == plugin and (not holds(each.specifier, version) or plugin in after.new):
                    raise Unsettled  # one that would rather start after a newcomer would have to be moved
            for each in known.manifests[other].conflicts:
                if each.id == plugin and holds(each.specifier, version):
                    raise Unsettled

    def _check_range(self, plugin: str, manifest: Manifest) -> None:
        """Hold the version of a plugin that comes against the range that is wanted, and all others asked for."""
        specifier = self._after.change.want.get(plugin)
        if specifier is None and self._after.is_wanted(plugin):
            specifier = self._known.wanted[plugin]
        if specifier is not None and not holds(specifier, manifest.version):
            raise Unsettled
        demands = self._demands.get(plugin, ())
        if len(demands) > 1 and specifier is None and any(self._first(plugin, e) is not manifest for e in demands):
            raise Unsettled

    def _move(self) -> Move:
        after, known, change = self._after, self._known, self._after.change
        entries = {each: self._entry(each) for each in after.changed}
        plugins, is_reordered = start_order(after, entries)
        wanted: dict[str, SpecifierSet | None] = {**dict.fromkeys((*change.drop, *change.close)), **change.want}
        read = {*after.new, *(each for each in change.anew if after.is_there(each))}
        return Move(
            before=known.solution,
            after=Solution(plugins),
            entries={each.id: each for each in plugins[len(known.chosen) - len(after.gone) :]} | entries,
            is_reordered=is_reordered,
            gone=after.gone,
            manifests=after.put,
            versions={each: after.request.versions[each] for each in read},
            wanted=wanted,
            selected=after.request.selected,
        )

    def _entry(self, plugin: str) -> Chosen:
        after = self._after
        askers = tuple(sorted(after.askers(plugin)))
        reason = "enabled in the settings" if after.is_wanted(plugin) else self._reason(plugin, askers)
        ports = dict(sorted(after.bound(plugin).items()))
        entry = Chosen(plugin, after.manifest(plugin).version, reason, askers, ports)
        before = self._known.chosen.get(plugin)
        return before if before is not None and before == entry else entry

    def _reason(self, plugin: str, askers: tuple[str, ...]) -> str:
        after = self._after
        by_id = [each for each in askers if requires(after.manifest(each), plugin)]
        if by_id:
            return f"required by {', '.join(by_id)}"
        ports = {port: None for e in askers for port, filler in sorted(after.bound(e).items()) if filler == plugin}
        return f"provides {', '.join(ports)} for {', '.join(askers)}"


def _required(manifest: Manifest, ports: Mapping[str, str | None]) -> set[str]:
    """Return what a plugin requires, by id and for its ports."""
    found = {each.id for each in manifest.dependencies if not each.optional}
    for require in manifest.requires:
        filler = ports.get(require.port)
        if filler is not None and not require.optional:
            found.add(filler)
    return found
