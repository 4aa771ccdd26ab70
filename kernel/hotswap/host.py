"""What a kernel consists of, how it comes up and how it goes down."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Self

from anyio.lowlevel import checkpoint_if_cancelled

from hotswap.boot import Backoff, Boot
from hotswap.catalog import discover
from hotswap.changes import Changes
from hotswap.clock import Ticking
from hotswap.collecting import ComingUp
from hotswap.errors import KernelInUse, KernelNotRunning, PortUnfilled, TeardownFailed
from hotswap.failover import Failover
from hotswap.health_watch import Timer
from hotswap.hooks import Hooks
from hotswap.keeper import to_the_end
from hotswap.lifecycle import Lifecycle
from hotswap.planner import Planner
from hotswap.port_directory import PortDirectory
from hotswap.portal import Portal
from hotswap.report import Report
from hotswap.settings import Settings
from hotswap.trials import Trials
from hotswap.watching import Watch
from hotswap.wiring import Wiring
from hotswap_ports import Port
from hotswap_ports.methods import port_methods


class _Methods(Mapping[str, list[str]]):
    """The async methods of each port, read when somebody asks for them."""

    def __init__(self, ports: PortDirectory) -> None:
        self._ports = ports

    def __getitem__(self, port: str) -> list[str]:
        return [each.name for each in port_methods(self._ports.get(port)) if each.kind != "sync"]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ports.names())

    def __len__(self) -> int:
        return len(self._ports.names())


class Host:
    """The parts of one kernel. It lives on the event loop that entered it; arguments as for ``Kernel``."""

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
        self._ports = PortDirectory(ports, self._environ)
        self._hooks = Hooks(_Methods(self._ports))
        self._wiring = Wiring(self._settings.selected, self._hooks)
        self._lifecycle = Lifecycle(self._ports, self._wiring, self._hooks, self._environ)
        self._changes: Changes | None = None
        self._boot: Boot | None = None
        self._trials: Trials | None = None
        self._backoff = backoff
        self._failover: Failover | None = None
        self._timer = timer
        self._closing = False
        self._watches: list[Watch] = []
        self._ticking = Ticking()
        self._coming_up = ComingUp()
        self._portal = Portal()

    async def __aenter__(self) -> Self:
        if self._changes is not None or self._closing:
            raise KernelInUse
        self._ticking.start()
        await checkpoint_if_cancelled()  # anyio loads its backend now, and not in the middle of the first swap
        self._wiring.restart(self._settings.selected)
        self._lifecycle.notes.clear()
        self._coming_up.begin()
        try:
            await self._come_up()
        except BaseException:
            self._coming_up.end()
            raise
        self._coming_up.end_soon()
        return self

    async def _come_up(self) -> None:
        catalog = discover(self._settings, environ=self._environ)
        self._changes = Changes(self._settings, Planner(catalog, self._ports), self._lifecycle)
        self._wiring.unfilled = partial(_unfilled, self._changes, self._ports)
        self._boot = Boot(self._changes, self._lifecycle, self._backoff)
        self._portal.open()
        self._trials = Trials(self._changes)
        try:
            await self._boot.start()
            self._failover = Failover(self._changes, self._lifecycle, self._timer)
            self._failover.start()
            await self._hooks.fire("on_startup")
        except BaseException as error:
            await self._leave(error)
            raise

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
        self._coming_up.end()
        errors = await to_the_end(self._close())
        if errors and error is None:
            raise TeardownFailed(errors)
        if errors and error is not None:
            error.add_note(str(TeardownFailed(errors)))

    async def _close(self) -> list[Exception]:
        boot, changes, trials, failover = self._boot, self._changes, self._trials, self._failover
        self._boot = self._changes = self._trials = self._failover = None
        if boot is None or changes is None or trials is None:
            return []
        self._closing = True
        try:
            await self._portal.leave()
            for each in self._watches:
                await each.stop()
            self._watches.clear()
            trials.close()
            if failover is not None:
                await failover.stop()
            await boot.stop()
            await changes.finish()
            await trials.finish()
            errors = await self._lifecycle.close([each.id for each in changes.solution.plugins])
            self._wiring.slots.clear(KernelNotRunning("it was left"))
            self._wiring.unfilled = PortUnfilled
            return errors
        finally:
            self._ticking.stop()
            await self._portal.close()
            self._closing = False

    @property
    def _running(self) -> Changes:
        if self._changes is None:
            raise KernelNotRunning("it was not entered yet, or was left already")
        return self._changes

    @property
    def _report(self) -> Report:
        return Report(self._running, self._lifecycle, self._ports, {} if self._trials is None else self._trials.all())


def _unfilled(changes: Changes, ports: PortDirectory, port: str) -> PortUnfilled:
    return Report(changes, changes.lifecycle, ports).unfilled(port)
