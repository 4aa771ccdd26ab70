"""Consumers that asked to be rebuilt: opened anew once for all swaps that come close together.

A consumer with ``rebind = "rebuild"`` is noted when a port it uses leads elsewhere. When no further swap has come for a
moment, all that were noted are opened anew, in start order, in a turn of their own; those who asked for the swaps wait
for it. One that was opened anew meanwhile for another reason (its number shows) has seen the swap, and is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from loguru import logger

from hotswap.keeper import end_all, to_the_end

QUIET = 0.05
"""Seconds without a further swap after which consumers are rebuilt."""
MOST = 0.5
"""Seconds after which they are rebuilt though swaps go on."""


class _Batch:
    """Consumers that are rebuilt together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.numbers: dict[str, int] = {}
        """Plugin -> the number of the generation that is out of date."""
        self.latest = loop.time() + MOST
        self.done: asyncio.Future[list[Exception]] = loop.create_future()
        self.timer: asyncio.TimerHandle | None = None


class Rebinding:
    """Notes who is to be rebuilt, and has it done.

    Args:
        rebuild: opens plugins anew, given the number of the generation that each is to leave behind; returns what went
            wrong.
    """

    def __init__(self, rebuild: Callable[[dict[str, int]], Awaitable[list[Exception]]]) -> None:
        self._rebuild = rebuild
        self._batch: _Batch | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, consumers: Iterable[tuple[str, int]]) -> asyncio.Future[list[Exception]] | None:
        """Have consumers rebuilt; what is returned tells what went wrong when it is done. None: there are none."""
        numbers = dict(consumers)
        if not numbers:
            return None
        loop = asyncio.get_running_loop()
        batch = self._batch = self._batch or _Batch(loop)
        batch.numbers.update(numbers)
        if batch.timer is not None:
            batch.timer.cancel()
        batch.timer = loop.call_at(min(loop.time() + QUIET, batch.latest), self._begin, batch)
        return batch.done

    def _begin(self, batch: _Batch) -> None:
        self._batch = None
        task = asyncio.create_task(self._run(batch), name=f"hotswap: rebuild {', '.join(batch.numbers)}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, batch: _Batch) -> None:
        try:
            errors = await self._rebuild(batch.numbers)
            for error in errors:
                logger.warning("While consumers were rebuilt: {}", error)
            batch.done.set_result(errors)
        finally:
            if not batch.done.done():
                batch.done.cancel()

    async def stop(self) -> None:
        """Rebuild no more; what is being rebuilt is undone."""
        if self._batch is not None and self._batch.timer is not None:
            self._batch.timer.cancel()
            self._batch.done.cancel()
            self._batch = None
        await to_the_end(end_all(self._tasks))
