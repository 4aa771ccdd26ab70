"""The kernel: what an application holds. Each method says what is wanted; planner and lifecycle do it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hotswap.boot import Backoff, Boot
from hotswap.catalog import Catalog, discover
from hotswap.changes import Changes
from hotswap.errors import HotswapError, KernelInUse, KernelNotRunning, PortUnfilled, PortUnknown, TeardownFailed
from hotswap.failover import Failover
from hotswap.handles import port_methods
from hotswap.hooks import Hooks
from hotswap.keeper import to_the_end
from hotswap.lifecycle import Lifecycle
from hotswap.plan import Plan
from hotswap.planner import Planner
from hotswap.port_directory import PortDirectory
from hotswap.report import Report
from hotswap.settings import Settings
from hotswap.states import PluginStatus, Why
from hotswap.states import PortStatus as PortStatus
from hotswap.watch import Timer
from hotswap.wiring import Wiring
from hotswap_ports import Handler, Health, Port, is_port

if TYPE_CHECKING:
    from dependency_injector.containers import DynamicContainer

P = TypeVar("P", bound=Port)
# ``get`` and ``all`` take ``Callable[..., P]``, not ``type[P]``: mypy refuses an abstract class for the latter.
T = TypeVar("T")


class Kernel:
    """Finds plugins, solves, opens what is enabled, and swaps providers while the application runs.

    Use it as ``async with Kernel(Settings.load()) as kernel:``. It lives on the event loop that entered it. A plugin
    that cannot be opened does not stop it: see ``plugins()``, ``problems`` and ``why``.

    Args:
        settings: None reads the ``hotswap.toml`` of the working folder.
        ports: port classes of the application's own, beside those of hotswap and of installed distributions.
        environ: the environment that plugins' ``env_vars`` are read from; None: that of the process.
        backoff: how long to wait before a plugin that was not ready is tried again.
        timer: whose time failover goes by; None: that of the event loop.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        ports: Iterable[type[Port]] = (),
        environ: Mapping[str, str] | None = None,
        backoff: Backoff | None = None,
        timer: Timer | None = None,
    ) -> None:
        self._settings = Settings.load() if settings is None else settings
        self._environ = os.environ if environ is None else environ
        self._ports = PortDirectory(ports)
        methods = {each.PORT: [m.name for m in port_methods(each) if m.kind != "sync"] for each in self._ports}
        self._hooks = Hooks(methods)
        self._wiring = Wiring(self._settings.selected, self._hooks)
        self._lifecycle = Lifecycle(self._ports, self._wiring, self._hooks, self._environ)
        self._changes: Changes | None = None
        self._boot: Boot | None = None
        self._backoff = backoff
        self._failover: Failover | None = None
        self._timer = timer
        self._closing = False

    async def __aenter__(self) -> Kernel:
        if self._changes is not None or self._closing:
            raise KernelInUse
        self._wiring.settled = False
        self._wiring.slots.clear()
        self._wiring.selected = self._settings.selected
        self._lifecycle.notes.clear()
        catalog = discover(self._settings, environ=self._environ)
        self._changes = Changes(self._settings, Planner(catalog, self._ports), self._lifecycle)
        self._boot = Boot(self._changes, self._lifecycle, self._backoff)
        try:
            await self._boot.start()
            self._failover = Failover(self._changes, self._lifecycle, self._timer)
            self._failover.start()
            await self._hooks.fire("on_startup")
        except BaseException as error:
            await self._leave(error)
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            await self._hooks.fire("on_shutdown")
        except BaseException as aborted:
            await self._leave(error or aborted)
            raise
        await self._leave(error)

    async def _leave(self, error: BaseException | None) -> None:
        """Close everything, to the end. An error that is under way is the one to see: others become its notes.

        Raises:
            TeardownFailed: something did not close cleanly, and no other error is under way.
        """
        errors = await to_the_end(self._close())
        if errors and error is None:
            raise TeardownFailed(errors)
        if errors and error is not None:
            error.add_note(str(TeardownFailed(errors)))

    async def _close(self) -> list[Exception]:
        boot, changes, failover = self._boot, self._changes, self._failover
        self._boot = self._changes = self._failover = None
        if boot is None or changes is None:
            return []
        self._closing = True
        try:
            if failover is not None:
                await failover.stop()
            await boot.stop()
            await changes.finish()
            errors = await self._lifecycle.close([each.id for each in changes.solution.plugins])
            self._wiring.slots.clear(KernelNotRunning("it was left"))
            return errors
        finally:
            self._closing = False

    @property
    def _running(self) -> Changes:
        if self._changes is None:
            raise KernelNotRunning("it was not entered yet, or was left already")
        return self._changes

    @property
    def _report(self) -> Report:
        return Report(self._running, self._lifecycle, self._ports)

    @property
    def settings(self) -> Settings:
        """Return the settings in force: those it was given, with what was enabled, selected and configured since."""
        return self._settings if self._changes is None else self._changes.settings

    @property
    def catalog(self) -> Catalog:
        """Return what was found."""
        return self._running.planner.catalog

    @property
    def container(self) -> DynamicContainer:
        """Return the container whose providers hand out the live handles: ``storage``, ``storage__sqlite_storage``."""
        return self._wiring.container

    @property
    def hooks(self) -> Hooks:
        """Return the hooks of this kernel, with their counts and last failures."""
        return self._hooks

    def get(self, port: Callable[..., P], name: str | None = None) -> P:
        """Return the live handle of a port: the selected provider's, or that of one by name.

        Raises:
            PortUnknown: the class is no port of this kernel: see its parameter ``ports``.
            PortUnfilled, PortAmbiguous, ProviderNotFound: there is none, or more than one and none is selected.
        """
        known = self._port(port)
        try:
            return cast("P", self._wiring.handle(known, name))
        except PortUnfilled as error:
            raise self._report.unfilled(error.port) from None

    def all(self, port: Callable[..., P]) -> Mapping[str, P]:
        """Return the live handles of all open providers by name, the selected one first; the mapping is live too.

        Raises:
            PortUnknown: the class is no port of this kernel.
        """
        return cast("Mapping[str, P]", self._wiring.all(self._port(port)))

    def _port(self, port: Callable[..., P]) -> type[Port]:
        _ = self._running
        asked = cast("type[Port]", port)
        if is_port(port) and asked.PORT in self._ports and self._ports.get(asked.PORT) is port:
            return asked
        name = getattr(port, "__qualname__", None) or repr(port)
        raise PortUnknown(name, [each.__qualname__ for each in self._ports], where="which was asked for as a class")

    def build(self, target: Callable[..., T]) -> T:
        """Construct ``target`` with what its annotations ask for.

        Raises:
            InjectionFailed: lists every parameter that cannot be filled; nothing was constructed.
        """
        _ = self._running
        return self._wiring.build(target)

    async def plan(
        self,
        *,
        enable: Collection[str] = (),
        disable: Collection[str] = (),
        select: Mapping[type[Port] | str, str | Collection[str]] | None = None,
        cascade: bool = False,
    ) -> Plan:
        """Return what would be done, and do nothing. ``enable`` takes ids, or ids with a range: ``"id>=2"``."""
        return self._running.plan(enable=enable, disable=disable, select=_by_name(select or {}), cascade=cascade)

    async def apply(self, plan: Plan) -> None:
        """Carry out a plan, wholly or not at all.

        Raises:
            PlanOutdated: something else was changed since it was made.
            HotswapError: it could not be done; everything is as it was.
            TeardownFailed: it was done, and something it replaced did not close cleanly.
        """
        await self._running.apply(plan)

    async def enable(self, plugin: str) -> Plan:
        """Open a plugin, and what it needs. Returns what was done; raises as ``apply`` does."""
        return await self._running.change(("enable", plugin), lambda changes: changes.plan(enable=[plugin]))

    async def disable(self, plugin: str, *, cascade: bool = False) -> Plan:
        """Close a plugin, and with ``cascade`` those that need it.

        Raises:
            PluginInUse: others need it; they are named, and nothing was changed.
        """
        key = ("disable", plugin, str(cascade))
        return await self._running.change(key, lambda changes: changes.plan(disable=[plugin], cascade=cascade))

    async def select(self, port: type[Port] | str, *names: str) -> Plan:
        """Let a port lead to another provider; more names are those to fall back on, in order."""
        selection = {_name(port): names}
        return await self._running.change(
            ("select", _name(port), *names), lambda changes: changes.plan(select=selection)
        )

    async def configure(self, plugin: str, values: Mapping[str, Any]) -> Plan:
        """Give a plugin other settings: ``values`` over what it has.

        A plugin that watches its settings is told; any other is opened anew, and swapped.

        Raises:
            ConfigInvalid: the settings break its schema; nothing was changed.
        """
        return await self._running.configure(plugin, values)

    async def reload(self, plugin: str) -> Plan:
        """Read a plugin's manifest and code anew from disk, and swap it."""
        catalog = await asyncio.to_thread(discover, self.settings, refresh=True, environ=self._environ)
        return await self._running.reload(plugin, catalog)

    def on(
        self,
        point: str,
        handler: Handler,
        priority: int = 0,
        *,
        before: Iterable[str] = (),
        after: Iterable[str] = (),
    ) -> Callable[[], None]:
        """Register the application's own handler at a hook point; what is returned takes it out again."""
        return self._hooks.on(point, handler, priority=priority, before=before, after=after)

    def plugins(self) -> Mapping[str, PluginStatus]:
        """Return what is known of each plugin that was found or wanted, by id."""
        return self._report.plugins()

    def ports(self) -> Mapping[str, PortStatus]:
        """Return what is known of each port, by name."""
        return self._report.ports()

    @property
    def problems(self) -> tuple[HotswapError, ...]:
        """Return what was found wrong and did not stop the kernel: bad manifests, names that lead nowhere."""
        planner = self._running.planner
        found = [each.error for each in planner.catalog.problems]
        boot = self._boot.problems if self._boot is not None else []
        return (*self._ports.problems, *found, *boot, *planner.settings_problems(self.settings))

    def why(self, plugin: str) -> Why:
        """Explain a plugin's state, down to the deepest cause.

        Raises:
            PluginNotFound: nobody knows a plugin of that id.
        """
        return self._report.why(plugin)

    def redact(self, text: str) -> str:
        """Return ``text``, such as a traceback, without the secrets in the settings of this kernel's plugins."""
        return self._lifecycle.redact(text)

    async def health(self) -> Mapping[str, Health]:
        """Ask every open plugin how it is; each may take 5 seconds. What they answer counts for failover at once."""
        _ = self._running
        instances = dict(self._lifecycle.instances)
        answers = await asyncio.gather(*(each.health() for each in instances.values()))
        for instance, answer in zip(instances.values(), answers, strict=True):
            if self._failover is not None:
                self._failover.heard(instance, answer)
        return dict(zip(instances, answers, strict=True))


def _name(port: type[Port] | str) -> str:
    return port if isinstance(port, str) else port.PORT


def _by_name(select: Mapping[type[Port] | str, str | Collection[str]]) -> dict[str, tuple[str, ...]]:
    return {_name(port): (names,) if isinstance(names, str) else tuple(names) for port, names in select.items()}


def run(main: Callable[[Kernel], Awaitable[T]], settings: Settings | None = None) -> T:
    """Run ``await main(kernel)`` inside a kernel, from a synchronous program."""

    async def inside() -> T:
        async with Kernel(settings) as kernel:
            return await main(kernel)

    return asyncio.run(inside())
