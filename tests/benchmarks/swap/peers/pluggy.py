"""pluggy: a hook with ``firstresult``, whose implementation is unregistered and registered.

https://pluggy.readthedocs.io/en/stable/ (specs, "first result only", call order: last registered first) and
https://pluggy.readthedocs.io/en/stable/api_reference.html (``register``, ``unregister``, ``parse_hookimpl_opts``,
``load_setuptools_entrypoints``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from types import FunctionType
from typing import Any

import pluggy

from tests.benchmarks.swap.graph import METHODS, Graph
from tests.benchmarks.swap.work import CALL, Provider

hookspec = pluggy.HookspecMarker("bench")
hookimpl = pluggy.HookimplMarker("bench")


class Spec:
    """The hook."""

    @hookspec(firstresult=True)
    def work(self, seconds: float) -> Awaitable[str]:
        """Return what is awaited for the answer."""
        raise NotImplementedError


class Plugin:
    """An implementation of the hook by a provider."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    @hookimpl
    def work(self, seconds: float) -> Awaitable[str]:
        """Call the provider."""
        return self.provider.work(seconds)


class Peer:
    """The new plugin is registered before the old one is unregistered: no call finds nobody."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("bench")
        self._manager.add_hookspecs(Spec)
        self._plugin: Plugin | None = None

    async def start(self, first: Provider) -> None:
        """Register the first one."""
        self._register(first)

    async def call(self, seconds: float = CALL) -> str:
        """Call the hook."""
        answer: str = await self._manager.hook.work(seconds=seconds)
        return answer

    async def swap(self, new: Provider) -> None:
        """Register the new one, unregister the old one, close it."""
        await new.open()
        old = self._plugin
        self._register(new)
        if old is not None:
            self._manager.unregister(old)
            old.provider.close()

    def _register(self, provider: Provider) -> None:
        self._plugin = Plugin(provider)
        self._manager.register(self._plugin)

    async def stop(self) -> None:
        """Unregister what is left."""
        self._manager.unregister(self._plugin)


class HookSpec:
    """The hook around the call: all implementations answer."""

    @hookspec
    def before(self, seconds: float) -> Awaitable[None]:
        """Return what is awaited before the call."""
        raise NotImplementedError


class Handler:
    """An implementation that awaits nothing."""

    @hookimpl
    async def before(self, seconds: float) -> None:
        """Do nothing."""


class Answering:
    """An implementation of the call that answers at once."""

    @hookimpl
    async def work(self, seconds: float) -> str:
        """Return a constant."""
        return "answer"


class Hooked:
    """A call with handlers before it: what every implementation returns is awaited in turn, then the call is made."""

    def __init__(self, handlers: int) -> None:
        self._manager = pluggy.PluginManager("bench")
        self._manager.add_hookspecs(Spec)
        self._manager.add_hookspecs(HookSpec)
        self._manager.register(Answering())
        for _ in range(handlers):
            self._manager.register(Handler())

    async def call(self, seconds: float = CALL) -> str:
        """Call the handlers, then the hook."""
        for each in self._manager.hook.before(seconds=seconds):
            await each
        answer: str = await self._manager.hook.work(seconds=seconds)
        return answer


class Wrapper:
    """A wrapper around the implementation: pluggy's own way to act before and after it."""

    @hookimpl(wrapper=True)
    def work(self, seconds: float) -> Generator[None, Awaitable[str], Awaitable[str]]:
        """Do nothing around it."""
        return (yield)


class Wrapped(Hooked):
    """A call with wrappers around it, which are no coroutines: they see what will be awaited, and not its end."""

    def __init__(self, wrappers: int) -> None:
        super().__init__(0)
        for _ in range(wrappers):
            self._manager.register(Wrapper())

    async def call(self, seconds: float = CALL) -> str:
        """Call the hook."""
        answer: str = await self._manager.hook.work(seconds=seconds)
        return answer


class Hub:
    """A plugin for each number of a graph, a hook for each method; who depends on another calls its hooks."""

    def __init__(self, graph: Graph) -> None:
        self._manager = pluggy.PluginManager("bench")
        self._hub = graph.hub
        for number in graph.needs:
            self._manager.add_hookspecs(_spec(number))
            self._manager.register(_plugin(number), name=f"plugin-{number}")

    def swap(self) -> None:
        """Unregister the hub's plugin and register another."""
        self._manager.unregister(name=f"plugin-{self._hub}")
        self._manager.register(_plugin(self._hub), name=f"plugin-{self._hub}")

    def stop(self) -> None:
        """Nothing has to be taken down."""


def _spec(number: int) -> type:
    def work(self: object, key: str) -> Awaitable[str]:
        raise NotImplementedError

    mark = hookspec(firstresult=True)
    return type(f"Spec{number}", (), {f"{each}_{number}": mark(_copy(work)) for each in METHODS})


def _plugin(number: int) -> object:
    async def work(self: object, key: str) -> str:
        return f"plugin-{number}"

    return type(f"Plugin{number}", (), {f"{each}_{number}": hookimpl(_copy(work)) for each in METHODS})()


def _copy(function: FunctionType) -> FunctionType:
    return FunctionType(function.__code__, function.__globals__, None, function.__defaults__, function.__closure__)


class Booting(pluggy.PluginManager):
    """Takes every method ``fetch`` for an implementation, so that it can load what other libraries load too."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        """Return options for ``fetch``, and None for anything else."""
        return {} if name == "fetch" else None


class Fetch:
    """The hook."""

    @hookspec(firstresult=True)
    def fetch(self, key: str) -> Awaitable[str]:
        """Return what is awaited for the answer."""
        raise NotImplementedError


def boot(plugins: int) -> Callable[[], Callable[[], int]]:
    """Return what loads the entry points; the classes they name are registered as they are: nothing is constructed."""

    def load() -> Callable[[], int]:
        manager = Booting("bench")
        manager.add_hookspecs(Fetch)
        loaded = manager.load_setuptools_entrypoints("bench.plugins")
        return lambda: loaded

    return load
