"""Calls that wait: their provider cannot be open twice and is just being replaced, or is not open yet."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from hotswap.errors import HoldTimeout
from hotswap.gate import Gate
from hotswap.generation import Generation
from hotswap.stuck import is_inside
from hotswap_ports import Port


class Hold(Gate):
    """What the calls to one generation wait for while it is drained, closed and replaced.

    When it is released they go on to wherever their slot leads by then.

    Args:
        held: the generation that is about to leave. A call that it makes to itself, from within a call that is inside
            it, goes through: to hold that would be to wait for ever.
        seconds: how long a call waits.
    """

    def __init__(self, held: Generation, seconds: float) -> None:
        super().__init__(seconds)
        self.held = held

    def within(self) -> bool:
        """Return whether the current call comes from inside the generation that is held."""
        return self.held.leases > 0 and is_inside(self.held)

    async def wait(self, method: str) -> None:
        """Wait for the release.

        Raises:
            HoldTimeout: it did not come in time.
        """
        if not await self.opens():
            raise HoldTimeout(f"{self.held.provider.port}.{method}", str(self.held.provider), self.seconds)


class Held:
    """The policy of a slot whose generation is held.

    Args:
        onward: a plain handle of the slot, by which the calls go on afterwards.
    """

    def __init__(self, hold: Hold, onward: Port) -> None:
        self._hold = hold
        self._onward = onward

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        if self._hold.within():
            return await self._hold.held.call(method, invoke)
        await self._hold.wait(method)
        return await invoke(self._onward)

    async def stream(
        self, method: str, invoke: Callable[[Any], AsyncIterator[Any]], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        if self._hold.within():
            items: Any = self._hold.held.stream(method, invoke)
        else:
            await self._hold.wait(method)
            items = invoke(self._onward)
        async with aclosing(items):
            async for item in items:
                yield item

    def target(self) -> Any:
        """Return the adapter that is being replaced: what it says of itself holds until another one is there."""
        return self._hold.held.target
