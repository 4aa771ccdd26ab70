"""What stands now, and plans from there to what is asked for. Nothing here opens or closes anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs
from attrs import frozen
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.adjusted import adjusted, id_of
from hotswap.catalog import Catalog
from hotswap.config import effective_config
from hotswap.dependants import dependants_of
from hotswap.errors import HotswapError, PluginInUse, PluginNotFound, ProviderNotFound
from hotswap.found import Found
from hotswap.known_solution import KnownSolution
from hotswap.lifecycle import Lifecycle
from hotswap.lock import Lock
from hotswap.manifest import Manifest
from hotswap.near_plans import NearPlans, consumers
from hotswap.plan import Plan, Running, Step, rebuild_steps
from hotswap.planner import Planner
from hotswap.reconfiguring import Reconfigured, reconfigured, touched
from hotswap.resolver import Solution
from hotswap.selection import in_order
from hotswap.settings import Settings
from hotswap.states import STUCK


@frozen
class Past:
    """What stood before a change."""

    revision: int
    """The kernel's revision while it stood."""
    settings: Settings
    solution: Solution


class Proposals:
    """Settings, solution and revision of a running kernel, and the plans that lead on from them."""

    def __init__(self, settings: Settings, planner: Planner, lifecycle: Lifecycle) -> None:
        self.settings = settings
        self.planner = planner
        self.lifecycle = lifecycle
        self.solution = Solution(())
        self.providers: Mapping[str, tuple[str, ...]] = {}
        """Port -> names of its providers in the solution."""
        self.revision = 0
        self._known = KnownSolution(lifecycle)
        self._near = NearPlans(lifecycle)

    def running(self) -> Running:
        """Return what a plan starts from."""
        members = self.lifecycle.members()
        order = [each.id for each in self.solution.plugins if each.id in members]
        known = set(order)
        order += [each for each in members if each not in known]
        wiring = self.lifecycle.wiring
        serving = {
            port.PORT: found.provider.name
            for port in self.lifecycle.ports
            if not isinstance(found := wiring.serving(port.PORT), HotswapError)
        }
        return Running(
            {each: members[each] for each in order},
            serving,
            self.revision,
            self.lifecycle.dormant,
            tuple(wiring.unwell),
        )

    def plan(
        self,
        *,
        enable: Collection[str] = (),
        disable: Collection[str] = (),
        select: Mapping[str, tuple[str, ...]] | None = None,
        configure: Mapping[str, Mapping[str, Any]] | None = None,
        settings: Settings | None = None,
        lock: Lock | None = None,
        cascade: bool = False,
    ) -> Plan:
        """Solve for what is asked and return the steps; nothing is touched.

        ``settings`` are to take the place of those in force; whatever else is asked for counts from them. ``lock`` is
        the solution where it fits what is asked for.
        """
        enable = {id_of(each): each for each in ((enable,) if isinstance(enable, str) else enable)}
        disable = (disable,) if isinstance(disable, str) else disable
        for port, names in (select or {}).items():
            self._check_selection(port, names)
        if select and not (enable or disable or configure or settings):
            quick = self._plan_selection(select)
            if quick is not None:
                return quick
        gone = self._all_that_go(disable, cascade)
        wish = adjusted(settings or self.settings, enable, gone, select or {}, configure or {})
        changes = reconfigured(self.settings, wish, self.lifecycle.instances, self.lifecycle.environ)
        if settings is None and lock is None:
            near = self._plan_near(wish, enable, gone - enable.keys(), configure or {}, changes)
            if near is not None:
                return near
        open_ones = None if enable or select or settings else set(self.lifecycle.members()) - gone
        solution = self._locked(wish, lock) or self._solve(wish, self._wanted(wish, enable), open_ones)
        return self._plan_to(solution, wish, changes)

    def _plan_near(
        self,
        wish: Settings,
        enable: Collection[str],
        gone: Collection[str],
        configure: Collection[str],
        changes: Reconfigured,
    ) -> Plan | None:
        """Plan a change by what it reaches; None where it has to be solved."""
        known = self._known.at(self.solution, self.settings, self.planner)
        if known is None or any(each not in known.manifests for each in configure):
            return None
        want = {each: wish.wanted[each] for each in enable}
        drop: set[str] = set()
        if wish.ports is not self._known.ports:
            before, after = self.planner.wanted(self.settings), self.planner.wanted(wish)
            drop = known.wanted.keys() - after.keys() - set(gone)
            for each in after.keys() - known.wanted.keys():
                if each in known.manifests or each not in before:
                    want.setdefault(each, after[each])
        move = self._known.step(known, wish, self.planner, want, drop, gone)
        if move is None:
            return None
        stays = {key: each for key, each in changes.configs.items() if key not in move.gone}
        plan = self._near.plan(known, move, wish, changes.renew, self.no_steps(wish))
        replaced = plan.subjects("replace")
        return attrs.evolve(plan, configs={key: each for key, each in stays.items() if key not in replaced})

    def _plan_to(self, solution: Solution, settings: Settings, changes: Reconfigured) -> Plan:
        plan = self.planner.plan(self.running(), solution, settings, changes.renew)
        stays = {each.id for each in solution.plugins} - set(plan.subjects("replace"))
        return attrs.evolve(plan, configs={key: each for key, each in changes.configs.items() if key in stays})

    def _locked(self, settings: Settings, lock: Lock | None) -> Solution | None:
        """Return the solution in a lock, where it is one for these settings."""
        if lock is None:
            return None
        request = self.planner.request(settings, self.planner.wanted(settings), locked=lock.versions())
        return None if lock.fits(request) else lock.solution()

    def _wanted(self, settings: Settings, asked: Collection[str]) -> dict[str, SpecifierSet]:
        """Return what is to be open: not what could not be opened before, unless that is asked for or set up anew."""
        members, before = self.lifecycle.members(), self.planner.wanted(self.settings)
        again = touched(self.settings, settings)
        return {
            each: specifier
            for each, specifier in self.planner.wanted(settings).items()
            if each in asked or each in members or each not in before or each in again
        }

    def plan_back(self, to: Past) -> Plan:
        """Plan the way back to what stood before.

        Raises:
            PluginNotFound: a version that was open then is not there any more.
        """
        changes = reconfigured(self.settings, to.settings, self.lifecycle.instances, self.lifecycle.environ)
        return self._plan_to(to.solution, to.settings, changes)

    def plan_also(self, plugin: str) -> Plan:
        """Plan to open a plugin that the settings want already, beside what runs."""
        members, all_wanted = self.lifecycle.members(), self.planner.wanted(self.settings)
        known = self._known.at(self.solution, self.settings, self.planner)
        if known is not None and plugin not in members:
            want = {plugin: all_wanted.get(plugin, SpecifierSet())}
            move = self._known.step(known, self.settings, self.planner, want)
            if move is not None:
                return self._near.plan(known, move, self.settings, {}, self.no_steps(self.settings))
        wanted = {each: all_wanted[each] for each in all_wanted if each == plugin or each in members}
        wanted.setdefault(plugin, SpecifierSet())
        return self.planner.plan(self.running(), self._solve(self.settings, wanted, None), self.settings)

    def renew_catalog(self, plugin: str, found: Sequence[Found] | Catalog) -> None:
        """Take in what was read anew from disk: of one plugin, or of all."""
        before = self.planner.catalog
        after = found if isinstance(found, Catalog) else before.renewed(plugin, found)
        self.planner = Planner(after, self.planner.ports)
        if after is not found:
            self._known.renew(before, after, plugin)

    def plan_reload(self, plugin: str) -> Plan:
        """Plan a new generation of a plugin from what the planner's catalog has now; open it if it should be open.

        Raises:
            PluginNotFound: it is neither active nor wanted.
        """
        members = self.lifecycle.members()
        if plugin not in members:
            if plugin in self.planner.wanted(self.settings):
                return self.plan_also(plugin)
            raise PluginNotFound(plugin, self._all_known(), looked_in=["the active plugins"])
        if self._is_as_it_was(members[plugin]):
            return self._plan_anew(plugin, "reloaded", self.settings)
        known = self._known.at(self.solution, self.settings, self.planner)
        if known is not None and plugin in known.wanted:
            move = self._known.step(known, self.settings, self.planner, {})
            if move is not None:
                return self._near.plan(known, move, self.settings, {plugin: "reloaded"}, self.no_steps(self.settings))
        wanted = self.planner.wanted(self.settings)
        kept = {each: specifier for each, specifier in wanted.items() if each in members}
        kept.setdefault(plugin, SpecifierSet())
        solution = self._solve(self.settings, kept, None)
        return self.planner.plan(self.running(), solution, self.settings, {plugin: "reloaded"})

    def plan_configuration(self, plugin: str, values: Mapping[str, Any]) -> Plan:
        """Plan other settings for a plugin: nothing to solve, whatever else is enabled.

        Raises:
            ConfigInvalid: they break its schema.
        """
        instance = self.lifecycle.instances.get(plugin)
        manifest = instance.manifest if instance is not None else self.planner.catalog.get(plugin).manifest
        config = {**self.settings.config.get(plugin, {}), **values}
        effective = effective_config(manifest, config, self.lifecycle.environ)
        plan = self.no_steps(attrs.evolve(self.settings, config={**self.settings.config, plugin: config}))
        if instance is None:
            return plan
        if instance.watches_config:
            return attrs.evolve(plan, configs={plugin: effective})
        return self._plan_anew(plugin, "its settings changed", plan.settings)

    def _is_as_it_was(self, manifest: Manifest) -> bool:
        """Return whether the catalog has this very manifest still: then there is nothing to solve anew."""
        return any(each.manifest == manifest for each in self.planner.catalog.versions(manifest.id))

    def _plan_anew(self, plugin: str, reason: str, settings: Settings) -> Plan:
        """Plan another generation of the same version of a plugin."""
        manifest = self.lifecycle.manifest(plugin)
        step = Step("replace", plugin, manifest.raw_version, manifest.raw_version, reason)
        ports = [port for each in manifest.provides if self._serves(plugin, port := each.port)]
        return attrs.evolve(self.no_steps(settings), steps=(step, *self._rebuilds(ports, {plugin})))

    def plan_failover(self, port: str, before: str, after: str, reason: str) -> Plan:
        """Plan what follows when another provider of the selection has come to serve a port."""
        steps = (Step("select", port, before, after, reason), *self._rebuilds([port]))
        return attrs.evolve(self.no_steps(self.settings), steps=steps)

    def no_steps(self, settings: Settings) -> Plan:
        """Return a plan that opens and closes nothing, and puts other settings in force."""
        return Plan((), self.solution, settings, self.lifecycle.wiring.selected, self.providers, self.revision)

    def _serves(self, plugin: str, port: str) -> bool:
        serving = self.lifecycle.wiring.serving(port)
        return not isinstance(serving, HotswapError) and serving.provider.plugin == plugin

    def _rebuilds(self, ports: Collection[str], opened: Collection[str] = ()) -> list[Step]:
        """Return the steps for consumers that ask to be rebuilt; nothing is looked at where there are none."""
        if not any(self.lifecycle.rebuilt_with(port) for port in ports):
            return []
        known = self._known.at(self.solution, self.settings, self.planner)
        asking = self.running().manifests if known is None else consumers(known, ports)
        return rebuild_steps(asking, ports, opened)

    def _check_selection(self, port: str, names: Collection[str]) -> None:
        """Raise PortUnknown or ProviderNotFound for a selection that leads nowhere."""
        self.lifecycle.ports.get(port)
        for name in names:
            if name not in self.lifecycle.wiring.providers(port) and not self.planner.catalog.provider(port, name):
                offered = {known for each in self.planner.catalog for of, known in each.provides if of == port}
                raise ProviderNotFound(port, name, offered)

    def _plan_selection(self, select: Mapping[str, tuple[str, ...]]) -> Plan | None:
        """Plan a switch between open providers: nothing to solve, whatever else is enabled."""
        wiring, steps = self.lifecycle.wiring, []
        selected = dict(wiring.selected)
        for port, names in select.items():
            there = wiring.providers(port)
            if not names or names[0] not in there:
                return None
            serving = wiring.serving(port)
            before = "" if isinstance(serving, HotswapError) else serving.provider.name
            selected[port] = names
            after = next(each for each in in_order(port, names, wiring.unwell) if each in there)
            if before != after:
                plugin = there[after].provider.plugin
                if plugin in self.lifecycle.dormant:
                    version = self.lifecycle.dormant[plugin].manifest.raw_version
                    steps.append(Step("start", plugin, after=version, reason=f"it is to serve {port}"))
                steps.append(Step("select", port, before, after, "selected"))
        led = [each.subject for each in steps if each.kind == "select"]
        if len(led) < len(select) and any(
            map(self.lifecycle.outdated, (each.subject for each in self._rebuilds(select)))
        ):
            led = list(select)
        steps += self._rebuilds(led)
        settings = attrs.evolve(self.settings, ports={**self.settings.ports, **select})
        return Plan(tuple(steps), self.solution, settings, selected, self.providers, self.revision)

    def _all_that_go(self, disable: Collection[str], cascade: bool) -> set[str]:
        """Return what goes with the disabled plugins, after checking that all of it may."""
        active = self.lifecycle.members()
        for each in disable:
            if each not in active and each not in self.settings.wanted:
                raise PluginNotFound(each, self._all_known(), looked_in=["the enabled plugins"])
        dependants = self._dependants(set(disable)) if disable else []
        if dependants and not cascade:
            raise PluginInUse(", ".join(sorted(disable)), dependants)
        return {*disable, *dependants}

    def _all_known(self) -> set[str]:
        return {*self.lifecycle.members(), *self.planner.catalog.ids()}

    def _dependants(self, plugins: set[str]) -> list[str]:
        known = self._known.at(self.solution, self.settings, self.planner)
        if known is not None:
            return known.dependants(plugins, self.lifecycle.given_by_name)
        return dependants_of(plugins, self.lifecycle.members(), self._asked_by_name())

    def _asked_by_name(self) -> dict[str, set[str]]:
        """Return, for each active plugin, those of which it was given a provider by name and cannot do without."""
        asked: dict[str, set[str]] = {}
        for plugin in self.lifecycle.members():
            for each in self.lifecycle.given_by_name(plugin):
                asked.setdefault(each, set()).add(plugin)
        return asked

    def _solve(self, settings: Settings, wanted: Mapping[str, SpecifierSet], only: Collection[str] | None) -> Solution:
        """Solve without the plugins that could not be opened before, if it can be done: they burden no other change."""
        active: dict[str, Version] = {key: each.version for key, each in self.lifecycle.members().items()}
        ids = set(self.planner.catalog.ids())
        stuck = {key for key, note in self.lifecycle.notes.items() if note.state in STUCK} - wanted.keys()
        if only is None and not stuck.isdisjoint(ids):
            with suppress(HotswapError):  # raised again below, if those that are stuck do not help either
                return self.planner.solve(settings, wanted, active=active, only=ids - stuck, previous=self.solution)
        return self.planner.solve(settings, wanted, active=active, only=only, previous=self.solution)
