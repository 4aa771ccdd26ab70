"""Plugins that are enabled and not open: the first call that needs one opens it.

A dormant plugin is in force like any other: its providers have their names, are selected, and are led to. What they
lead to is a stand-in that has the plugin opened and then makes the call where its slot leads by then. Calls that come
together share one opening.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import aclosing
from typing import Any

from hotswap.errors import HoldTimeout, HotswapError, KernelNotRunning, NotOpenYet
from hotswap.found import Found
from hotswap.generation import Generation, Provider
from hotswap.loader import Loaded
from hotswap.manifest import Manifest
from hotswap.slots import Slot
from hotswap_ports import NotReady, Port

Wake = Callable[[str, str], Awaitable[None]]
"""Takes a plugin and what for."""
Coming = Callable[[Provider], Generation | None]


class Dormant:
    """One plugin that is not open yet.

    Args:
        load: imports its code, for those who ask what an adapter is without calling it.
    """

    __slots__ = ("_load", "found", "generations", "loaded")

    def __init__(self, found: Found, load: Callable[[Found], Loaded]) -> None:
        self.found = found
        self.loaded: Loaded | None = None
        self._load = load
        self.generations = [Resting(self, each) for each in found.provides]

    @property
    def id(self) -> str:
        """Return the plugin's id."""
        return self.found.id

    @property
    def manifest(self) -> Manifest:
        """Return the plugin's manifest; it is decoded for that."""
        return self.found.manifest

    def adapter(self, port: str, name: str) -> type[Port]:
        """Return the class of one of its adapters; its code is imported for that, and nothing is opened."""
        if self.loaded is None:
            self.loaded = self._load(self.found)
        return next(cls for each, cls in self.loaded.adapters.items() if (each.port, each.name) == (port, name))


class Resting(Generation):
    """What a provider of a dormant plugin is: a generation that is filled in when somebody looks at it."""

    __slots__ = ("dormant", "of")

    def __init__(self, dormant: Dormant, of: tuple[str, str]) -> None:
        self.dormant = dormant
        self.of = of
        """Port and name of the provider."""

    def __getattr__(self, name: str) -> Any:
        if name not in Generation.__slots__:
            raise AttributeError(name, name=name, obj=self)
        nobody: Any = None  # never called: each slot that leads here gets a stand-in of its own
        found = self.dormant.found
        value = getattr(Generation(Provider(*self.of, found.id, found.raw_version), nobody, 0), name)
        setattr(self, name, value)
        return value


class Sleepers(MutableMapping[str, Dormant]):
    """The dormant plugins of a kernel by id. One that nobody has asked for is no more than where it was found.

    Args:
        load: imports the code of one.
    """

    def __init__(self, load: Callable[[Found], Loaded]) -> None:
        self._load = load
        self._plugins: dict[str, Dormant | Found] = {}
        self.made: Callable[[Dormant], None] = lambda dormant: None
        """Told of each that is looked at for the first time."""

    def rest(self, founds: Mapping[str, Found]) -> None:
        """Take plugins in, by id."""
        self._plugins.update(founds)

    def found(self, plugin: str) -> Found | None:
        """Return where a dormant plugin was found; None for one that is not dormant."""
        known = self._plugins.get(plugin)
        return known.found if isinstance(known, Dormant) else known

    def __getitem__(self, plugin: str) -> Dormant:
        found = self._plugins[plugin]
        if isinstance(found, Dormant):
            return found
        dormant = self._plugins[plugin] = Dormant(found, self._load)
        self.made(dormant)
        return dormant

    def __setitem__(self, plugin: str, dormant: Dormant) -> None:
        self._plugins[plugin] = dormant

    def __delitem__(self, plugin: str) -> None:
        del self._plugins[plugin]

    def __contains__(self, plugin: object) -> bool:
        return plugin in self._plugins

    def __iter__(self) -> Iterator[str]:
        return iter(self._plugins)

    def __len__(self) -> int:
        return len(self._plugins)


class Asleep:
    """The policy of a slot that leads to a dormant plugin.

    Args:
        coming: returns what a change opens in a provider's place, for the calls that this change waits for.
        onward: a plain handle of the slot, by which calls go on when the plugin is open.
    """

    def __init__(self, resting: Resting, wake: Wake, coming: Coming, slot: Slot, onward: Port) -> None:
        self._coming = coming
        self._dormant = resting.dormant
        self._slot = slot
        self._provider = resting.provider
        self._onward = onward
        self._wake = wake

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        way = await self._way(method)
        return await (invoke(self._onward) if way is None else way.call(method, invoke))

    async def stream(
        self, method: str, invoke: Callable[[Any], AsyncIterator[Any]], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        way = await self._way(method)
        items: Any = invoke(self._onward) if way is None else way.stream(method, invoke)
        async with aclosing(items):
            async for item in items:
                yield item

    async def _way(self, method: str) -> Generation | None:
        """Have the plugin opened. Where that fails and another provider serves the slot now, that one gets the call.

        Return the generation that the call goes to; None: wherever its slot leads.
        """
        coming = self._coming(self._provider)
        if coming is not None:
            return coming
        try:
            await self._wake(self._dormant.id, f"{self._provider.port}.{method}")
        except (HoldTimeout, KernelNotRunning):
            raise
        except (HotswapError, NotReady):
            if not self._slot.filled:
                raise
        return None

    def target(self) -> Any:
        return _Class(self._dormant.adapter(self._provider.port, self._provider.name), self._provider)


class _Class:
    """What can be said of an adapter before there is one: what stands on its class."""

    def __init__(self, adapter: type[Port], provider: Provider) -> None:
        self._adapter = adapter
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._adapter, name, None)
        if value is None or callable(value) or hasattr(type(value), "__get__"):
            raise NotOpenYet(self._provider.plugin, f"{self._provider.port}.{name}")
        return value
