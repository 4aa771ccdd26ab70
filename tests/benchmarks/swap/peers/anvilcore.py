"""anvilcore: a capability that is reinstalled; callers hold a lease during a call.

The README of its distribution (``PluginManager.install`` and ``unload``, effects with their disposers) and the
docstrings of ``anvilcore.manager.PluginManager.reinstall`` (the old generation is retired, keeps serving calls in
flight, and disposes itself when they have left) and ``anvilcore.capability.Capability`` (``acquire`` returns False for
a generation that is retired; the caller should go to the current one).
"""

from __future__ import annotations

from typing import Any

from anvilcore import CapabilityDescriptor, PluginManager, PluginScope

from tests.benchmarks.swap.load import Refused
from tests.benchmarks.swap.work import CALL, Provider


class Capability:
    """What the factory makes: it opens when it is installed, and gives up the way to close it in the same moment."""

    def __init__(self, scope: PluginScope, provider: Provider) -> None:
        self.scope = scope
        self.provider = provider

    async def install(self) -> None:
        """Open the provider."""
        await self.provider.open()
        self.scope.own("provider", self.provider.close)


class Peer:
    """A call that finds a retired generation is refused: to try again would be the caller's own work."""

    def __init__(self) -> None:
        self._manager = PluginManager()
        self._next: Provider | None = None

    def _make(self, scope: PluginScope) -> Capability:
        assert self._next is not None
        return Capability(scope, self._next)

    async def start(self, first: Provider) -> None:
        """Install the first generation."""
        self._next = first
        self._manager.register(CapabilityDescriptor(id="work", version="1", factory=self._make))
        await self._manager.install("work")

    async def call(self, seconds: float = CALL) -> str:
        """Take a lease of the current generation, call, give the lease back."""
        capability = self._manager.get("work").instance
        scope: Any = capability.scope if capability is not None else None
        if scope is None or not scope.acquire():
            raise Refused("the capability is being reinstalled")
        try:
            answer: str = await capability.instance.provider.work(seconds)
            return answer
        finally:
            scope.release()

    async def swap(self, new: Provider) -> None:
        """Reinstall: the old generation closes by itself when its calls have left."""
        self._next = new
        await self._manager.reinstall("work")

    async def stop(self) -> None:
        """Unload it."""
        await self._manager.unload("work")
