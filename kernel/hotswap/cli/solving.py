"""Settings, catalog and lock brought together: what would be open, and what would not and why. Nothing is opened."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs
from attrs import frozen

from hotswap.catalog import Catalog
from hotswap.cli.invocation import Invocation
from hotswap.cli.output import warn
from hotswap.errors import HotswapError, PluginNotFound, PortAmbiguous
from hotswap.lock import Lock
from hotswap.manifest.model import Manifest
from hotswap.plan import Step
from hotswap.planner import Planner
from hotswap.port_directory import PortDirectory
from hotswap.resolver import Request, Solution
from hotswap.selection import choose
from hotswap.settings import Settings
from hotswap.settings_tables import split_requirement


@frozen
class Solved:
    """What was asked for, and what came of it."""

    settings: Settings
    catalog: Catalog
    request: Request
    solution: Solution
    left_out: Mapping[str, HotswapError]
    """Wanted plugins that cannot be part of it, each with the error that says why."""
    lock: Lock | None

    @property
    def manifests(self) -> dict[str, Manifest]:
        """Return the manifests of the solution, in start order."""
        return {each.id: self.catalog.get(each.id, each.version).manifest for each in self.solution.plugins}

    def new_lock(self) -> bytes:
        """Return the text of the lock of this solution."""
        return Lock.from_solution(self.solution, self.request).text().encode()


def solve(invocation: Invocation, settings: Settings) -> Solved:
    """Find and solve, from the project's lock. Warns of what ``solve_from`` warns of, and of a lock that is none."""
    return solve_from(invocation, settings, invocation.read_lock(settings))


def solve_from(invocation: Invocation, settings: Settings, lock: Lock | None) -> Solved:
    """Find and solve. Warns of bad manifests and of names under ``[ports]`` that lead nowhere."""
    catalog = invocation.catalog(settings)
    planner = Planner(catalog, PortDirectory())
    for problem in (*(each.error for each in catalog.problems), *planner.settings_problems(settings)):
        warn(invocation, problem)
    solution, left_out = planner.solve_most(settings, lock)
    locked = lock.versions() if lock is not None else {}
    request = planner.request(settings, planner.wanted(settings), locked=locked)
    return Solved(settings, catalog, request, solution, left_out, lock)


def adjusted(
    settings: Settings,
    enable: Sequence[str] = (),
    disable: Collection[str] = (),
    select: Mapping[str, tuple[str, ...]] | None = None,
) -> Settings:
    """Return the settings as they would be. Raises PluginNotFound for an entry that is no id with a range."""
    try:
        entries = {split_requirement(each)[0]: each for each in enable}
    except ValueError as wrong:
        raise PluginNotFound(f"{', '.join(enable)}: it {wrong}") from None
    kept = [each for each in settings.enabled if split_requirement(each)[0] not in {*entries, *disable}]
    return attrs.evolve(
        settings,
        enabled=(*kept, *entries.values()),
        disabled=tuple(sorted({*settings.disabled, *disable} - set(entries))),
        ports={**settings.ports, **(select or {})},
    )


def ambiguous(solved: Solved) -> list[tuple[str, PortAmbiguous]]:
    """Return each plugin that asks for a port of which several providers would be open, none of them selected.

    Only its code tells whether it asks for one by name, or for all: then it would open, and else it would not.
    """
    manifests, selected = solved.manifests, solved.settings.selected
    found = []
    for plugin, manifest in manifests.items():
        others = [each for key, each in manifests.items() if key != plugin]
        for port in [each.port for each in manifest.requires if not each.optional]:
            names = [it.name for each in others for it in each.provides if it.port == port]
            error = choose(port, names, selected.get(port, ()), "")
            if isinstance(error, PortAmbiguous):
                found.append((plugin, error))
    return found


def steps_from(lock: Lock | None, solved: Solved) -> list[Step]:
    """Return the steps from what is locked (without a lock: from nothing) to the solution."""
    before = lock.versions() if lock is not None else {}
    manifests = solved.manifests
    steps = []
    for each in solved.solution.plugins:
        after = manifests[each.id].raw_version
        if each.id not in before:
            steps.append(Step("start", each.id, after=after, reason=each.reason))
        elif before[each.id] != each.version:
            steps.append(Step("replace", each.id, str(before[each.id]), after, each.reason))
    gone = [each for each in reversed(before) if each not in manifests]
    return steps + [Step("stop", each, before=str(before[each]), reason=_stop_reason(each, solved)) for each in gone]


def _stop_reason(plugin: str, solved: Solved) -> str:
    if plugin not in solved.catalog:
        return "it is not found any more"
    if plugin in solved.left_out:
        return "it cannot be part of the solution any more"
    return "disabled" if plugin in solved.settings.disabled else "nothing asks for it any more"
