"""One plugin on its way in and out: prepared (nothing of its own has run but its import), opened, closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, TypeVar, cast

from attrs import evolve

from hotswap.consumer import Consumer
from hotswap.context import Context
from hotswap.errors import ConfigInvalid, PluginInitFailed, says
from hotswap.generation import Generation, Provider
from hotswap.guard import Guard, describe, ending
from hotswap.handover import Handed, plain, stateful
from hotswap.hooks import Hooks
from hotswap.injection import Need
from hotswap.keeper import Keeper
from hotswap.loader import drop
from hotswap.manifest import Provide
from hotswap.prepared import Prepared
from hotswap.settings import Settings
from hotswap.slots import Slot
from hotswap.undo import UndoStack, cancelling
from hotswap.wiring import Wiring
from hotswap_ports import AIProvider, Health, Plugin, Port, Stateful, Storage, port_of

T = TypeVar("T")
Take = Callable[[], Awaitable[Handed | None]]


class Instance:
    """An opened plugin: its adapters' generations, its hooks, and the stack that undoes it.

    Args:
        number: sets this generation apart from others of the same plugin.
        expected: port -> names of the providers that are there once the plan is carried out.
    """

    def __init__(
        self,
        prepared: Prepared,
        wiring: Wiring,
        hooks: Hooks,
        settings: Settings,
        number: int,
        expected: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.prepared = prepared
        self.manifest = prepared.found.manifest
        self.id = self.manifest.id
        self.generations: list[Generation] = []
        self.staging = hooks.staged(self.id)
        self.stack = UndoStack(settings.drain_timeout)
        self.plugin: Plugin | None = None
        self.consumer = Consumer.of(self.manifest, number)
        self._wiring = wiring
        self._expected = expected
        self.number = number
        self.closed = asyncio.Event()
        self._take: Take | None = None
        self._shut = False
        self._redact = prepared.config.redact
        self._guard = Guard(self.id, settings.open_timeout, self._redact)
        self._kept: Keeper | None = None
        self._hooks = hooks
        self._context: Context | None = None

    @property
    def context(self) -> Context:
        """Return what the plugin is handed; it is made when somebody asks for it."""
        if self._context is None:
            wiring, consumer = self._wiring, self.consumer
            self._context = Context(
                self.id,
                self.manifest.raw_version,
                config=self.prepared.config,
                grants=self.prepared.grants,
                storage=lambda: wiring.handle(Storage, None, consumer),  # type: ignore[type-abstract]
                ai=lambda: wiring.handle(AIProvider, None, consumer),  # type: ignore[type-abstract]
                hooks=self._hooks,
                staging=self.staging,
                exit_stack=self.stack,
                limits=self.prepared.grants.limits,
            )
        return self._context

    @property
    def _keeper(self) -> Keeper:
        if self._kept is None:
            self._kept = Keeper(f"hotswap: {self.id} {self.manifest.raw_version}", self._open, self._undo)
        return self._kept

    @property
    def watches_config(self) -> bool:
        """Return whether the plugin follows changes of its settings by itself."""
        return self._context is not None and self._context.watches_config

    @property
    def _is_plain(self) -> bool:
        """Return whether nothing but constructors is run to open it, so that there is nothing to undo in a task."""
        loaded = self.prepared.loaded
        if loaded.plugin_class is not Plugin or Keeper.watchers or _asks_for_context(self.prepared.needs):
            return False
        return not any(map(_is_manager, loaded.adapters.values()))

    def keep(self) -> asyncio.Task[None] | None:
        """Return the task in which it is kept; a plain one gets it now, for those who want to see its end."""
        if self.plugin is not None and not self._shut:
            self._keeper.adopt()
        return None if self._kept is None else self._kept.task

    async def open(self, take: Take | None = None) -> None:
        """Construct and start everything; callers see nothing of it yet.

        Args:
            take: asked, just before ``start``, for the state of the generation before this one.

        Raises:
            NotReady: the plugin says that what it waits for is not there yet.
            PluginInitFailed, ConfigInvalid: it raised, and was undone. The plugin's own error is the cause.
        """
        self._take = take
        if self._is_plain:
            self.plugin = Plugin()
            for provide in self.prepared.loaded.adapters:
                self._serve(provide, self._construct(*self._adapter(provide)))
            await self._restore()
        else:
            await self._keeper.open()

    async def _open(self) -> None:
        try:
            await self._construct_and_start()
        except BaseException as error:
            for problem in await self._undo():
                error.add_note(f"While undoing {self.id}: {describe(problem)}")
            raise

    async def _construct_and_start(self) -> None:
        loaded = self.prepared.loaded
        plugin = self.plugin = self._construct("__init__", loaded.plugin_class, self.prepared.plugin_needs)
        await self._guard.step("validate_config", lambda: self._validate(plugin))
        await self._guard.step("initialize", lambda: plugin.initialize(self.context))
        self.stack.push_async_callback(plugin.cleanup)
        for provide in loaded.adapters:
            name, cls, needs = self._adapter(provide)
            made = self._construct(name, cls, needs)
            self._serve(provide, await self._guard.step(f"{cls.__name__}.__aenter__", partial(self._enter, made)))
        await self._restore()
        await self._guard.step("start", plugin.start)
        self.stack.push_async_callback(plugin.stop)
        health = await self._guard.step("health", lambda: self._health(plugin))
        if health.status == "unhealthy":
            hint = "What it needs does not answer: enable it again later, or let the next start wait for it."
            raise PluginInitFailed(self.id, "health", f"it says it is unhealthy: {health.message}", hint)

    def _adapter(self, provide: Provide) -> tuple[str, type[Port], tuple[Need, ...]]:
        cls = self.prepared.loaded.adapters[provide]
        return f"{cls.__name__}.__init__", cls, self.prepared.adapter_needs[provide]

    def _serve(self, provide: Provide, adapter: Port) -> None:
        provider = Provider(provide.port, provide.name, self.id, self.manifest.raw_version)
        self.generations.append(Generation(provider, adapter, self.number, self._redact))

    def parts(self) -> dict[str, object]:
        """Return the plugin's objects by who they are to a hand-over of state."""
        adapters = {f"{each.provider.port}/{each.provider.name}": each.target for each in self.generations}
        return {"": self.plugin, **adapters}

    async def snapshot(self) -> Handed:
        """Return the state that this generation hands over, copied.

        Raises:
            PluginInitFailed: it raised, took too long, or returned what is no plain data.
        """
        states: dict[str, Any] = {}
        for key, part in stateful(self.parts()).items():

            async def copied(part: Stateful = part) -> Any:
                return plain(await part.snapshot())

            states[key] = await self._guard.step("snapshot", copied)
        return Handed(self.manifest.raw_version, states)

    async def _restore(self) -> None:
        take, self._take = self._take, None
        parts = {} if take is None else stateful(self.parts())
        handed = await take() if take is not None and parts else None
        if handed is None:
            return
        for key, state in handed.states.items():
            if key in parts:
                await self._guard.step("restore", partial(parts[key].restore, state, handed.version))

    async def _validate(self, plugin: Plugin) -> None:
        try:
            await plugin.validate_config(self.prepared.config)
        except ValueError as error:
            raise ConfigInvalid(self.id, [self._redact(says(error))]) from error

    async def _health(self, plugin: Plugin) -> Health:
        health: object = await plugin.health()
        if not isinstance(health, Health):
            raise TypeError(f"health() returned {type(health).__name__}, which is no Health")
        return evolve(health, message=self._redact(str(health.message)))

    def _construct(self, step: str, cls: type[T], needs: tuple[Need, ...]) -> T:
        context = self.context if _asks_for_context(needs) else None

        def make() -> T:
            return self._wiring.construct(
                cls, needs, consumer=self.consumer, config=self.prepared.config, context=context,
                expected=self._expected,
            )  # fmt: skip

        return self._guard.now(step, make)

    async def _enter(self, adapter: Port) -> Port:
        """Enter an adapter that is an async context manager; it is left when the plugin closes."""
        if not _is_manager(type(adapter)):
            return adapter
        entered: object = await self.stack.enter_async_context(cast("AbstractAsyncContextManager[object]", adapter))
        if entered is None:
            return adapter
        port = port_of(type(adapter))
        if port is not None and not isinstance(entered, port):
            raise TypeError(f"its __aenter__ returned {type(entered).__name__}, which is no {port.__name__}")
        return cast("Port", entered)

    def take_along(self, leaving: Collection[Generation]) -> list[tuple[Slot, Generation]]:
        """Return the slots that lead it to providers that leave with it, each with that one, asked for or not."""
        lent = () if self._context is None else self._context.lends
        return self._wiring.take_along(self.consumer, self.prepared.needs, lent, leaving)

    async def drain(self, seconds: float) -> list[Exception]:
        """Wait until no call is inside any more, nor in a handler of this plugin's; return what went wrong.

        What is undone when it closes may take as long from now on.
        """
        self.stack.seconds = seconds
        leaving = [*(each.drain(seconds) for each in self.generations), self.staging.drained(seconds)]
        results = await asyncio.gather(*leaving, return_exceptions=True)
        return [each for each in results if isinstance(each, Exception)]

    async def shut(self) -> list[Exception]:
        """Do as ``close``, and keep the code: this generation may have to be opened again."""
        self._shut = True
        return [] if self._kept is None else await self._kept.close()

    async def close(self) -> list[Exception]:
        """Stop, clean up, undo; then drop the code. Return what went wrong: closing always goes to its end."""
        try:
            return [] if self._shut else await self.shut()
        finally:
            self.closed.set()
            self._wiring.slots.release(self.consumer.key)
            drop(self.prepared.loaded.root)

    async def _undo(self) -> list[Exception]:
        try:
            await self.stack.aclose()
        except ExceptionGroup as group:
            return [self._without_secrets(each) for each in group.exceptions]
        return []

    def _without_secrets(self, error: Exception) -> Exception:
        text = says(error)
        shown = self._redact(text)
        return error if shown == text else RuntimeError(f"{type(error).__name__}: {shown}")

    async def health(self, seconds: float = 5.0) -> Health:
        """Ask the plugin how it is; one that raises or does not answer in time is unhealthy."""
        if self.plugin is None:
            return Health("unhealthy", "it is not open")
        if self._kept is not None and self._kept.gave_up:
            return Health("unhealthy", "a task of its own has failed, and ended it")
        before = cancelling()
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._health(self.plugin)
        except Exception as error:  # noqa: BLE001 - a failing check is an answer too
            if limit.expired():
                return Health("unhealthy", f"health() took longer than {seconds:g} s")
            return Health("unhealthy", f"health() raised {type(error).__name__}: {self._redact(says(error))}")
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or cancelling() > before:
                raise
            return Health("unhealthy", f"health(): {ending(error)}")


def _asks_for_context(needs: Iterable[Need]) -> bool:
    return "context" in [each.kind for each in needs]


def _is_manager(cls: type) -> bool:
    """Return whether objects of a class are entered and left; asking the abstract class takes far longer."""
    return hasattr(cls, "__aenter__") and hasattr(cls, "__aexit__")
