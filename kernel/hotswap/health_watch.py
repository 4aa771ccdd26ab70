"""Asks plugins how they are, at the same time and never one twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from hotswap.keeper import end_all
from hotswap_ports import Health

if TYPE_CHECKING:
    from hotswap.instance import Instance


class Alarm(Protocol):
    """Something that will be called."""

    def cancel(self) -> None:
        """Let it not be called."""


class Timer(Protocol):
    """What time it is, and who is called later. An event loop is one."""

    def time(self) -> float:
        """Return the seconds since some moment."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Alarm:
        """Call ``callback`` at a time, from the event loop."""


class Watch:
    """The questions under way.

    Args:
        heard: told each answer as it comes; a slow plugin keeps nobody's from being heard.
    """

    def __init__(self, heard: Callable[[Instance, Health], None]) -> None:
        self._heard = heard
        self._asking: dict[Instance, asyncio.Task[None]] = {}

    def ask(self, instances: Iterable[Instance]) -> None:
        """Ask those that are not being asked already."""
        for each in instances:
            if each not in self._asking:
                task = asyncio.create_task(self._ask(each), name=f"hotswap: health of {each.id}")
                self._asking[each] = task

    async def _ask(self, instance: Instance) -> None:
        try:
            health = await instance.health()
        finally:
            del self._asking[instance]
        self._heard(instance, health)

    async def stop(self) -> None:
        """End the questions under way; what they would have been answered is not heard."""
        await end_all(self._asking.values())
