"""The kernel: what an application holds. Each method says what is wanted; planner and lifecycle do it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from hotswap.arguments import check_id, check_plan, check_values, names_of, port_name, unknown_port
from hotswap.catalog import Catalog
from hotswap.errors import HotswapError, WouldDeadlock
from hotswap.hooks import Hooks
from hotswap.host import Host
from hotswap.plan import Plan
from hotswap.portal import Portal
from hotswap.proposals import Past
from hotswap.rediscovery import discover_again
from hotswap.settings import Settings
from hotswap.states import PluginStatus, Why
from hotswap.states import PortStatus as PortStatus
from hotswap.trials import AbortIf, Same, Trial, terms_of
from hotswap.watching import Watch
from hotswap_ports import Handler, Health, Port, is_port

if TYPE_CHECKING:
    from dependency_injector.containers import DynamicContainer

P = TypeVar("P", bound=Port)
# ``get`` and ``all`` take ``Callable[..., P]``, not ``type[P]``: mypy refuses an abstract class for the latter.
T = TypeVar("T")


class Kernel(Host):
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
        return cast("P", self._wiring.handle(known, name))

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
        raise unknown_port(port, self._ports)

    def _by_name(self, select: Mapping[type[Port] | str, str | Collection[str]]) -> dict[str, tuple[str, ...]]:
        return {port_name(port, self._ports): names_of(names) for port, names in select.items()}

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
        configure: Mapping[str, Mapping[str, Any]] | None = None,
        settings: Settings | None = None,
        cascade: bool = False,
    ) -> Plan:
        """Return what would be done, and do nothing.

        Args:
            enable: ids, or ids with a range: ``"id>=2"``.
            configure: values over the settings that plugins have, by id.
            settings: take the place of those in force, before all else that is asked for.
        """
        return self._running.plan(
            enable=enable, disable=disable, select=self._by_name(select or {}), configure=configure, settings=settings,
            cascade=cascade,
        )  # fmt: skip

    async def change(
        self,
        *,
        enable: Collection[str] = (),
        disable: Collection[str] = (),
        select: Mapping[type[Port] | str, str | Collection[str]] | None = None,
        configure: Mapping[str, Mapping[str, Any]] | None = None,
        settings: Settings | None = None,
        cascade: bool = False,
    ) -> Plan:
        """Do all of it in one change, switched together, wholly or not at all; arguments as for ``plan``.

        This and every other change waits until what it replaced is closed. Where it is asked for from within a call
        that is to leave, it returns when it is in force, and what goes wrong after that is logged.

        Raises:
            WouldDeadlock: that call has to leave first, since its plugin cannot be open twice or hands over state.
        """
        selected = self._by_name(select or {})
        return await self._running.many(
            lambda changes: changes.plan(
                enable=enable, disable=disable, select=selected, configure=configure, settings=settings,
                cascade=cascade,
            ),
        )  # fmt: skip

    async def rollback(self, revision: int | None = None) -> Plan:
        """Return to the settings and the solution of before the last change, or of a revision in ``history``.

        It is a change like any other: the state that it leaves is kept in turn, so a second one goes forth again.

        Raises:
            NothingToRollBack: nothing was changed yet, or that revision is not kept.
            PluginNotFound: a version that was open then is not on this machine any more.
        """
        return await self._running.rollback(revision)

    def watch(
        self,
        *,
        interval: float = 0.5,
        on_change: Callable[[Plan], None] | None = None,
        on_problem: Callable[[Exception], None] | None = None,
    ) -> Watch:
        """Follow ``hotswap.toml`` and ``hotswap.lock`` until the kernel is left, or what is returned is stopped.

        An edit is put in force as one change when the files have stood still between two looks, wholly or not at all.
        It speaks for what it touches: what the application changed itself stays. ``async with kernel.watch():`` ends it
        with the block.

        Args:
            interval: seconds between two looks.
            on_change: told of each plan that was carried out.
            on_problem: told of what could not be put in force (everything goes on as it was then; so it does where
                ``hotswap.toml`` is gone), and of names that lead nowhere. What either of them raises is logged.

        Raises:
            NothingToWatch: the settings were made in code, not read by ``Settings.load``.
        """
        read = self._watches[-1].read if self._watches else self._settings
        watch = Watch(self._running, read, self._environ, interval, on_change, on_problem)
        self._watches.append(watch)
        return watch

    @property
    def history(self) -> tuple[Past, ...]:
        """Return what stood before each change of settings or solution, the latest last; 50 are kept."""
        return tuple(self._running.past)

    async def apply(self, plan: Plan) -> None:
        """Carry out a plan, wholly or not at all.

        Raises:
            PlanOutdated: something else was changed since it was made.
            HotswapError: it could not be done; everything is as it was.
            TeardownFailed: it was done, and something it replaced did not close cleanly.
        """
        check_plan(plan)
        await self._running.apply(plan)

    async def enable(self, plugin: str) -> Plan:
        """Open a plugin, and what it needs. Returns what was done; raises as ``apply`` does."""
        check_id("enable", plugin)
        return await self._running.change(("enable", plugin), lambda changes: changes.plan(enable=[plugin]))

    async def disable(self, plugin: str, *, cascade: bool = False) -> Plan:
        """Close a plugin, and with ``cascade`` those that need it.

        Raises:
            PluginInUse: others need it; they are named, and nothing was changed.
        """
        check_id("disable", plugin)
        key = ("disable", plugin, str(cascade))
        return await self._running.change(key, lambda changes: changes.plan(disable=[plugin], cascade=cascade))

    @overload
    async def select(self, port: type[Port] | str, *names: str) -> Plan: ...

    @overload
    async def select(
        self,
        port: type[Port] | str,
        *names: str,
        canary: float,
        abort_if: AbortIf = ...,
        promote_after: int = ...,
        min_seconds: float = ...,
    ) -> Trial: ...

    @overload
    async def select(
        self,
        port: type[Port] | str,
        *names: str,
        shadow: Literal[True],
        same: Same = ...,
        methods: Collection[str] = ...,
    ) -> Trial: ...

    async def select(self, port: type[Port] | str, *names: str, **trial: Any) -> Plan | Trial:
        """Let a port lead to another provider; more names are those to fall back on, in order.

        With ``canary`` or ``shadow`` the first name is a candidate, tried beside the provider in use. It is opened if
        it is not open. What is returned is the trial: ``await trial.verdict()``. A port has one at a time.

        Args:
            canary: the share of the port's calls that go to the candidate. One that it fails has failed.
            abort_if: what sends it back; Bounds() by default. A function is asked after each call of the candidate's.
            promote_after: calls of the candidate (500) after which it is selected, if it is within the bounds.
            min_seconds: seconds (60) that have to pass before that.
            shadow: the candidate gets the calls as well, its answers are compared, and nobody else sees them.
            same: told both answers (of a stream: item by item), returns whether they are the same; ``==`` by default.
            methods: those whose calls are made twice; by default the port's ``READS``, which change nothing.

        Raises:
            TrialRefused: the port has a trial, or nobody to compare with, or what is asked for makes no sense.
        """
        name, names = port_name(port, self._ports), names_of(names)
        terms = terms_of(self._ports.get(name), names, **trial) if trial else None
        if terms is not None and self._trials is not None:
            return await self._trials.start(name, names, terms)
        return await self._running.select(name, names)

    def trials(self) -> Mapping[str, Trial]:
        """Return the last trial of each port, by the port's name: those under way, and those that are over."""
        return {} if self._trials is None else self._trials.all()

    async def configure(self, plugin: str, values: Mapping[str, Any]) -> Plan:
        """Give a plugin other settings: ``values`` over what it has.

        A plugin that watches its settings is told; any other is opened anew, and swapped.

        Raises:
            ConfigInvalid: the settings break its schema; nothing was changed.
        """
        check_id("configure", plugin)
        check_values(values)
        return await self._running.configure(plugin, values)

    async def reload(self, plugin: str) -> Plan:
        """Read a plugin's manifest and code anew from disk, and swap it.

        Raises:
            ManifestInvalid, PluginLoadFailed, ...: it cannot be used as it is now; the one that is open goes on.
        """
        check_id("reload", plugin)
        where = self.catalog, self.settings, self._environ, self._lifecycle.folder(plugin)
        found = await asyncio.to_thread(discover_again, plugin, *where)
        return await self._running.reload(plugin, found)

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

    @property
    def portal(self) -> Portal:
        """Return the way here from other threads: ``kernel.portal.call(storage.get, "key")``."""
        return self._portal


def run(main: Callable[[Kernel], Awaitable[T]], settings: Settings | None = None) -> T:
    """Run ``await main(kernel)`` inside a kernel, from a synchronous program.

    Raises:
        WouldDeadlock: an event loop runs here already.
    """
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        hint = "Enter a kernel on that loop: `async with Kernel(settings) as kernel:`."
        raise WouldDeadlock("`hotswap.run` was called where an event loop runs, which would wait for itself.", hint)

    async def inside() -> T:
        async with Kernel(settings) as kernel:
            return await main(kernel)

    return asyncio.run(inside())
