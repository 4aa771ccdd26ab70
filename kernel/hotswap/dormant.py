"""Plugins that are enabled and not open: the first call that needs one opens it.

A dormant plugin is in force like any other: its providers have their names, are selected, and are led to. What they
lead to is a stand-in that has the plugin opened and then makes the call where its slot leads by then. Calls that come
together share one opening.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from hotswap.catalog import Found
from hotswap.errors import HotswapError, NotOpenYet
from hotswap.generation import Generation, Provider
from hotswap.loader import Loaded
from hotswap.manifest import Manifest
from hotswap.slots import Slot
from hotswap_ports import NotReady, Port

Wake = Callable[[str], Awaitable[None]]


class Dormant:
    """One plugin that is not open yet.

    Args:
        load: imports its code, for those who ask what an adapter is without calling it.
    """

    def __init__(self, found: Found, manifest: Manifest, load: Callable[[], Loaded]) -> None:
        self.found = found
        self.manifest = manifest
        self.loaded: Loaded | None = None
        self._load = load
        self.generations: list[Generation] = []
        for each in manifest.provides:
            provider = Provider(each.port, each.name, found.id, manifest.raw_version)
            nobody: Any = None  # never called: each slot that leads here gets a stand-in of its own
            self.generations.append(Generation(provider, nobody, 0))

    @property
    def id(self) -> str:
        """Return the plugin's id."""
        return self.found.id

    def adapter(self, port: str, name: str) -> type[Port]:
        """Return the class of one of its adapters; its code is imported for that, and nothing is opened."""
        if self.loaded is None:
            self.loaded = self._load()
        return next(cls for each, cls in self.loaded.adapters.items() if (each.port, each.name) == (port, name))


class Asleep:
    """The policy of a slot that leads to a dormant plugin.

    Args:
        onward: a plain handle of the slot, by which calls go on when the plugin is open.
    """

    def __init__(self, dormant: Dormant, generation: Generation, wake: Wake, slot: Slot, onward: Port) -> None:
        self._dormant = dormant
        self._slot = slot
        self._provider = generation.provider
        self._onward = onward
        self._wake = wake

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        await self._awake()
        return await invoke(self._onward)

    async def stream(
        self, method: str, invoke: Callable[[Any], AsyncIterator[Any]], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        await self._awake()
        items: Any = invoke(self._onward)
        async with aclosing(items):
            async for item in items:
                yield item

    async def _awake(self) -> None:
        """Have the plugin opened. Where that fails and another provider serves the slot now, that one gets the call."""
        try:
            await self._wake(self._dormant.id)
        except (HotswapError, NotReady):
            if not self._slot.filled:
                raise

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
