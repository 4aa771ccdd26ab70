"""wireup: an injectable that is overridden while the application runs.

https://maldoinc.github.io/wireup/latest/testing/ ("swap a dependency on the fly": ``container.override.set`` and
``delete``; "overriding only applies to future injections").
"""

from __future__ import annotations

import wireup

from tests.benchmarks.swap.work import CALL, Provider


@wireup.injectable
def first_provider() -> Provider:
    """Return what is overridden before anybody asks for it."""
    return Provider()


class Peer:
    """Callers ask the container at each call, or they would keep the old object for ever."""

    async def start(self, first: Provider) -> None:
        """Make the container, with ``first`` in force."""
        self._container = wireup.create_async_container(injectables=[first_provider])
        self._current = first
        self._container.override.set(Provider, new=first)

    async def call(self, seconds: float = CALL) -> str:
        """Ask the container, then call."""
        return await (await self._container.get(Provider)).work(seconds)

    async def swap(self, new: Provider) -> None:
        """Take the old override out and put the new one in, then close what it led to."""
        await new.open()
        self._container.override.delete(Provider)
        self._container.override.set(Provider, new=new)
        old, self._current = self._current, new
        old.close()

    async def stop(self) -> None:
        """Close the container."""
        await self._container.close()
        self._current.close()
