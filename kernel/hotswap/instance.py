"""One plugin on its way in and out: prepared (nothing of its own has run but its import), opened, closed.

Whatever a plugin's code raises, ``SystemExit`` and a ``CancelledError`` of its own making included, is that plugin's
failure. ``KeyboardInterrupt`` alone goes through: it may be a person's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, TypeVar, cast

from attrs import evolve, field, frozen

from hotswap.catalog import Found, trust_of
from hotswap.config import Config, effective_config
from hotswap.consumer import Consumer
from hotswap.context import Context
from hotswap.errors import ConfigInvalid, HotswapError, InjectionFailed, IsolationRequired, PluginInitFailed, says
from hotswap.generation import Generation, Provider
from hotswap.handover import Handed, plain, stateful
from hotswap.hooks import Hooks
from hotswap.injection import Need, needs_of
from hotswap.keeper import Keeper
from hotswap.loader import Loaded, drop, load_beside, undo
from hotswap.manifest import Provide
from hotswap.port_directory import PortDirectory
from hotswap.settings import Settings
from hotswap.trust import Grants, Trust, grants_for, in_process
from hotswap.undo import UndoStack, cancelling, leaves
from hotswap.wiring import Wiring
from hotswap_ports import AIProvider, Health, NotReady, Plugin, Port, PortError, Stateful, Storage, port_of

T = TypeVar("T")
Take = Callable[[], Awaitable[Handed | None]]


@frozen
class Prepared:
    """A plugin whose code is in, whose settings hold, and whose constructors were read; nothing is constructed yet."""

    found: Found
    loaded: Loaded
    config: Config
    grants: Grants
    plugin_needs: tuple[Need, ...] = ()
    adapter_needs: Mapping[Provide, tuple[Need, ...]] = field(factory=dict)

    @property
    def needs(self) -> list[Need]:
        """Return all that has to be injected."""
        return [*self.plugin_needs, *(need for needs in self.adapter_needs.values() for need in needs)]


def check_trust(found: Found, settings: Settings) -> Trust:
    """Return the trust level.

    Raises:
        IsolationRequired: it asks for a worker process, which this version of the kernel does not have.
    """
    trust = trust_of(found, settings)
    if not in_process(trust):
        raise IsolationRequired(found.manifest.id, trust.label, "which this version of hotswap does not have yet")
    return trust


async def prepare(
    found: Found, ports: PortDirectory, settings: Settings, environ: Mapping[str, str], *, fresh: bool = False
) -> Prepared:
    """Check trust and settings, import the code (in a thread: callers go on), read the constructors.

    Raises:
        IsolationRequired, ConfigInvalid, PluginLoadFailed, PortUnknown, InjectionFailed: what is wrong with it.
    """
    manifest = found.manifest
    trust = check_trust(found, settings)
    config = effective_config(manifest, settings.config.get(manifest.id, {}), environ)
    grants = grants_for(manifest, trust, settings.grants.get(manifest.id))
    loaded = await load_beside(found, ports, settings.open_timeout, fresh=fresh)
    try:
        return _read(Prepared(found, loaded, config, grants))
    except BaseException:
        undo(loaded)
        raise


def _read(prepared: Prepared) -> Prepared:
    manifest = prepared.found.manifest
    requires = {each.port for each in manifest.requires}
    gaps: list[str] = []

    def read(cls: type) -> tuple[Need, ...]:
        try:
            return needs_of(cls, requires=requires)
        except InjectionFailed as error:
            gaps.extend(f"{error.target}.{gap}" for gap in error.gaps)
            return ()

    loaded = prepared.loaded
    plugin_needs = read(loaded.plugin_class)
    adapter_needs = {provide: read(cls) for provide, cls in loaded.adapters.items()}
    if gaps:
        raise InjectionFailed(f"Plugin {manifest.id!r}", gaps)
    return Prepared(prepared.found, loaded, prepared.config, prepared.grants, plugin_needs, adapter_needs)


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
        self.consumer = consumer = Consumer.of(self.manifest, number)
        self._wiring = wiring
        self._expected = expected
        self._number = number
        self._take: Take | None = None
        self._shut = False
        self._seconds = settings.open_timeout
        self._redact = prepared.config.redact
        self._keeper = Keeper(f"hotswap: {self.id} {self.manifest.raw_version}", self._open, self._undo)
        self.context = Context(
            self.id,
            self.manifest.raw_version,
            config=prepared.config,
            grants=prepared.grants,
            storage=lambda: wiring.handle(Storage, None, consumer),  # type: ignore[type-abstract]
            ai=lambda: wiring.handle(AIProvider, None, consumer),  # type: ignore[type-abstract]
            hooks=hooks,
            staging=self.staging,
            exit_stack=self.stack,
            limits=prepared.grants.limits,
        )

    async def open(self, take: Take | None = None) -> None:
        """Construct and start everything; callers see nothing of it yet.

        Args:
            take: asked, just before ``start``, for the state of the generation before this one.

        Raises:
            NotReady: the plugin says that what it waits for is not there yet.
            PluginInitFailed, ConfigInvalid: it raised, and was undone. The plugin's own error is the cause.
        """
        self._take = take
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
        plugin = self.plugin = await self._step(
            "__init__", lambda: self._construct(loaded.plugin_class, self.prepared.plugin_needs)
        )
        await self._step("validate_config", lambda: self._validate(plugin))
        await self._step("initialize", lambda: plugin.initialize(self.context))
        self.stack.push_async_callback(plugin.cleanup)
        for provide, cls in loaded.adapters.items():
            needs = self.prepared.adapter_needs[provide]
            made = await self._step(f"{cls.__name__}.__init__", partial(self._construct, cls, needs))
            adapter = await self._step(f"{cls.__name__}.__aenter__", partial(self._enter, made))
            provider = Provider(provide.port, provide.name, self.id, self.manifest.raw_version)
            self.generations.append(Generation(provider, adapter, self._number, self._redact))
        await self._restore()
        await self._step("start", plugin.start)
        self.stack.push_async_callback(plugin.stop)
        health = await self._step("health", lambda: self._health(plugin))
        if health.status == "unhealthy":
            hint = "What it needs does not answer: enable it again later, or let the next start wait for it."
            raise PluginInitFailed(self.id, "health", f"it says it is unhealthy: {health.message}", hint)

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

            states[key] = await self._step("snapshot", copied)
        return Handed(self.manifest.raw_version, states)

    async def _restore(self) -> None:
        parts = stateful(self.parts())
        handed = await self._take() if self._take is not None and parts else None
        self._take = None
        for key, state in handed.states.items() if handed is not None else ():
            if key in parts:
                assert handed is not None
                await self._step("restore", partial(parts[key].restore, state, handed.version))

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

    async def _construct(self, cls: type[T], needs: tuple[Need, ...]) -> T:
        config, context = self.prepared.config, self.context
        return self._wiring.construct(
            cls, needs, consumer=self.consumer, config=config, context=context, expected=self._expected
        )

    async def _enter(self, adapter: Port) -> Port:
        """Enter an adapter that is an async context manager; it is left when the plugin closes."""
        if not isinstance(adapter, AbstractAsyncContextManager):
            return adapter
        entered: object = await self.stack.enter_async_context(adapter)
        if entered is None:
            return adapter
        port = port_of(type(adapter))
        if port is not None and not isinstance(entered, port):
            raise TypeError(f"its __aenter__ returned {type(entered).__name__}, which is no {port.__name__}")
        return cast("Port", entered)

    async def _step(self, name: str, act: Callable[[], Awaitable[T]]) -> T:
        before = cancelling()
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                return await act()
        except NotReady as error:
            hint = (
                error.hint
                or "What it needs is not there yet: enable it again later, or let the next start wait for it."
            )
            raise NotReady(f"{self.id}: {self._redact(says(error))}", hint) from error
        except HotswapError:
            raise
        except Exception as error:  # whatever a plugin raises while it is opened is that plugin's failure
            if limit.expired():
                hint = "Raise open_timeout under [plugins] in hotswap.toml."
                raise PluginInitFailed(self.id, name, f"it took longer than {self._seconds:g} s", hint) from error
            if isinstance(error, PortError):
                raise PluginInitFailed(self.id, name, self._redact(says(error)), error.hint) from error
            text = "; ".join(f"{type(each).__name__}: {self._redact(str(each))}" for each in leaves(error))
            raise PluginInitFailed(self.id, name, text) from error
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or cancelling() > before:
                raise
            raise PluginInitFailed(self.id, name, _ending(error)) from error

    async def drain(self, seconds: float) -> list[Exception]:
        """Wait until no call is inside any more; return what went wrong."""
        results = await asyncio.gather(*(each.drain(seconds) for each in self.generations), return_exceptions=True)
        return [each for each in results if isinstance(each, Exception)]

    async def shut(self) -> list[Exception]:
        """Do as ``close``, and keep the code: this generation may have to be opened again."""
        self._shut = True
        return await self._keeper.close()

    async def close(self) -> list[Exception]:
        """Stop, clean up, undo; then drop the code. Return what went wrong: closing always goes to its end."""
        try:
            return [] if self._shut else await self.shut()
        finally:
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
        if self._keeper.gave_up:
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
            return Health("unhealthy", f"health(): {_ending(error)}")


def _ending(error: BaseException) -> str:
    """Say that a plugin raised what would end a task or the process."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    return f"it raised {type(error).__name__}, though nobody had asked it to end"


def describe(error: BaseException) -> str:
    """Return an error as one line for a plugin's status."""
    text = says(error) or type(error).__name__
    code: Any = getattr(error, "code", None)
    return f"{code}: {text}" if code else text
