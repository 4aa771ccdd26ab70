"""One plugin, opened without a kernel, with mocks in the place of what it needs."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from attrs import evolve

from hotswap.catalog import Found, discover
from hotswap.errors import PluginNotFound, PortUnknown
from hotswap.generation import Generation, Provider
from hotswap.hooks import HookOutcome, Hooks
from hotswap.lifecycle import Lifecycle
from hotswap.manifest import Manifest
from hotswap.plan import Plan, Step
from hotswap.port_directory import PortDirectory
from hotswap.residue import Residue, watching
from hotswap.resolver.model import Solution
from hotswap.settings import Settings
from hotswap.testing.run import Run
from hotswap.trust import Grant, Trust
from hotswap.wiring import Wiring
from hotswap_ports import Health, Port, ProgressEvent, Tool, ToolResult, Usage, Workflow, WorkflowResult
from hotswap_ports.methods import port_methods
from hotswap_ports.testing import Call, Mock, MockAI, mock_of, mocks
from hotswap_ports.testing.mocks import tokens_of

P = TypeVar("P", bound=Port)
R = TypeVar("R")


class PluginHarness:
    """Opens one plugin, and closes it at the end of the block: ``async with PluginHarness("my-plugin") as harness:``.

    It is opened as a kernel opens it: settings are checked, constructors are given what they ask for, ``initialize``,
    ``start`` and ``health`` run; at the end ``stop``, ``cleanup`` and the exit stack. A mock serves each port that its
    manifest requires, and ``storage`` and ``ai`` where it may use its context's. What it left behind when it was
    closed fails the test.

    Args:
        plugin: its folder, its ``plugin.toml``, or the id of one that is installed.
        config: its settings, as they stand in ``hotswap.toml``.
        mocks: adapters in the place of the usual mocks, by port; None leaves a port empty.
        trust: how far it is trusted.
        grants: as under ``[grants.<id>]`` in ``hotswap.toml``.
        environ: the environment that its ``env_vars`` are read from.
        ports: port classes of one's own.
        clock: seconds, for delays and limits of the mocks.
        seed: of the module ``random``, whose state is put back at the end.
        residue: whether to look for what it leaves behind.

    Raises:
        PluginNotFound, ManifestInvalid: there is no such plugin, or it is not valid.
        HotswapError, NotReady: it could not be opened, as a kernel would say it.
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
        clock: Callable[[], float] | None = None,
        seed: int | None = None,
        residue: bool = True,
    ) -> None:
        self._ports = PortDirectory(ports)
        self.found = find_plugin(plugin)
        self.manifest: Manifest = self.found.manifest
        self._settings = Settings(
            enabled=(self.id,),
            config={self.id: dict(config or {})},
            trust={self.id: Trust.parse(trust)},
            grants={self.id: dict(grants or {})},
        )
        methods = {each.PORT: [m.name for m in port_methods(each) if m.kind != "sync"] for each in self._ports}
        self.hooks = Hooks(methods)
        self._wiring = Wiring({}, self.hooks)
        self._life = Lifecycle(self._ports, self._wiring, self.hooks, environ or {})
        self._given = {port.PORT: adapter for port, adapter in (mocks or {}).items()}
        self._clock = clock
        self._seed = seed
        self._random_state: object = None
        self._watch = watching(self._life, self.id) if residue else None
        self._mocks: dict[str, Port] = {}

    @property
    def id(self) -> str:
        """Return the plugin's id."""
        return self.found.id

    async def __aenter__(self) -> Self:
        if self._seed is not None:
            self._random_state = random.getstate()
            random.seed(self._seed)
        if self._watch is not None:
            await self._watch.__aenter__()
        try:
            self._put_mocks()
            await self._open()
        except BaseException as error:
            await self._end(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        errors = await self._life.close([self.id])
        await self._end(kind, error, trace)
        if error is not None:
            return
        if errors:
            raise ExceptionGroup(f"{self.id} did not close cleanly", errors)
        if self._watch is not None:
            for each in self.calls:  # an error that a mock has noted came through frames of the plugin
                if each.error is not None:
                    each.error.__traceback__ = None
            left = await self._watch.residue()
            if left:
                raise AssertionError(_told(left))

    async def _end(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            await self._watch.__aexit__(kind, error, trace)
        if self._random_state is not None:
            random.setstate(cast("Any", self._random_state))

    def _put_mocks(self) -> None:
        """Put a mock in force for each port that the plugin may ask for."""
        capabilities = self.manifest.capabilities
        of_context = {"storage": capabilities.storage_access, "ai": capabilities.llm_access}
        wanted = [*(each.port for each in self.manifest.requires), *(name for name in of_context if of_context[name])]
        for name in dict.fromkeys([*wanted, *self._given]):
            port = self._ports.get(name, where=f"which {self.id} requires")
            adapter: Any = self._given[name] if name in self._given else _mock(port)
            if adapter is None:
                continue
            if isinstance(adapter, Mock) and self._clock is not None:
                adapter.timing(self._clock)
            self._mocks[name] = adapter
            generation = Generation(Provider(name, "mock", "mock", port.VERSION), adapter, 0)
            self._wiring.switch([port], [generation], [])

    async def _open(self) -> None:
        step = Step("start", self.id, after=self.manifest.raw_version, reason="it is tested")
        plan = Plan((step,), Solution(()), self._settings, {}, _providers(self._wiring, self._ports, self.manifest), 0)
        await self._life.apply(plan, {self.id: self.found})
        await self._life.tell(self._life.take_news())

    def get(self, port: Callable[..., P], name: str | None = None) -> P:
        """Return the live handle of what the plugin provides for a port; ``name`` where it has more than one.

        Raises:
            PortUnknown: it provides nothing for that port.
            ProviderNotFound: it provides nothing of that name.
        """
        asked = cast("type[Port]", port)
        names = [each.name for each in self.manifest.provides if each.port == asked.PORT]
        if not names:
            raise PortUnknown(asked.PORT, [each.port for each in self.manifest.provides], where="which was asked for")
        return cast("P", self._wiring.handle(asked, name or names[0]))

    def mock(self, port: Callable[..., P]) -> Any:
        """Return what stands in for a port that the plugin needs: a ``Mock``, unless the test gave something else.

        Raises:
            PortUnknown: it needs no such port.
        """
        asked = cast("type[Port]", port)
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

    async def health(self) -> Health:
        """Ask the plugin how it is."""
        return await self._life.instances[self.id].health()

    async def fire(self, point: str, data: Mapping[str, Any] | None = None) -> HookOutcome:
        """Let what happens at a hook point happen: the plugin's handlers there are called.

        Raises:
            HookAborted: one of them returned Abort.
            HookInvalid: there is no such point, or it belongs to the calls of a port: make such a call instead.
        """
        return await self.hooks.fire(point, data)

    def fired(self, point: str) -> int:
        """Return how often handlers of the plugin have run at a point: ``pre_storage_write``, ``post_ai.complete``."""
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


def find_plugin(plugin: str | os.PathLike[str]) -> Found:
    """Return a plugin by its folder, or by its id."""
    path = Path(plugin)
    is_path = isinstance(plugin, os.PathLike) or path.exists() or os.sep in str(plugin)
    settings = Settings(enabled=(), paths=(path,) if is_path else ())
    catalog = discover(settings, environ={**os.environ, "HOTSWAP_CACHE": "off"})
    for each in catalog.problems if is_path else ():
        if Path(path).absolute() in (each.path, each.path.parent):
            raise each.error
    if not is_path:
        return catalog.get(str(plugin))
    here = [each for each in catalog if each.door == "path"]
    if len(here) != 1:
        raise PluginNotFound(str(plugin), [each.id for each in here], looked_in=[str(path)])
    return here[0]


def _mock(port: type[Port]) -> Any:
    usual = {each.mocked.PORT: each for each in (getattr(mocks, name) for name in mocks.__all__)}
    made: Any = usual.get(port.PORT)
    return made() if made is not None and made.mocked is port else mock_of(port, _Nothing(port))


class _Nothing:
    """The twin of a port that nobody has written one for: a rule has to answer."""

    def __init__(self, port: type[Port]) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        port = self._port
        rule = f'harness.mock({port.__name__}).on("{name}").answer(...)'
        raise AssertionError(f"nobody answers {port.PORT}.{name}: say {rule}, or give mocks={{{port.__name__}: ...}}")


def _providers(wiring: Wiring, ports: PortDirectory, manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """Return the names of what there will be, by port."""
    names = {each.PORT: tuple(wiring.providers(each.PORT)) for each in ports}
    for each in manifest.provides:
        names[each.port] = (*names.get(each.port, ()), each.name)
    return names


def _told(left: Residue) -> str:
    return "\n".join(f"{each} {each.hint}" for each in left)
