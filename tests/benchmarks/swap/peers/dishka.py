"""dishka: an object of ``Scope.APP`` with finalization, in a container that is replaced.

https://dishka.readthedocs.io/en/stable/advanced/testing/index.html ("a container itself cannot be adjusted after
creation") and https://dishka.readthedocs.io/en/stable/container/index.html (``close`` finalizes what generators made).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from dishka import AsyncContainer, Scope, make_async_container
from dishka import Provider as Recipes

from tests.benchmarks.swap.work import CALL, Provider


def container_of(provider: Provider, *, is_open: bool) -> AsyncContainer:
    """Return a container that opens ``provider`` when it is first asked for it, and closes it when it is closed."""

    async def opened() -> AsyncIterator[Provider]:
        if not is_open:
            await provider.open()
        yield provider
        provider.close()

    recipes = Recipes(scope=Scope.APP)
    recipes.provide(opened, provides=Provider)
    return make_async_container(recipes)


class Peer:
    """The new container is made and asked before the old one is closed."""

    async def start(self, first: Provider) -> None:
        """Make the first container."""
        self._container = container_of(first, is_open=True)
        await self._container.get(Provider)

    async def call(self, seconds: float = CALL) -> str:
        """Ask the container, then call."""
        return await (await self._container.get(Provider)).work(seconds)

    async def swap(self, new: Provider) -> None:
        """Make a container for the new one, put it in the place of the old one, and close that."""
        coming = container_of(new, is_open=False)
        await coming.get(Provider)
        old, self._container = self._container, coming
        await old.close()

    async def stop(self) -> None:
        """Close the container."""
        await self._container.close()
