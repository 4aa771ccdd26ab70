"""Keeps what is known of the running kernel's solution in step with it, for changes that need no solving."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from packaging.specifiers import SpecifierSet

from hotswap.catalog import Catalog
from hotswap.lifecycle import Lifecycle
from hotswap.planner import Planner
from hotswap.resolver import Change, Known, Move, Solution, step
from hotswap.settings import Settings
from hotswap.states import STUCK


class KnownSolution:
    """The solution in force with its reverse index: read when a change first asks for it, and moved along then."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._life = lifecycle
        self._known: Known | None = None
        self._solution = Solution(())
        """What was read last, be it of use or not."""
        self._catalog: Catalog | None = None
        self._settings = Settings(enabled=())
        self._stale: set[str] = set()
        """Plugins whose manifests were read anew since."""
        self._foreseen: tuple[Move, Settings] | None = None

    @property
    def ports(self) -> Mapping[str, tuple[str, ...]]:
        """Return the selection that the solution was solved for."""
        return self._settings.ports

    def at(self, solution: Solution, settings: Settings, planner: Planner) -> Known | None:
        """Return what is known; None where what runs is not the solution, or that is not one that can be known."""
        life = self._life
        if len(life.instances) + len(life.dormant) != len(solution.plugins):
            return None
        self._follow(solution)
        if self._solution is not solution or self._catalog is not planner.catalog or self._is_other(settings):
            self._read(solution, settings, planner)
        return self._known

    def _is_other(self, settings: Settings) -> bool:
        before = self._settings
        return settings.enabled is not before.enabled or settings.disabled is not before.disabled

    def _follow(self, solution: Solution) -> None:
        """Move on, if what is in force now was foreseen from what was before."""
        if self._foreseen is None or self._foreseen[0].after is not solution:
            return
        move, settings = self._foreseen
        if self._known is not None and move.before is self._known.solution:
            self._known.move(move)
            self._stale -= move.versions.keys()
            self._solution, self._settings = solution, settings
        self._foreseen = None

    def _read(self, solution: Solution, settings: Settings, planner: Planner) -> None:
        self._solution, self._catalog, self._settings = solution, planner.catalog, settings
        self._stale.clear()
        self._known = None
        members, versions = self._life.members(), solution.versions()
        if all(each in members and members[each].version == version for each, version in versions.items()):
            wanted = {each: specifier for each, specifier in planner.wanted(settings).items() if each in versions}
            self._known = Known.of(planner.request(settings, wanted), solution)

    def renew(self, before: Catalog, after: Catalog, plugin: str) -> None:
        """Note that the catalog is another one in which only this plugin was read anew."""
        if self._catalog is before:
            self._catalog = after
            self._stale.add(plugin)

    def step(
        self,
        known: Known,
        settings: Settings,
        planner: Planner,
        want: Mapping[str, SpecifierSet],
        drop: Collection[str] = (),
        close: Collection[str] = (),
    ) -> Move | None:
        """Return what a change to ``settings`` does to the solution; None where that has to be solved."""
        request = planner.request(settings, {})
        move = step(known, request, Change(want, drop, close, tuple(self._stale)))
        if move is None or any(self._is_stuck(each) for each in move.manifests if each not in want):
            return None
        self._foreseen = move, settings
        return move

    def _is_stuck(self, plugin: str) -> bool:
        note = self._life.notes.get(plugin)
        return note is not None and note.state in STUCK
