"""Changes to a running kernel, one after another: each is planned on the state it finds, then applied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.catalog import Catalog
from hotswap.config import effective_config
from hotswap.dependants import dependants_of
from hotswap.errors import HotswapError, PlanOutdated, PluginInUse, PluginNotFound, ProviderNotFound, TeardownFailed
from hotswap.hooks import Hooks
from hotswap.lifecycle import Lifecycle
from hotswap.plan import Plan, Running, Step
from hotswap.planner import Planner
from hotswap.resolver import Solution, resolve
from hotswap.settings import Settings


class Changes:
    """The one place where settings, solution and state move on together."""

    def __init__(self, settings: Settings, planner: Planner, lifecycle: Lifecycle) -> None:
        self.settings = settings
        self.planner = planner
        self.lifecycle = lifecycle
        self.solution = Solution(())
        self.providers: Mapping[str, tuple[str, ...]] = {}
        """Port -> names of its providers in the solution."""
        self.revision = 0
        self._lock = asyncio.Lock()
        self._under_way: dict[tuple[str, ...], asyncio.Task[Plan]] = {}

    def running(self) -> Running:
        """Return what a plan starts from."""
        instances = self.lifecycle.instances
        order = [each.id for each in self.solution.plugins if each.id in instances]
        order += [each for each in instances if each not in order]
        wiring = self.lifecycle.wiring
        serving = {
            port.PORT: found.provider.name
            for port in self.lifecycle.ports
            if not isinstance(found := wiring.serving(port.PORT), HotswapError)
        }
        return Running({each: instances[each].manifest for each in order}, serving, self.revision)

    def plan(
        self,
        *,
        enable: Collection[str] = (),
        disable: Collection[str] = (),
        select: Mapping[str, tuple[str, ...]] | None = None,
        cascade: bool = False,
    ) -> Plan:
        """Solve for what is asked and return the steps; nothing is touched."""
        if select and not enable and not disable and (quick := self._plan_selection(select)) is not None:
            return quick
        gone = self._all_that_go(disable, cascade)
        settings = _adjusted(self.settings, enable, gone, select or {})
        asked = {Requirement(each).name for each in enable}
        before = self.planner.wanted(self.settings)
        wanted = {
            each: specifier
            for each, specifier in self.planner.wanted(settings).items()
            if each in asked or each in self.lifecycle.instances or each not in before
        }
        only = None if enable or select else set(self.lifecycle.instances) - gone
        solution = self._solve(settings, wanted, only)
        return self.planner.plan(self.running(), solution, settings)

    def _renewal(self, plugin: str, settings: Settings, reason: str) -> Plan:
        """Plan a new generation of one plugin: nothing to solve, whatever else is enabled."""
        manifest = self.lifecycle.instances[plugin].manifest
        step = Step("replace", plugin, manifest.raw_version, manifest.raw_version, reason)
        ports = [port for each in manifest.provides if self._serves(plugin, port := each.port)]
        return attrs.evolve(self.no_steps(settings), steps=(step, *self._rebuilds(ports)))

    def _serves(self, plugin: str, port: str) -> bool:
        serving = self.lifecycle.wiring.serving(port)
        return not isinstance(serving, HotswapError) and serving.provider.plugin == plugin

    def _rebuilds(self, ports: Collection[str]) -> list[Step]:
        return [
            Step("rebuild", each, reason=f"asks to be rebuilt when {port} changes")
            for port in ports
            for each in self.lifecycle.rebuilt_with(port)
        ]

    def _plan_selection(self, select: Mapping[str, tuple[str, ...]]) -> Plan | None:
        """Plan a switch between open providers: nothing to solve, whatever else is enabled."""
        wiring, steps = self.lifecycle.wiring, []
        selected = dict(wiring.selected)
        for port, names in select.items():
            self.lifecycle.ports.get(port)
            if not names or names[0] not in wiring.providers(port):
                return None
            serving = wiring.serving(port)
            before = "" if isinstance(serving, HotswapError) else serving.provider.name
            selected[port] = names
            if before != names[0]:
                steps.append(Step("select", port, before, names[0], "selected"))
        settings = attrs.evolve(self.settings, ports={**self.settings.ports, **select})
        steps += self._rebuilds([each.subject for each in steps])
        return attrs.evolve(self.no_steps(settings), steps=tuple(steps), selected=selected)

    def _all_that_go(self, disable: Collection[str], cascade: bool) -> set[str]:
        """Return what goes with the disabled plugins, after checking that all of it may."""
        active = {key: each.manifest for key, each in self.lifecycle.instances.items()}
        for each in disable:
            if each not in active and each not in self.settings.wanted:
                raise PluginNotFound(each, active, looked_in=["the enabled plugins"])
        dependants = dependants_of(set(disable), active)
        if dependants and not cascade:
            raise PluginInUse(", ".join(sorted(disable)), dependants)
        return {*disable, *dependants}

    def _solve(self, settings: Settings, wanted: Mapping[str, SpecifierSet], only: Collection[str] | None) -> Solution:
        for port, names in settings.ports.items():
            offered = {name for each in self.planner.catalog for of, name in each.provides if of == port}
            if settings.ports.get(port) != self.settings.ports.get(port):
                for name in names:
                    if name not in offered:
                        raise ProviderNotFound(port, name, offered)
        active: dict[str, Version] = {key: each.manifest.version for key, each in self.lifecycle.instances.items()}
        return resolve(self.planner.request(settings, wanted, active=active, only=only), self.solution)

    async def change(
        self, key: tuple[str, ...], make: Callable[[Changes], Plan], *, fresh: Collection[str] = ()
    ) -> Plan:
        """Plan and apply in one turn; requests for the same change that arrive meanwhile share its result."""
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._turn(make, fresh), name=f"hotswap: {' '.join(key)}")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    def _done(self, key: tuple[str, ...], task: asyncio.Task[Plan]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever asked gets it from the task; nobody may be left to, and asyncio would complain

    @property
    def turn(self) -> asyncio.Lock:
        """Return what is held while something is changed."""
        return self._lock

    async def _turn(self, make: Callable[[Changes], Plan], fresh: Collection[str]) -> Plan:
        async with self._lock:
            plan = make(self)
            await self._carry_out(plan, fresh)
            return plan

    async def apply(self, plan: Plan) -> None:
        """Apply a plan made before.

        Raises:
            PlanOutdated: something else was changed since.
        """

        def unchanged(changes: Changes) -> Plan:
            if plan.revision != changes.revision:
                raise PlanOutdated(plan.revision, changes.revision)
            return plan

        await self.change(("apply", str(id(plan))), unchanged)

    async def _carry_out(self, plan: Plan, fresh: Collection[str]) -> None:
        opening = [each for each in plan.steps if each.kind in ("start", "replace")]
        found = {each.subject: self.planner.catalog.get(each.subject, each.after) for each in opening}
        try:
            await self.lifecycle.apply(plan, found, fresh=fresh)
        except TeardownFailed:
            self._commit(plan)
            raise
        self._commit(plan)

    def _commit(self, plan: Plan) -> None:
        self.settings = plan.settings
        self.solution = plan.solution
        self.providers = plan.providers
        self.revision += 1

    def no_steps(self, settings: Settings) -> Plan:
        """Return a plan that opens and closes nothing, and puts other settings in force."""
        return Plan((), self.solution, settings, self.lifecycle.wiring.selected, self.providers, self.revision)

    async def configure(self, plugin: str, values: Mapping[str, Any], hooks: Hooks) -> Plan:
        """Change a plugin's settings."""

        def make(changes: Changes) -> Plan:
            found = changes.planner.catalog.get(plugin)
            config = {**changes.settings.config.get(plugin, {}), **values}
            effective = effective_config(found.manifest, config, changes.lifecycle.environ)
            settings = attrs.evolve(changes.settings, config={**changes.settings.config, plugin: config})
            instance = changes.lifecycle.instances.get(plugin)
            if instance is None:
                return changes.no_steps(settings)
            if instance.context.watches_config:
                instance.context.replace_config(effective)
                return changes.no_steps(settings)
            return changes._renewal(plugin, settings, "its settings changed")

        plan = await self.change(("configure", plugin, repr(sorted(values))), make)
        await hooks.fire("on_config_change", {"plugin": plugin, "keys": tuple(values)})
        return plan

    async def reload(self, plugin: str, catalog: Catalog) -> Plan:
        """Swap a plugin for its newest code on disk."""

        def make(changes: Changes) -> Plan:
            if plugin not in changes.lifecycle.instances:
                raise PluginNotFound(plugin, changes.lifecycle.instances, looked_in=["the active plugins"])
            changes.planner = Planner(catalog, before.ports)
            wanted = {each: SpecifierSet() for each in changes.lifecycle.instances}
            solution = changes._solve(changes.settings, wanted, None)
            return changes.planner.plan(changes.running(), solution, changes.settings, {plugin: "reloaded"})

        before = self.planner
        try:
            return await self.change(("reload", plugin), make, fresh=[plugin])
        except TeardownFailed:
            raise
        except BaseException:
            self.planner = before
            raise

    async def finish(self) -> None:
        """End what is under way: before its switch it is undone; what it took out of service after it, others close."""
        tasks = list(self._under_way.values())
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _adjusted(
    settings: Settings, enable: Collection[str], gone: Collection[str], select: Mapping[str, tuple[str, ...]]
) -> Settings:
    """Return the settings with plugins enabled and disabled."""
    try:
        names = {Requirement(each).name: each for each in enable}
    except InvalidRequirement as error:
        raise PluginNotFound(str(error)) from error
    kept = [each for each in settings.enabled if Requirement(each).name not in {*names, *gone}]
    ports = {port: tuple(each for each in chosen if each not in gone) for port, chosen in settings.ports.items()}
    return attrs.evolve(
        settings,
        enabled=(*kept, *names.values()),
        disabled=tuple(sorted({*settings.disabled, *gone} - set(names))),
        ports={port: names for port, names in {**ports, **select}.items() if names},
    )
