"""What runs: opens and closes plugins, and carries a plan out wholly or not at all.

A plan is carried out in this order: *prepare* every plugin it opens (import, settings, constructors read; every gap is
listed before anything is constructed), *open* them in the solution's order, *switch* all slots and hooks in one
synchronous step, *drain* what was replaced, *close* it in reverse order. A failure before the switch undoes what was
opened and leaves everything as it was; one after it leaves the new solution in force, and is reported when all is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn, Protocol, TypeAlias

from attrs import frozen

from hotswap.admission import is_exclusive
from hotswap.config import Config
from hotswap.dormant import Dormant, Sleepers
from hotswap.errors import HookAborted, HotswapError, RebuildFailed
from hotswap.found import Found
from hotswap.generation import Generation
from hotswap.guard import describe, let_go
from hotswap.handover import stateful
from hotswap.hooks import Hooks
from hotswap.instance import Instance
from hotswap.keeper import to_the_end
from hotswap.loader import load
from hotswap.manifest import Manifest
from hotswap.members import Members
from hotswap.opening import Opening
from hotswap.plan import Plan
from hotswap.port_directory import PortDirectory
from hotswap.prepared import Prepared
from hotswap.settings import Settings
from hotswap.states import State
from hotswap.wiring import Wiring
from hotswap_ports import NotReady, Port


@frozen
class Note:
    """Why a plugin is in its state."""

    state: State
    reason: str = ""
    blocked_by: tuple[str, ...] = ()
    error: Exception | None = None


@frozen
class Left:
    """What a change took out of service, to be drained and closed."""

    instances: tuple[Instance, ...] = ()
    errors: tuple[Exception, ...] = ()
    """What went wrong already, with those that had to be closed before the switch."""


class Sleep(Protocol):
    """What wakes dormant plugins, and keeps them asleep (``hotswap.activation``)."""

    async def wake(self, plugin: str) -> None: ...
    async def keep(self, plugin: str) -> None: ...
    def let(self, plugin: str) -> None: ...
    async def stop(self) -> None: ...


News: TypeAlias = tuple[str, dict[str, object]]
"""A hook point, and what its handlers are told."""


class Lifecycle:
    """The plugins of one kernel, open or on their way."""

    def __init__(self, ports: PortDirectory, wiring: Wiring, hooks: Hooks, environ: Mapping[str, str]) -> None:
        self.ports = ports
        self.wiring = wiring
        self.hooks = hooks
        self.environ = environ
        self.instances: dict[str, Instance] = {}
        self.notes: dict[str, Note] = {}
        self.dormant = Sleepers(lambda found: load(found, ports))
        """Plugins that are in force and opened by the first call."""
        self.activation: Sleep | None = None
        self.drain_timeout = 0.0
        """Seconds, by the settings in force."""
        self._numbers = count(1)
        self._rebuilds: dict[str, dict[str, None]] = {}
        self._by_name: dict[tuple[str, str], set[str]] = {}
        self._leaving: list[Instance] = []
        self._news: list[News] = []
        self._configs: dict[str, Config] = {}

    async def apply(
        self,
        plan: Plan,
        found: Mapping[str, Found],
        *,
        fresh: Collection[str] = (),
        prepared: Mapping[str, Prepared | HotswapError] = MappingProxyType({}),
        switched: Callable[[], None] = lambda: None,
    ) -> Left:
        """Carry out a plan up to its switch, and return what it took out of service, for ``retire``.

        Whoever may hear of it is told by ``tell``, which the caller calls when it is free to.

        Args:
            found: where the plugins that the plan opens are.
            fresh: those whose code is to be imported anew.
            prepared: what came of preparing those for which that was done before.
            switched: called within the switch: from then on the plan is in force, whatever comes after.

        Raises:
            HotswapError, NotReady: it could not be done, and everything is as it was; a note says what was undone.
        """
        replaced, stopped = plan.subjects("replace"), plan.subjects("stop")
        await self._wake_along(stopped, replaced)
        kept = [each for each in (*stopped, *replaced) if each in self.dormant]
        try:
            starting = plan.subjects("start", "replace")
            opening = [found[each] for each in starting if each not in self.dormant or each in kept]
            await self._wake_for(plan, found, kept)
            # Consumers before what they consume: stops come in that order, replacements in the order of their opening.
            leaving = [*stopped, *reversed(replaced)]
            closing = [self.instances[each] for each in leaving if each in self.instances]
            attempt = Opening(self, plan, closing, fresh, prepared)
            return await self._carry_out(attempt, plan, opening, closing, switched)
        finally:
            for each in kept:
                if self.activation is not None:
                    self.activation.let(each)

    async def _wake_along(self, stopped: Collection[str], replaced: Collection[str]) -> None:
        """Wake what stops and was never called, where what leaves with it may call it until it is closed."""
        tried: set[str] = set()
        while self.activation is not None and self.dormant:
            leaving = [self.instances[each] for each in (*stopped, *replaced) if each in self.instances]
            asleep = [self.dormant[each] for each in stopped if each in self.dormant and each not in tried and leaving]
            resting = [generation for each in asleep for generation in each.generations]
            needed = {led.provider.plugin for each in leaving for _, led in each.take_along(resting)}
            if not needed:
                return
            tried |= needed
            for plugin in needed:
                with suppress(HotswapError, NotReady):  # a call that needs it is told
                    await self.activation.wake(plugin)

    async def _wake_for(self, plan: Plan, found: Mapping[str, Found], kept: Collection[str]) -> None:
        """Wake what the plan starts, or needs before it starts others; keep asleep what it takes out of force.

        What is woken may need what is replaced, which is awake then like any other.
        """
        if self.activation is None or not self.dormant:
            return
        for each in plan.subjects("start", "replace"):
            needed = [one.id for one in found[each].manifest.dependencies]
            for plugin in [*needed, *([each] if each not in kept else [])]:
                if plugin in self.dormant and plugin not in kept:
                    await self.activation.wake(plugin)
        for each in kept:
            await self.activation.keep(each)

    def point(self, plan: Plan) -> None:
        """Carry out a plan that opens and closes nothing: ports lead elsewhere, and that is all."""
        self.wiring.selected = plan.selected
        for port in plan.subjects("select"):
            self.wiring.lead(self.ports.get(port))

    async def rebuild(self, plugin: str, plan: Plan) -> Left:
        """Open a plugin anew as it is, and put it in force; raises as ``apply`` does. ``plan`` is what holds now."""
        old = self.instances[plugin]
        attempt = Opening(self, plan, [old], (), {})
        return await self._carry_out(attempt, plan, [old.prepared.found], [old], lambda: None)

    def not_rebuilt(self, plugin: str, cause: Exception) -> RebuildFailed:
        """Note that a plugin was to be rebuilt and could not be; return the error that says so."""
        error = RebuildFailed(plugin, describe(cause), goes_on=plugin in self.instances)
        error.__cause__ = cause
        if error.goes_on:
            reason = f"it could not be rebuilt after a swap, and goes on as it was: {error.reason}"
            self.note(plugin, State.ACTIVE, reason, error)
        return error

    def outdated(self, plugin: str) -> bool:
        """Return whether a plugin goes on as it was because it could not be rebuilt."""
        return plugin in self.instances and isinstance(self.notes[plugin].error, RebuildFailed)

    async def _carry_out(
        self,
        attempt: Opening,
        plan: Plan,
        opening: Collection[Found],
        closing: list[Instance],
        switched: Callable[[], None],
    ) -> Left:
        try:
            await attempt.run(opening)
            self._switch(plan, attempt.opened, closing)
        except BaseException as error:
            await to_the_end(attempt.undo(error))
            raise
        attempt.end()
        switched()
        self._leaving += closing
        self._tell_watchers(plan.configs)
        return Left(tuple(closing), tuple(attempt.errors))

    async def retire(self, left: Left) -> list[Exception]:
        """Drain what was taken out of service, all at once, then close it; return what went wrong with it.

        The plan named consumers before what they consume.
        """
        drained = await asyncio.gather(*(each.drain(self.drain_timeout) for each in left.instances))
        errors = [*left.errors, *(error for each in drained for error in each)]
        for instance in left.instances:
            errors += await self._close(instance)
        return errors

    async def gone(self, plugin: str) -> None:
        """Wait until every generation of a plugin that is out of service is closed."""
        for each in [each for each in self._leaving if each.id == plugin]:
            await each.closed.wait()

    def instance(
        self, ready: Prepared, settings: Settings, expected: Mapping[str, Collection[str]] | None = None
    ) -> Instance:
        """Return another generation of a plugin, not open yet. ``expected``: port -> names of what will be there."""
        return Instance(ready, self.wiring, self.hooks, settings, next(self._numbers), expected)

    def remember(self, ready: Prepared) -> None:
        """Keep a plugin's settings, whose secrets stay masked from now on."""
        self._configs[ready.found.id] = ready.config

    def replace(self, old: Instance, new: Instance) -> None:
        """Put a generation that is like the old one in its place: nothing that was planned came of it."""
        self.wiring.switch(self.ports_of([*old.generations, *new.generations]), new.generations, old.generations)
        self.hooks.switch((new.staging,), (old.staging,))
        self.instances[new.id] = new
        self.wiring.slots.release(old.consumer.key)

    def awake(self, dormant: Dormant, instance: Instance) -> None:
        """Put a plugin that was dormant in force as what it is."""
        self.hooks.switch((instance.staging,), ())
        del self.dormant[dormant.id]
        self.wiring.switch(self.ports_of(instance.generations), instance.generations, dormant.generations)
        self.wiring.step_aside(dormant.generations)
        self._enter(instance, "a call needed it")

    def forget_dormant(self, *dormant: Dormant) -> None:
        """Take dormant plugins out of force."""
        generations = [generation for each in dormant for generation in each.generations]
        for each in dormant:
            del self.dormant[each.id]
        self.wiring.switch(self.ports_of(generations), (), generations)
        self.wiring.step_aside(generations)

    def _enter(self, instance: Instance, reason: str) -> None:
        self.instances[instance.id] = instance
        for require in instance.manifest.requires:
            if require.rebind == "rebuild":
                self._rebuilds.setdefault(require.port, {})[instance.id] = None
        for pair in _named(instance):
            self._by_name.setdefault(pair, set()).add(instance.id)
        self.note(instance.id, State.ACTIVE, reason)
        self._tell_later("on_plugin_load", instance)

    def lose(self, old: Instance, error: Exception) -> None:
        """Go on without a plugin that is closed and cannot be opened again."""
        self.wiring.switch(self.ports_of(old.generations), (), old.generations)
        self.hooks.switch((), (old.staging,))
        self._forget(old)
        self.note(old.id, State.FAILED, describe(error), error)

    def _switch(self, plan: Plan, opened: list[Instance], closing: list[Instance]) -> None:
        """Put the new solution in force. No await in here: no call sees a part of it."""
        add = [each for instance in opened for each in instance.generations]
        out = plan.subjects("stop", "replace") if self.dormant else ()
        asleep = [self.dormant.pop(each) for each in out if each in self.dormant]
        leaving = [each for instance in closing for each in instance.generations]
        remove = leaving + [each for gone in asleep for each in gone.generations]
        if plan.selected is not self.wiring.selected:
            self.wiring.selected = plan.selected
        selects = [each for each in plan.subjects("select") if each in self.ports]
        led = [(each.consumer.key, each.take_along(leaving)) for each in closing]
        self.wiring.switch(self.ports_of([*add, *remove], selects), add, remove)
        for gone in asleep:
            self.wiring.step_aside(gone.generations)
            self.note(gone.id, State.DISABLED, State.DISABLED.meaning)
        for consumer, slots in led:  # what leaves with its providers goes on reaching them until it is closed
            for slot, generation in slots:
                if not slot.filled:
                    slot.pin(consumer, generation)
        self.hooks.switch((each.staging for each in opened), (each.staging for each in closing))
        for each in closing:
            self._forget(each)
            self.note(each.id, State.DRAINING, State.DRAINING.meaning)
            self._tell_later("on_plugin_unload", each)
        reasons = {step.subject: step.reason for step in plan.steps}
        for each in opened:
            self._enter(each, reasons.get(each.id, ""))

    def would_wait_for(self, found: Found, within: Collection[Generation]) -> bool:
        """Return whether a plugin is opened only when the calls in one of these generations have left."""
        new = found.manifest
        waited = [each for each in self._leaving if each.id == new.id and is_exclusive(new, new)]
        old = self.instances.get(new.id)
        if old is not None and (is_exclusive(old.manifest, new) or stateful(old.parts())):
            waited.append(old)
        return any(generation in within for each in waited for generation in each.generations)

    def _tell_watchers(self, configs: Mapping[str, Config]) -> None:
        """Give plugins that watch their settings others. It runs their code, and so is the end of a switch, not in it.

        A person's KeyboardInterrupt ends the loop as soon as whoever called this waits.
        """
        for plugin, config in configs.items():
            if plugin in self.instances:
                self._configs[plugin] = config
                for error in self.instances[plugin].context.replace_config(config):
                    if isinstance(error, KeyboardInterrupt):
                        asyncio.get_running_loop().call_soon(_raise, error)

    def has(self, plugin: str) -> bool:
        """Return whether a plugin is in force, open or waiting for its first call."""
        return plugin in self.instances or plugin in self.dormant

    def manifest(self, plugin: str) -> Manifest:
        """Return the manifest of a plugin that is in force."""
        return (self.instances.get(plugin) or self.dormant[plugin]).manifest

    def folder(self, plugin: str) -> Path | None:
        """Return the folder of the version of a plugin that is in force; None where none is."""
        if plugin in self.instances:
            return self.instances[plugin].prepared.found.path
        return self.dormant[plugin].found.path if plugin in self.dormant else None

    def members(self) -> Members:
        """Return the manifests of the plugins that are in force, open or waiting for their first call, by id."""
        return Members(self.instances, self.dormant)

    def ports_of(self, generations: Iterable[Generation], besides: Iterable[str] = ()) -> list[type[Port]]:
        """Return the ports that some generations are for, and others, by name."""
        names = {each.provider.port for each in generations}
        names.update(besides)
        return [self.ports.get(each) for each in sorted(names)]

    async def _close(self, instance: Instance) -> list[Exception]:
        """Close what is out of service, when the last call has left: those closed before may have called it."""
        errors = await instance.drain(self.drain_timeout)
        errors += await instance.close()
        if instance in self._leaving:
            self._leaving.remove(instance)
        if instance.id not in self.instances:
            self.note(instance.id, State.DISABLED, State.DISABLED.meaning)
        return errors

    def _tell_later(self, point: str, instance: Instance) -> None:
        self._news.append((point, {"plugin": instance.id, "version": instance.manifest.raw_version}))

    def take_news(self) -> list[News]:
        """Return what has happened since the last time, for ``tell``: whoever holds the turn takes what is its own."""
        news, self._news = self._news, []
        return news

    def take_news_of(self, plugin: str) -> list[News]:
        """Return what has happened to one plugin, for whoever holds no turn."""
        mine = [each for each in self._news if each[1].get("plugin") == plugin]
        self._news = [each for each in self._news if each not in mine]
        return mine

    async def tell(self, news: Iterable[News]) -> list[Exception]:
        """Fire the hooks of what has happened, outside of the turn: handlers may ask for further changes.

        One that aborts comes too late: its HookAborted is returned.
        """
        errors: list[Exception] = []
        for point, data in news:
            if not self.hooks.hears(point):
                continue
            try:
                await self.hooks.fire(point, data)
            except HookAborted as error:
                errors.append(error)
        return errors

    def note(
        self, plugin: str, state: State, reason: str, error: Exception | None = None, blocked_by: Iterable[str] = ()
    ) -> None:
        """Record why a plugin is in a state. An error is kept with it, and what its frames held is not."""
        if error is not None:
            let_go(error)
        self.notes[plugin] = Note(state, reason, tuple(blocked_by), error)

    def note_all(self, plugins: Iterable[str], state: State, reason: str) -> None:
        """Record why many plugins are in one state."""
        self.notes.update(dict.fromkeys(plugins, Note(state, reason)))

    def _forget(self, instance: Instance) -> None:
        if self.instances.get(instance.id) is instance:
            del self.instances[instance.id]
        for consumers in self._rebuilds.values():
            consumers.pop(instance.id, None)
        if instance.id not in self.instances:
            for pair in _named(instance):
                self._by_name.get(pair, set()).discard(instance.id)

    def redact(self, text: str) -> str:
        """Return ``text`` without the secrets in the settings of any plugin that was prepared so far."""
        for each in self._configs.values():
            text = each.redact(text)
        return text

    def consumers(self, plugins: Iterable[str]) -> list[tuple[str, int]]:
        """Return which generation of each of these plugins is open, by its number."""
        return [(each, self.instances[each].number) for each in plugins if each in self.instances]

    def rebuilt_with(self, port: str) -> list[str]:
        """Return the active plugins that ask to be rebuilt when a port leads elsewhere, in the order they came."""
        return list(self._rebuilds.get(port, ()))

    def given_by_name(self, plugin: str) -> set[str]:
        """Return the active plugins that were given a provider of ``plugin`` by name and cannot do without."""
        found: set[str] = set()
        for each in self.manifest(plugin).provides:
            generation = self.wiring.providers(each.port).get(each.name)
            if generation is not None and generation.provider.plugin == plugin:
                found |= self._by_name.get((each.port, each.name), set())
        return found

    async def close(self, order: Collection[str]) -> list[Exception]:
        """Close everything, after its calls have left; return what went wrong.

        Args:
            order: ids in start order; they are closed in the reverse of it.
        """
        place = {plugin: number for number, plugin in enumerate(order)}
        errors: list[Exception] = []
        for instance in list(self._leaving):  # what a change that was cut short had already taken out of service
            errors += await self._close(instance)
        while self.instances:  # what is called for the first time by one that is closing is opened, and closed after it
            errors += await self._close_all(place)
        if self.activation is not None:
            await self.activation.stop()
        self.forget_dormant(*list(self.dormant.values()))
        errors += await self._close_all(place)
        self._news.clear()
        return errors

    async def _close_all(self, place: Mapping[str, int]) -> list[Exception]:
        opened = list(self.instances.values())[::-1]
        closing = sorted(opened, key=lambda each: -place.get(each.id, len(place)))
        self.hooks.switch((), (each.staging for each in closing))
        errors: list[Exception] = []
        for instance in closing:
            self.wiring.switch(self.ports_of(instance.generations), (), instance.generations)
            self._forget(instance)
            self._leaving.append(instance)
            errors += await self._close(instance)
        return errors


def _raise(error: BaseException) -> NoReturn:
    raise error


def _named(instance: Instance) -> Iterator[tuple[str, str]]:
    """Yield port and name of each provider that a plugin was given by name and cannot do without."""
    for need in instance.prepared.needs:
        if need.port is not None and need.name is not None and not need.optional:
            yield need.port.PORT, need.name
