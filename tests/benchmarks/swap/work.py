"""What is called while it is swapped: providers that fail every call which is still open when they close."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import Any, ClassVar

from hotswap_ports import PluginContext, Port

CALL = 0.010
"""Seconds that a call takes."""
OPENING = 0.002
"""Seconds that a provider takes to open, as a connection does; where a library opens nothing, it takes no time."""


class Closed(RuntimeError):
    """A call was open when its provider closed, or came after that."""


class Provider:
    """Answers with its label. It keeps count of what happens to it; ``all`` are those of one measurement."""

    all: ClassVar[list[Provider]] = []
    _numbers: ClassVar[count[int]] = count(1)

    def __init__(self, label: str = "") -> None:
        self.number = next(self._numbers)
        self.label = label or f"generation {self.number}"
        self.calls = 0
        self.inside = 0
        self.last_end = 0.0
        self.closed_at = 0.0
        self.all.append(self)

    async def open(self, seconds: float = OPENING) -> None:
        """Open it."""
        await asyncio.sleep(seconds)

    async def work(self, seconds: float = CALL) -> str:
        """Take ``seconds``, then return the label, or raise Closed."""
        self.calls += 1
        if self.closed_at:
            raise Closed(f"{self.label} was called after it had closed")
        self.inside += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self.inside -= 1
            self.last_end = time.perf_counter()
        if self.closed_at:
            raise Closed(f"{self.label} closed under its call")
        return self.label

    def close(self) -> None:
        """Close it: no call that is open can end well from now on."""
        self.closed_at = time.perf_counter()


class Work(Port):
    """The port that is called."""

    PORT: ClassVar[str] = "work"
    VERSION: ClassVar[str] = "1.0.0"

    async def work(self, seconds: float = CALL) -> str:
        """Return who did it."""
        raise NotImplementedError


class Adapter(Work):
    """A provider behind the port, opened and closed by its plugin. A plugin's code subclasses it to give a label."""

    LABEL: ClassVar[str] = ""
    OPENING: ClassVar[float] = OPENING
    WELL: ClassVar[bool] = True
    """What a plugin that is asked for its health goes by."""

    def __init__(self, context: PluginContext) -> None:
        number = context.config.get("number", "")
        self.provider = Provider(f"{self.LABEL or context.plugin_id} {context.version} {number}".rstrip())

    async def __aenter__(self) -> None:
        await self.provider.open(self.OPENING)

    async def __aexit__(self, *raised: object) -> None:
        self.provider.close()

    async def work(self, seconds: float = CALL) -> str:
        """Return who did it."""
        return await self.provider.work(seconds)


def flock(size: int) -> list[type[Work]]:
    """Return ports of their own for ``size`` plugins that are swapped together: ``flock_0``, ``flock_1``, ..."""
    return [type(f"Flock{n}", (Work,), {"PORT": f"flock_{n}", "VERSION": "1.0.0"}) for n in range(size)]


FLOCK = flock(10)


def flock_adapter(number: int) -> Any:
    """Return the class of an adapter of a port of the flock."""
    return type("Bird", (Adapter, FLOCK[number]), {})
