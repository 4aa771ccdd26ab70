"""Calls that wait: their provider cannot be open twice, or hands over state, and is just being replaced."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from types import FrameType
from typing import Any

from hotswap.ahead import Ahead
from hotswap.errors import HoldTimeout
from hotswap.gate import Gate
from hotswap.generation import Generation
from hotswap.stuck import generation_of
from hotswap.within import runs_within
from hotswap_ports import Port


class Leaving:
    """The generations that get no new calls in one change, until the last call has left."""

    def __init__(self) -> None:
        self.generations: list[Generation] = []

    def surround(self, task: asyncio.Task[Any] | None) -> bool:
        """Return whether a call is made within one that is inside one of them; ``task`` as in ``runs_within``."""
        return any(each.leases for each in self.generations) and runs_within(self._is_inside, task)

    def _is_inside(self, frame: FrameType) -> bool:
        generation = generation_of(frame)
        return generation is not None and any(each is generation for each in self.generations)


class Hold(Gate):
    """What the calls to one generation wait for while it is drained, closed and replaced.

    When it is released they go on to wherever their slot leads by then. A call that the change waits for itself does
    not wait: that would be for ever.

    Args:
        held: the generation that is about to leave.
        ahead: what the change puts in force.
        seconds: how long a call waits.
    """

    def __init__(self, held: Generation, ahead: Ahead, seconds: float) -> None:
        super().__init__(seconds)
        self.held = held
        self.over = False
        """Set when it takes no call any more: its state is handed over, or it is being closed."""
        self._ahead = ahead
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()

    async def way(self, method: str) -> Generation | None:
        """Wait, if need be; return the generation that the call goes to. None: wherever its slot leads.

        Raises:
            HoldTimeout: the release did not come in time, or cannot come before the call has ended.
        """
        found: Generation | None = None

        def must(task: asyncio.Task[Any] | None) -> bool:
            nonlocal found
            found = self._at_once(method, task)
            return found is None

        if not await self.opens(must) and found is None:
            raise self._timeout(method, self.seconds)
        return found

    def _at_once(self, method: str, task: asyncio.Task[Any] | None) -> Generation | None:
        """Return where a call goes that the change waits for; None: the change does not."""
        if not self._ahead.waits(task):
            return None
        if not self.over:
            return self.held
        coming = self._ahead.instead_of(self.held.provider)
        if coming is None:
            raise self._timeout(method, 0)
        return coming

    def now(self, method: str, onward: Port, *arguments: Any, **named: Any) -> Any:
        """Make a call to a synchronous method, which waits where that does not block the loop.

        Raises:
            HoldTimeout: it was made on the loop, or the release did not come in time.
        """
        if not self.over:
            self.held.leases += 1
            try:
                return getattr(self.held.target, method)(*arguments, **named)
            finally:
                self.held.leases -= 1
                self.held.left()
        if threading.get_ident() == self._thread:
            raise self._timeout(method, 0)
        if not asyncio.run_coroutine_threadsafe(self.opens(), self._loop).result():
            raise self._timeout(method, self.seconds)
        return getattr(onward, method)(*arguments, **named)

    def _timeout(self, method: str, seconds: float) -> HoldTimeout:
        return HoldTimeout(f"{self.held.provider.port}.{method}", str(self.held.provider), seconds)


class Held:
    """The policy of a slot whose generation is held.

    Args:
        onward: a plain handle of the slot, by which the calls go on afterwards.
    """

    def __init__(self, hold: Hold, onward: Port) -> None:
        self._hold = hold
        self._onward = onward

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        way = await self._hold.way(method)
        return await (invoke(self._onward) if way is None else way.call(method, invoke))

    async def stream(
        self, method: str, invoke: Callable[[Any], AsyncIterator[Any]], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        way = await self._hold.way(method)
        items: Any = invoke(self._onward) if way is None else way.stream(method, invoke)
        async with aclosing(items):
            async for item in items:
                yield item

    def target(self) -> Any:
        return _Replaced(self._hold, self._onward)


class _Replaced:
    """The adapter that is being replaced: what it says of itself holds until another one is there."""

    def __init__(self, hold: Hold, onward: Port) -> None:
        self._hold = hold
        self._onward = onward

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._hold.held.target, name)
        return partial(self._hold.now, name, self._onward) if callable(value) else value
