"""One change on its way, which several may have asked for, some of them from within a call that it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from loguru import logger

from hotswap.generation import Generation
from hotswap.plan import Plan


class Request:
    """What those who asked for a change wait for.

    Args:
        within: the generations inside of which it was asked for first.
    """

    task: asyncio.Task[Plan]
    """Carries it out."""

    def __init__(self, within: Collection[Generation]) -> None:
        self.within = within
        self._switched: asyncio.Future[tuple[Plan, set[Generation]]] = asyncio.get_running_loop().create_future()

    def switched(self, plan: Plan, waited: set[Generation]) -> None:
        """Note that the plan is in force, and which generations are to be empty before all of it is done."""
        self._switched.set_result((plan, waited))

    async def outcome(self, within: Collection[Generation]) -> Plan:
        """Return what was done when it is done, or with its switch to whoever asks from within what it waits for.

        What goes wrong after the switch is logged for those. Raises what the task raises.
        """
        if within:
            either: list[asyncio.Future[Any]] = [self.task, self._switched]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._switched.done() and not self.task.done():
                plan, waited = self._switched.result()
                if not waited.isdisjoint(within):
                    self.task.add_done_callback(_log)
                    return plan
        return await asyncio.shield(self.task)


def _log(task: asyncio.Task[Plan]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.warning("A change that a call had asked for ended with an error: {}", error)
