"""The steps of a change that was worked out from what is known: nothing is looked at but what it reaches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from operator import attrgetter

from hotswap.errors import HotswapError
from hotswap.layered import Layered
from hotswap.lifecycle import Lifecycle
from hotswap.manifest import Manifest
from hotswap.plan import Plan, Reach, Running, make_plan, placed
from hotswap.resolver import Known, Move, Solution
from hotswap.settings import Settings


class NearPlans:
    """Makes plans for one kernel."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._life = lifecycle

    def plan(
        self,
        known: Known,
        move: Move,
        settings: Settings,
        renew: Mapping[str, str],
        no_steps: Plan,
    ) -> Plan:
        """Return the steps of a move; ``no_steps`` is the plan that leaves all as it is."""
        members = self._life.members()
        changing = [each for each in {**move.manifests, **renew} if each not in move.gone]
        manifests = {each: move.manifests.get(each) or members[each] for each in changing}
        gone = [members[each] for each in move.gone]
        ports = {port for port, _ in settings.selected.items() ^ self._life.wiring.selected.items()}
        ports.update(each.port for manifest in (*manifests.values(), *gone) for each in manifest.provides)
        dormant = self._dormant(ports, move.gone)
        manifests.update((each, members[each]) for each in dormant if each not in manifests)
        unwell = tuple(self._life.wiring.unwell)
        reach = Reach(
            [move.entries.get(each) or known.chosen[each] for each in placed(changing, _ids(move.after))],
            manifests,
            placed(move.gone, known.chosen)[::-1],
            ports,
            _names(Layered.over(no_steps.providers), known, move),
            lambda led: consumers(known, led, move.gone),
        )
        running = Running(members, self._serving(ports), no_steps.revision, dormant, unwell)
        return make_plan(running, move.after, settings, renew, reach)

    def _serving(self, ports: Collection[str]) -> dict[str, str]:
        found = {port: self._life.wiring.serving(port) for port in ports}
        return {port: each.provider.name for port, each in found.items() if not isinstance(each, HotswapError)}

    def _dormant(self, ports: Collection[str], gone: Collection[str]) -> list[str]:
        """Return the dormant plugins that provide some of ``ports``, in their order."""
        providers = [each.provider for port in ports for each in self._life.wiring.providers(port).values()]
        dormant = {each.plugin for each in providers if each.plugin in self._life.dormant}
        return placed(dormant.difference(gone), self._life.dormant)


def _ids(solution: Solution) -> Iterator[str]:
    return map(attrgetter("id"), solution.plugins)


def consumers(known: Known, ports: Collection[str], gone: Collection[str] = ()) -> dict[str, Manifest]:
    """Return the active plugins that ask to be rebuilt with ports, and those that ask for what these provide."""
    found: dict[str, Manifest] = {}
    todo = list(ports)
    for port in todo:  # grows meanwhile
        for each in known.rebuilding.get(port, ()):
            if each not in found and each not in gone:
                found[each] = known.manifests[each]
                todo += [provide.port for provide in found[each].provides]
    return {each: found[each] for each in placed(found, known.chosen)}


def _names(before: Layered[str, tuple[str, ...]], known: Known, move: Move) -> Layered[str, tuple[str, ...]]:
    """Return the names of the providers after a move, by port."""
    names: dict[str, tuple[str, ...]] = {}
    for gone in move.gone:
        for each in known.manifests[gone].provides:
            here = names.get(each.port, before.get(each.port, ()))
            names[each.port] = tuple(name for name in here if name != each.name)
    for plugin, manifest in move.manifests.items():
        if plugin not in known.manifests:
            for each in manifest.provides:
                names[each.port] = (*names.get(each.port, before.get(each.port, ())), each.name)
    return before.changed({port: these for port, these in names.items() if these}, names)
