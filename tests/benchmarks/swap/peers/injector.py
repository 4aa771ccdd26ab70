"""dependency-injector by itself: a ``Resource`` with an async initializer, overridden by another.

https://python-dependency-injector.ets-labs.org/providers/overriding.html (``override``: the last one passed is used)
and https://python-dependency-injector.ets-labs.org/providers/resource.html (async initializers; ``shutdown`` ends the
generator, whose second half closes).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from dependency_injector import containers, providers

from tests.benchmarks.swap.work import CALL, Provider


async def opened(provider: Provider) -> AsyncIterator[Provider]:
    """Open a provider, and close it when the resource is shut down."""
    if not provider.calls:
        await provider.open()
    yield provider
    provider.close()


class Container(containers.DeclarativeContainer):
    """The application's container."""

    work = providers.Resource(opened, Provider)


class Peer:
    """Callers ask the container at each call, or they would keep the old object for ever."""

    def __init__(self) -> None:
        self._container = Container()
        self._work: Any = self._container.work
        self._current: Any = None

    async def start(self, first: Provider) -> None:
        """Initialize the first resource."""
        self._current = providers.Resource(opened, first)
        self._container.work.override(self._current)
        await self._current.init()

    async def call(self, seconds: float = CALL) -> str:
        """Ask the container, then call."""
        provider: Any = await self._work()
        answer: str = await provider.work(seconds)
        return answer

    async def swap(self, new: Provider) -> None:
        """Initialize the new resource, override with it, shut the old one down."""
        old, self._current = self._current, providers.Resource(opened, new)
        await self._current.init()
        self._container.work.override(self._current)
        await old.shutdown()

    async def stop(self) -> None:
        """Shut down."""
        await self._current.shutdown()
        self._container.work.reset_override()
