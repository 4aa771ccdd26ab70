"""One plugin, opened without a kernel, with mocks in the place of what it needs."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from attrs import evolve

from hotswap.errors import CallInvalid, KernelInUse, KernelNotRunning, PortUnknown, TeardownFailed
from hotswap.generation import Generation, Provider
from hotswap.hooks import HookOutcome, Hooks
from hotswap.lifecycle import Lifecycle
from hotswap.manifest import Manifest
from hotswap.plan import Plan, Step
from hotswap.port_directory import PortDirectory
from hotswap.residue import Residue, watching
from hotswap.testing.location import find_plugin
from hotswap.testing.run import Run
from hotswap.testing.surroundings import MOCKS, port_named, settings_for, solved, stand_ins
from hotswap.testing.time import ManualTime
from hotswap.trust import Grant
from hotswap.wiring import Wiring
from hotswap_ports import Health, Port, ProgressEvent, Tool, ToolResult, Usage, Workflow, WorkflowResult
from hotswap_ports.errors import WrongTest
from hotswap_ports.methods import port_methods
from hotswap_ports.testing import Call, Mock, MockAI
from hotswap_ports.testing.mocks import tokens_of

P = TypeVar("P", bound=Port)
R = TypeVar("R")


class PluginHarness:
    """Opens one plugin, and closes it at the end of the block: ``async with PluginHarness("my-plugin") as harness:``.

    It is opened as a kernel opens it: settings are checked, what it says of the host, of Python, of distributions and
    of ports has to fit, constructors are given what they ask for, ``initialize``, ``start`` and ``health`` run; at the
    end its calls leave, then ``stop``, ``cleanup`` and the exit stack. A mock serves each port that its manifest
    requires, and ``storage`` and ``ai`` where it may use its context's. The plugins that it depends on are not opened.
    What it left behind when it was closed fails the test; what the test itself holds or has made does not.

    Args:
        plugin: its folder, its ``plugin.toml``, the root of its distribution, or the id of one that is installed.
        config: its settings, as they stand in ``hotswap.toml``.
        mocks: adapters in the place of the usual mocks, by port; None leaves a port empty.
        trust: how far it is trusted.
        grants: as under ``[grants.<id>]`` in ``hotswap.toml``.
        environ: the environment that its ``env_vars`` are read from.
        ports: port classes of one's own; those among ``mocks`` need not be said again.
        now: what the clock on the wall says while the plugin is open: it stands still until ``advance`` moves it on.
        seed: of the functions of the module ``random``, whose state is put back at the end.
        timeout: seconds that each step of opening and closing may take, and calls to leave.
        residue: whether to look for what it leaves behind.

    Raises:
        PluginNotFound, PluginAmbiguous, ManifestInvalid: there is no such plugin, more than one, or it is not valid.
        SettingsInvalid, CallInvalid: an argument is not what it should be.
        HotswapError, NotReady: it could not be opened, as a kernel would say it.
        TeardownFailed: it did not close cleanly.
        WrongTest: a mock was asked for what no rule answers, or a cassette for what is not on it.
        AssertionError: it left something behind.
    """

    def __init__(
        self,
        plugin: str | os.PathLike[str],
        *,
        config: Mapping[str, Any] | None = None,
        mocks: Mapping[type[Port], Port | None] | None = None,
        trust: str = "verified",
        grants: Mapping[str, Grant] | None = None,
        environ: Mapping[str, str] | None = None,
        ports: Iterable[type[Port]] = (),
        now: datetime | None = None,
        seed: int | None = None,
        timeout: float = 10.0,
        residue: bool = True,
    ) -> None:
        if not isinstance(plugin, str | os.PathLike):
            raise CallInvalid("PluginHarness", "a plugin's folder, its plugin.toml, or the id of one installed", plugin)
        self._given = {port_named("PluginHarness(mocks=...)", each): mock for each, mock in (mocks or {}).items()}
        self._ports = PortDirectory({*ports, *self._given})
        self.found = find_plugin(plugin)
        self.manifest: Manifest = self.found.manifest
        self._settings = settings_for(self.id, timeout, config=config, trust=trust, grants=grants)
        methods = {each.PORT: [m.name for m in port_methods(each) if m.kind != "sync"] for each in self._ports}
        self.hooks = Hooks(methods)
        self._wiring = Wiring({}, self.hooks)
        self._life = Lifecycle(self._ports, self._wiring, self.hooks, environ or {})
        self._life.drain_timeout = timeout
        self._time = ManualTime(now)
        self._seed = seed
        self._random_state: object = None
        self._watch = watching(self._life, self.id, excused=lambda holder: type(holder) is Call) if residue else None
        self._mocks: dict[str, Port] = {}
        self._is_open = False

    @property
    def id(self) -> str:
        """Return the plugin's id."""
        return self.found.id

    async def __aenter__(self) -> Self:
        if self._is_open:
            raise KernelInUse
        if self._watch is not None:
            await self._watch.__aenter__()
        self._is_open = True
        try:
            self._time.start()
            if self._seed is not None:
                self._random_state = random.getstate()
                random.seed(self._seed)
            self._put_mocks()
            await self._open()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        errors = await self._life.close([self.id])
        await self._end()
        failed = TeardownFailed(errors) if errors else None
        if error is not None:
            if failed is not None:
                error.add_note(str(failed))
            return
        for each in self.calls:  # whoever called may have taken it for a failure like any other
            if isinstance(each.error, WrongTest):
                raise each.error
        if failed is not None:
            raise failed
        if self._watch is not None:
            left = await self._watch.residue()
            if left:
                raise AssertionError(_told(left))

    async def _end(self) -> None:
        self._is_open = False
        if self._watch is not None:
            await self._watch.__aexit__()
        self._time.stop()
        if self._random_state is not None:
            random.setstate(cast("Any", self._random_state))

    def _put_mocks(self) -> None:
        """Put in force what serves each port that the plugin may ask for."""
        for port, adapter in stand_ins(self.manifest, self._given, self._ports):
            self._mocks[port.PORT] = adapter
            generation = Generation(Provider(port.PORT, MOCKS, MOCKS, port.VERSION), adapter, 0)
            self._wiring.switch([port], [generation], [])

    async def _open(self) -> None:
        solution = solved(self.manifest, self._ports)
        step = Step("start", self.id, after=self.manifest.raw_version, reason="it is tested")
        plan = Plan((step,), solution, self._settings, {}, _providers(self._wiring, self._ports, self.manifest), 0)
        await self._life.apply(plan, {self.id: self.found})
        await self._life.tell(self._life.take_news())

    def keep_quiet(self) -> None:
        """Do not look for what is left: the test has failed, and whoever reports it holds what it was about."""
        self._watch = None

    def _open_for(self, what: str) -> None:
        if not self._is_open:
            hint = "Use it inside `async with PluginHarness(...) as harness:`."
            raise KernelNotRunning(f"the harness of {self.id} is not open, so there is no {what}", hint)

    def get(self, port: Callable[..., P], name: str | None = None) -> P:
        """Return the live handle of what the plugin provides for a port; ``name`` where it has more than one.

        Raises:
            PortUnknown: it provides nothing for that port.
            ProviderNotFound: it provides nothing of that name.
        """
        asked = port_named("get", port)
        self._open_for(f"{asked.PORT} to get")
        names = [each.name for each in self.manifest.provides if each.port == asked.PORT]
        if not names:
            raise PortUnknown(asked.PORT, [each.port for each in self.manifest.provides], where="which was asked for")
        return cast("P", self._wiring.handle(asked, name or names[0]))

    def mock(self, port: Callable[..., P]) -> Any:
        """Return what stands in for a port that the plugin needs: a ``Mock``, unless the test gave something else.

        Raises:
            PortUnknown: it needs no such port.
            KernelNotRunning: it was never opened.
        """
        asked = port_named("mock", port)
        if not self._mocks:
            self._open_for("mock")
        try:
            return self._mocks[asked.PORT]
        except KeyError:
            raise PortUnknown(asked.PORT, self._mocks, where=f"which {self.id} requires") from None

    @property
    def calls(self) -> tuple[Call, ...]:
        """Return what the plugin asked of all mocks, in the order in which the calls began."""
        made = [each for mock in self._mocks.values() if isinstance(mock, Mock) for each in mock.calls()]
        return tuple(sorted(made, key=lambda each: each.begun))

    @property
    def tokens(self) -> Usage:
        """Return what the plugin used of the mocked AI."""
        ai = self._mocks.get("ai")
        return ai.tokens if isinstance(ai, MockAI) else Usage()

    async def advance(self, seconds: float) -> None:
        """Let time pass for the plugin and its mocks: what waits goes on when it is due, one timer after the other.

        The clock of the event loop is moved on, and stays ahead; the one on the wall too, where ``now`` was given.
        ``time.monotonic`` is not. A time limit that the test itself has set goes off as well.

        Raises:
            CallInvalid: ``seconds`` is below 0.
        """
        await self._time.advance(seconds)

    async def health(self) -> Health:
        """Ask the plugin how it is."""
        self._open_for("health")
        return await self._life.instances[self.id].health()

    async def fire(self, point: str, data: Mapping[str, Any] | None = None) -> HookOutcome:
        """Let what happens at a hook point happen: the plugin's handlers there are called.

        Raises:
            HookAborted: one of them returned Abort.
            HookInvalid: there is no such point, or it belongs to the calls of a port: make such a call instead.
        """
        self._open_for("hook")
        return await self.hooks.fire(point, data)

    def fired(self, point: str) -> int:
        """Return how often handlers of the plugin have run at a point: ``pre_storage_write``, ``post_ai.complete``.

        Raises:
            HookInvalid: there is no such point.
        """
        self.hooks.points.targets(point)
        count = self.hooks.record.counts.get((point, self.id))
        return 0 if count is None else count.calls

    async def run(
        self, inputs: Mapping[str, Any] | None = None, name: str | None = None, /, **named: Any
    ) -> Run[WorkflowResult]:
        """Run the workflow that the plugin provides, and return what came of it.

        Args:
            inputs: by name; more of them may follow as keywords.
            name: which workflow, where the plugin provides more than one.

        Raises:
            PortUnknown, ProviderNotFound: it provides no workflow, or none of that name.
        """
        progress: list[ProgressEvent] = []
        workflow = self.get(Workflow, name)
        run = await self._noted(workflow.run({**(inputs or {}), **named}, progress=progress.append))
        return evolve(run, progress=tuple(progress))

    async def call(
        self, arguments: Mapping[str, Any] | None = None, name: str | None = None, /, **named: Any
    ) -> Run[ToolResult]:
        """Call the tool that the plugin provides, and return what came of it: ``await harness.call({}, "sum", a=1)``.

        Args:
            arguments: by name; more of them may follow as keywords.
            name: which tool, where the plugin provides more than one.

        Raises:
            PortUnknown, ProviderNotFound: it provides no tool, or none of that name.
        """
        return await self._noted(self.get(Tool, name).call({**(arguments or {}), **named}))

    async def _noted(self, work: Awaitable[R]) -> Run[R]:
        """Return what came of work, with the calls that were made and the tokens that were used meanwhile."""
        before = len(self.calls)
        result = await work
        made = self.calls[before:]
        return Run(result, calls=made, tokens=tokens_of(made) if isinstance(self._mocks.get("ai"), MockAI) else Usage())


def _providers(wiring: Wiring, ports: PortDirectory, manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """Return the names of what there will be, by port."""
    names = {each.PORT: tuple(wiring.providers(each.PORT)) for each in ports}
    for each in manifest.provides:
        names[each.port] = (*names.get(each.port, ()), each.name)
    return names


def _told(left: Residue) -> str:
    return "\n".join(f"{each} {each.hint}" for each in left)
