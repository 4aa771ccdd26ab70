"""A change to a solution that stands, solved by what it can reach. What it cannot settle is for the solvers.

It takes the steps that the fast path (``greedy``) would take, in the plugins that come, go or change and those beside
them; all others are as they would be chosen again, since the solution is stable (``known``). It answers only where the
answer is the one that solving anew would give, in the same versions, and the solution after it is stable too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping

from attrs import evolve, field, frozen
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.manifest.model import Manifest
from hotswap.resolver.graph import components
from hotswap.resolver.index import by_preference
from hotswap.resolver.known import Known, Move, asked, leads_up, rank, requires
from hotswap.resolver.matching import holds
from hotswap.resolver.model import Chosen, Request
from hotswap.resolver.usability import obstacles


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


class _Unsettled(Exception):  # noqa: N818 - no error: the solvers take over
    pass


def step(known: Known, request: Request, change: Change) -> Move | None:
    """Return what a change does to a known solution; None where that cannot be said without solving anew.

    ``request`` is what would be solved: of it only the catalog, the host, ``selected`` and ``excluded`` are read.
    """
    try:
        return _Step(known, request, change).run()
    except _Unsettled:
        return None


class _Step:
    def __init__(self, known: Known, request: Request, change: Change) -> None:
        self._known = known
        self._request = request
        self._change = change
        self._gone: set[str] = set()
        self._put: dict[str, Manifest] = {}
        """Plugins that come, or come in another version or with another manifest."""
        self._new: list[str] = []
        self._demands: dict[str, list[SpecifierSet]] = {}
        self._askers: dict[str, set[str]] = {}
        """Plugin -> those that require it after the change, where that is not what it was."""
        self._bound: dict[str, dict[str, str | None]] = {}
        """Plugin -> who fills its ports after the change, where that is not what it was."""
        self._loose: list[str] = []
        """Plugins that lost something that kept them in."""

    def run(self) -> Move:
        self._close()
        self._choose()
        fillings = {port: _Filling(self, port) for port in self._ports()}
        for each in fillings.values():
            each.fill()
        self._rewire()
        self._let_go()
        for each in fillings.values():
            each.check()
        for plugin in {*self._loose} - {*self._change.close}:
            self._check_loose(plugin)
        for plugin, manifest in self._put.items():
            self._check(plugin, manifest)
        return self._move()

    # What is asked of both, the solution before and the change.

    def is_wanted(self, plugin: str) -> bool:
        """Return whether a plugin is wanted after the change."""
        change = self._change
        return plugin in change.want or (
            plugin in self._known.wanted and plugin not in change.drop and plugin not in change.close
        )

    def manifest(self, plugin: str) -> Manifest:
        """Return the manifest of a plugin as it is after the change."""
        return self._put.get(plugin) or self._known.manifests[plugin]

    def is_there(self, plugin: str) -> bool:
        """Return whether a plugin is in the solution after the change."""
        return plugin not in self._gone and (plugin in self._put or plugin in self._known.manifests)

    def is_core(self, plugin: str) -> bool:
        """Return whether a plugin would be in the solution if it filled no port."""
        return leads_up(plugin, self.is_wanted, self._requirers)

    def _requirers(self, plugin: str) -> Iterator[str]:
        for each in (*self._known.naming.get(plugin, ()), *self._new):
            if self.is_there(each) and requires(self.manifest(each), plugin):
                yield each

    def _askers_of(self, plugin: str) -> set[str]:
        found = self._askers.get(plugin)
        if found is None:
            entry = self._known.chosen.get(plugin)
            found = self._askers[plugin] = set(entry.required_by if entry is not None else ())
        return found

    def bound(self, plugin: str) -> Mapping[str, str | None]:
        """Return who fills the ports of a plugin, as far as that is known by now."""
        found = self._bound.get(plugin)
        return self._known.chosen[plugin].ports if found is None else found

    def bind(self, plugin: str, port: str, filler: str | None) -> None:
        """Let a port of a plugin be filled by another one."""
        if plugin not in self._bound:
            self._bound[plugin] = {} if plugin in self._put else dict(self._known.chosen[plugin].ports)
        self._bound[plugin][port] = filler

    # What goes and what comes.

    def _close(self) -> None:
        known = self._known
        self._gone.update(each for each in self._change.close if each in known.manifests)
        for gone in self._gone:
            for each in known.naming.get(gone, ()):
                if each not in self._gone and requires(known.manifests[each], gone):
                    raise _Unsettled

    def _choose(self) -> None:
        """Choose what is wanted and not there, then what that requires, in the order in which the fast path would."""
        change, known = self._change, self._known
        queue: deque[str] = deque()
        for plugin in sorted({*change.want, *(each for each in change.anew if each in known.manifests)}):
            if plugin in self._gone:
                raise _Unsettled
            if plugin in known.manifests:
                self._choose_again(plugin, queue)
            else:
                self._demands.setdefault(plugin, []).append(change.want[plugin])
                queue.append(plugin)
        while queue:
            plugin = queue.popleft()
            if plugin not in self._put:
                self._new.append(plugin)
                self._take(plugin, self._first(plugin, self._demands[plugin][0]), queue)

    def _choose_again(self, plugin: str, queue: deque[str]) -> None:
        known, specifier = self._known, self._change.want.get(plugin)
        if specifier is None:
            specifier = known.wanted.get(plugin, SpecifierSet())
        before, version = known.manifests[plugin], known.version(plugin)
        if plugin not in self._change.anew and holds(specifier, version):
            return
        after = self._first(plugin, specifier, version)
        if after is before or (after == before and after.version == version):
            return
        if {(each.port, each.name) for each in before.provides} != {(each.port, each.name) for each in after.provides}:
            raise _Unsettled
        self._take(plugin, after, queue)

    def _first(self, plugin: str, specifier: SpecifierSet, active: Version | None = None) -> Manifest:
        """Return the preferred version of a plugin that a range allows."""
        request = self._request
        manifests = request.versions.get(plugin)
        if not manifests or plugin in request.excluded:
            raise _Unsettled
        here = {plugin: active} if active is not None else {}
        for each in by_preference(plugin, manifests, evolve(request, active=here, locked={})):
            if holds(specifier, each.version) and not obstacles(each, request):
                return each
        raise _Unsettled

    def _take(self, plugin: str, manifest: Manifest, queue: deque[str]) -> None:
        self._put[plugin] = manifest
        for each in manifest.dependencies:
            if not each.optional and each.id not in self._known.manifests:
                self._demands.setdefault(each.id, []).append(each.specifier)
                queue.append(each.id)

    # Who fills which port.

    def _ports(self) -> list[str]:
        """Return the ports of which the providers, their ranks or the askers are others."""
        known, change, selected = self._known, self._change, self._request.selected
        found: dict[str, None] = {}
        again = [each for each in (*change.want, *change.drop) if (each in known.wanted) != (each in change.want)]
        for plugin in (*self._gone, *self._new, *(each for each in again if each in known.manifests)):
            found.update((each.port, None) for each in self.manifest(plugin).provides)
        for manifest in self._put.values():
            found.update(dict.fromkeys(asked(manifest, known.ports)))
        if selected is not known.selected and selected != known.selected:
            found.update((port, None) for port, _ in selected.items() ^ known.selected.items())
        return list(found)

    def _rewire(self) -> None:
        """Note who is required by whom no more, and by whom now."""
        for plugin in {**self._bound, **self._put}:
            if plugin in self._known.chosen:
                self._lose(plugin)
            for target in self._required(plugin):
                self._askers_of(target).add(plugin)
        for plugin in self._gone:
            self._lose(plugin)
        self._loose += [each for each in self._change.drop if each in self._known.manifests]

    def _lose(self, plugin: str) -> None:
        entry = self._known.chosen[plugin]
        for target in _targets(self._known.manifests[plugin], entry.ports):
            self._askers_of(target).discard(plugin)
            self._loose.append(target)

    def _required(self, plugin: str) -> set[str]:
        manifest = self.manifest(plugin)
        if plugin in self._put:  # ports that nobody can fill, and optional ones that this host cannot, have an entry too
            for require in manifest.requires:
                if require.port not in self.bound_or_empty(plugin):
                    self.bind(plugin, require.port, None)
        return _targets(manifest, self.bound_or_empty(plugin))

    def bound_or_empty(self, plugin: str) -> Mapping[str, str | None]:
        """Return who fills the ports of a plugin; nothing for one that comes and asks for none."""
        if plugin in self._put:
            return self._bound.setdefault(plugin, {})
        return self.bound(plugin)

    def _let_go(self) -> None:
        """Let go of what nobody wants or requires any more."""
        for plugin in self._loose:  # grows meanwhile
            if plugin in self._gone or self._askers_of(plugin) or self.is_wanted(plugin):
                continue
            if plugin not in self._known.chosen or plugin in self._put or plugin in self._bound:
                raise _Unsettled
            self._gone.add(plugin)
            for provide in self._known.manifests[plugin].provides:
                for each in self._askers_there(provide.port):
                    if self.bound(each).get(provide.port) == plugin:
                        raise _Unsettled
            self._lose(plugin)

    def _askers_there(self, port: str) -> Iterator[str]:
        for each in self._known.asking.get(port, ()):
            if each not in self._gone:
                yield each

    # Whether it holds.

    def _check_loose(self, plugin: str) -> None:
        """Hold a plugin that is in it to fill ports, or not any more, against the rule that nobody else could fill them."""
        if self.is_there(plugin) and self.is_core(plugin):
            return
        for port in self._known.offers(plugin):
            for each in self._askers_there(port):
                filler = self.bound(each).get(port)
                if filler is None or not asked(self.manifest(each), self._known.ports).get(port):
                    continue
                beside = self.others(port, filler, each) if filler == plugin else not self.is_core(filler)
                selected = not self.is_there(plugin) and self.selected.get(port)
                if beside or selected:
                    raise _Unsettled

    def candidates(self, port: str) -> set[str]:
        """Return the providers of a port among all that may be used, needed or not."""
        found = set(self._known.providing.get(port, ()))
        found.difference_update(self._change.close)
        found.update(each for each in self._new if self._put[each].provides_port(port))
        return found

    def others(self, port: str, filler: str, asker: str) -> bool:
        """Return whether somebody else could fill a port, be it in another version."""
        beside = self._known.offering.get(port, set()).difference((filler, asker), self._change.close)
        beside |= {each for each in self._new if each not in (filler, asker) and self._offers(each, port)}
        here = self.candidates(port)
        return any(each in here or not self.is_core(each) for each in beside)

    def _offers(self, plugin: str, port: str) -> bool:
        return any(each.provides_port(port) for each in self._request.versions[plugin])

    def _check(self, plugin: str, manifest: Manifest) -> None:
        """Hold a plugin that comes against what it says of others, and what those say of it."""
        known = self._known
        for each in manifest.dependencies:
            if not self.is_there(each.id):
                if not each.optional:
                    raise _Unsettled
            elif each.id == plugin and not each.optional:
                raise _Unsettled
            elif each.id != plugin and not holds(each.specifier, self.manifest(each.id).version):
                raise _Unsettled
        for each in manifest.conflicts:
            if each.id != plugin and self.is_there(each.id) and holds(each.specifier, self.manifest(each.id).version):
                raise _Unsettled
        for other in known.naming.get(plugin, ()):
            if other not in self._gone and other not in self._put:
                self._check_named(plugin, manifest.version, known.manifests[other])
        specifier = self._change.want.get(plugin, known.wanted.get(plugin))
        if specifier is not None and not holds(specifier, manifest.version):
            raise _Unsettled
        demands = self._demands.get(plugin, ())
        if len(demands) > 1 and plugin not in self._change.want:
            if any(self._first(plugin, each) is not manifest for each in demands):
                raise _Unsettled

    def _check_named(self, plugin: str, version: Version, other: Manifest) -> None:
        for each in other.dependencies:
            if each.id == plugin and (not holds(each.specifier, version) or plugin in self._new):
                raise _Unsettled  # one that would rather start after a newcomer would have to be moved
        for each in other.conflicts:
            if each.id == plugin and holds(each.specifier, version):
                raise _Unsettled

    # Where it leads.

    def _move(self) -> Move:
        known, change = self._known, self._change
        entries = {*self._put, *self._bound, *self._askers, *change.want, *change.drop} - self._gone
        put = {each: self._entry(each) for each in entries if self.is_there(each)}
        order = _Order(self, known, self._gone, put).run()
        wanted: dict[str, SpecifierSet | None] = dict.fromkeys((*change.drop, *change.close))
        wanted.update(change.want)
        from hotswap.resolver.model import Solution

        after = Solution(tuple(order.values()))
        read = {*self._new, *(each for each in change.anew if self.is_there(each))}
        versions = {each: self._request.versions[each] for each in read}
        return Move(known.solution, after, order, self._gone, self._put, versions, wanted, self._request.selected)

    def _entry(self, plugin: str) -> Chosen:
        askers = tuple(sorted(self._askers_of(plugin)))
        ports = self.bound_or_empty(plugin)
        reason = "enabled in the settings" if self.is_wanted(plugin) else self._reason(plugin, askers)
        entry = Chosen(plugin, self.manifest(plugin).version, reason, askers, dict(sorted(ports.items())))
        before = self._known.chosen.get(plugin)
        return before if before is not None and before == entry else entry

    def _reason(self, plugin: str, askers: tuple[str, ...]) -> str:
        by_id = [each for each in askers if requires(self.manifest(each), plugin)]
        if by_id:
            return f"required by {', '.join(by_id)}"
        ports = {
            port: None for each in askers for port, filler in sorted(self.bound(each).items()) if filler == plugin
        }
        return f"provides {', '.join(ports)} for {', '.join(askers)}"

    @property
    def known(self) -> Known:
        """Return the solution before."""
        return self._known

    @property
    def new(self) -> list[str]:
        """Return the plugins that were not in it before."""
        return self._new

    @property
    def put(self) -> Mapping[str, Manifest]:
        """Return the plugins that come, or come with another manifest."""
        return self._put

    @property
    def gone(self) -> Collection[str]:
        """Return the plugins that leave."""
        return self._gone

    @property
    def selected(self) -> Mapping[str, tuple[str, ...]]:
        """Return the selection after the change."""
        return self._request.selected


class _Filling:
    """Who fills one port after the change."""

    def __init__(self, around: _Step, port: str) -> None:
        self._around = around
        self._port = port
        self._order = self._ranked(())
        self._now = self._ranked(around.new)
        """Where newcomers stand behind, as they do while they are not active yet."""

    def _ranked(self, newcomers: Collection[str]) -> list[str]:
        around, port = self._around, self._port
        found = around.candidates(port)
        wanted = {each for each in found if around.is_wanted(each)}
        return sorted(
            found, key=lambda each: rank(port, each, around.manifest(each), around.selected, wanted, newcomers)
        )

    def fill(self) -> None:
        """Bind those who come, and those whose provider is no longer the first."""
        around, known = self._around, self._around.known
        before = known.ranked(self._port, known.providing.get(self._port, ()))
        if before[:2] != self._order[:2]:
            for each in known.asking.get(self._port, ()):
                if each not in around.gone and each not in around.put:
                    filler = _other(self._order, each)
                    if known.chosen[each].ports[self._port] != filler:
                        around.bind(each, self._port, filler)
        for each, manifest in around.put.items():
            if self._port in asked(manifest, known.ports):
                around.bind(each, self._port, _other(self._order, each))

    def check(self) -> None:
        """Hold what fills the port against what makes a solution stable."""
        around, port = self._around, self._port
        put = {each for each, manifest in around.put.items() if port in asked(manifest, around.known.ports)}
        askers = {*around.known.asking.get(port, ()), *put} - set(around.gone) - (set(around.put) - put)
        if not askers:
            return
        first, second = (*self._order, None, None)[:2]
        if first is not None and first in askers and askers != {first}:
            groups = [(first, None), (second, first)]
        elif first is not None and first in askers:
            groups = [(second, first)]
        else:
            groups = [(first, None)]
        for filler, asker in groups:
            self._check_filler(filler, asker, askers)

    def _check_filler(self, filler: str | None, asker: str | None, askers: set[str]) -> None:
        around, port = self._around, self._port
        those = askers if asker is None else {asker}
        required = any(asked(around.manifest(each), around.known.ports)[port] for each in those)
        if filler is None:
            if required:
                raise _Unsettled
            return
        if _other(self._now, asker or "") != filler and not around.is_core(_other(self._now, asker or "") or ""):
            raise _Unsettled
        if filler in around.gone:
            raise _Unsettled
        if not required:
            return
        if not around.is_core(filler) and any(around.others(port, filler, each) for each in those - {filler}):
            raise _Unsettled
        names = around.selected.get(port, ())
        if names and (port, names[0]) not in {(each.port, each.name) for each in around.manifest(filler).provides}:
            raise _Unsettled


class _Order:
    """The start order after the change: newcomers, and providers that others come to need, stand where they have to."""

    def __init__(self, around: _Step, known: Known, gone: Collection[str], put: Mapping[str, Chosen]) -> None:
        self._around = around
        self._known = known
        self._gone = gone
        self._put = put

    def run(self) -> dict[str, Chosen]:
        """Return all plugins in start order."""
        order = dict(self._known.chosen)
        for each in self._gone:
            order.pop(each, None)
        for plugin, entry in self._put.items():
            if plugin in order:
                order[plugin] = entry
        early = self._early(order)
        placed = [each for each in self._sorted(early) if each not in order or each in early]
        if not early:
            order.update((each, self._put[each]) for each in placed)
            return order
        return self._with(order, placed, early)

    def _waits(self, plugin: str) -> set[str]:
        """Return all that a plugin would rather start after."""
        around = self._around
        found = {each.id for each in around.manifest(plugin).dependencies if around.is_there(each.id)}
        found.update(each for each in self._entry(plugin).ports.values() if each is not None)
        return found - {plugin}

    def _entry(self, plugin: str) -> Chosen:
        return self._put.get(plugin) or self._known.chosen[plugin]

    def _early(self, order: Mapping[str, Chosen]) -> set[str]:
        """Return what has to be placed before others that wait for it from now on."""
        late: set[str] = set()
        changed = [
            each for each, entry in self._put.items()
            if each in order and (each in self._around.put or entry.ports != self._known.chosen[each].ports)
        ]  # fmt: skip
        if not changed:
            return late
        place = dict(zip(order, range(len(order)), strict=True))
        for each in changed:
            late.update(other for other in self._waits(each) if place.get(other, len(order)) > place[each])
        return late

    def _with(self, order: dict[str, Chosen], placed: list[str], early: set[str]) -> dict[str, Chosen]:
        moved = {each: order.pop(each) for each in placed if each in order}
        place = dict(zip(order, range(len(order)), strict=True))
        waiting = [
            place[each] for each, entry in self._put.items()
            if each in place and not early.isdisjoint(self._waits(each))
        ]  # fmt: skip
        at = min(waiting)
        if any(place.get(target, -1) >= at for each in placed for target in self._waits(each)):
            raise _Unsettled
        items = list(order.items())
        return dict([*items[:at], *((each, self._put.get(each) or moved[each]) for each in placed), *items[at:]])

    def _sorted(self, early: set[str]) -> list[str]:
        """Return newcomers and those that are moved, each after what it waits for; ties by id."""
        mine = sorted({*self._around.new, *early})
        parts = components({each: sorted(self._waits(each).intersection(mine)) for each in mine})
        if any(len(part) > 1 for part in parts):
            raise _Unsettled
        return [each for part in parts for each in part]


def _other(order: Collection[str], asker: str) -> str | None:
    return next((each for each in order if each != asker), None)


def _targets(manifest: Manifest, ports: Mapping[str, str | None]) -> set[str]:
    """Return what a plugin requires, by id and for its ports."""
    found = {each.id for each in manifest.dependencies if not each.optional}
    for require in manifest.requires:
        filler = ports.get(require.port)
        if filler is not None and not require.optional:
            found.add(filler)
    return found
