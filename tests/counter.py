"""A port with a stream, for tests of kernels in threads, and a plugin that provides it and shows what goes on in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

from hotswap import BlockingKernel
from hotswap.hooks import surroundings
from hotswap_ports import Port
from tests.plugin_folder import Clock, Greeter, settings, write_plugin


class Counter(Port):
    """Counts, waits and fails on demand."""

    PORT: ClassVar[str] = "counter"
    VERSION: ClassVar[str] = "1.0.0"

    features: str = ""

    def count(self, to: int, *, fail_at: int = -1, wait_at: int = -1) -> AsyncIterator[int]:
        """Count from 0; at ``fail_at`` it raises, at ``wait_at`` it waits for ever."""
        raise NotImplementedError

    async def wait(self, name: str) -> str:
        """Wait until the switch ``name`` is on."""
        raise NotImplementedError

    async def request(self) -> str:
        """Return the id of the request on whose behalf it is called."""
        raise NotImplementedError

    def plain(self, number: int = 1) -> int:
        """Return what it is given; a method that is not async."""
        raise NotImplementedError


class Switches:
    """What a test and the adapters of its plugins, on another thread, tell each other: events by name."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}

    def __getitem__(self, name: str) -> Event:
        return self._events.setdefault(name, Event())

    def wait(self, name: str) -> None:
        """Wait, in a thread, until a switch is on."""
        assert self[name].wait(20), name

    async def reached(self, name: str) -> None:
        """Wait, on a loop, until a switch is on."""
        async with asyncio.timeout(20):
            while not self[name].is_set():
                await asyncio.sleep(0.001)


SWITCHES: dict[str, Switches] = {}
"""By the journal that a plugin's settings name."""


async def counted(switches: Switches, to: int, fail_at: int, wait_at: int) -> AsyncIterator[int]:
    """Count inside what has to be left in the task that entered it."""
    token = surroundings.set(surroundings.get())
    try:
        async with asyncio.timeout(20):
            for number in range(to):
                if number == fail_at:
                    raise RuntimeError("no further")
                switches[f"at {number}"].set()
                if number == wait_at:
                    await asyncio.Event().wait()
                yield number
    finally:
        surroundings.reset(token)
        if switches["bad close"].is_set():
            raise RuntimeError("cannot close")
        switches["closed"].set()


CODE = """
    import threading
    from hotswap.hooks import surroundings
    from hotswap_ports import PluginContext
    from tests.counter import SWITCHES, Counter, counted

    class Own(Counter):
        features = "{word}"
        def __init__(self, context: PluginContext) -> None:
            self.switches = SWITCHES[context.config.get("journal")]
        def count(self, to, *, fail_at=-1, wait_at=-1):
            return counted(self.switches, to, fail_at, wait_at)
        async def wait(self, name):
            self.switches["inside"].set()
            try:
                await self.switches.reached(name)
            finally:
                self.switches["outside"].set()
            return "{word}"
        async def request(self):
            return surroundings.get().request_id
        def plain(self, number=1):
            return number if threading.current_thread().name == "hotswap" else -1
"""


def counter(root: Path, plugin: str, **tables: Any) -> Switches:
    """Write a plugin that provides the port ``counter``; return the switches that it shares with the test."""
    tables.setdefault("provides", {"counter": "Own"})
    tables.setdefault("capabilities", {"config_access": True})
    write_plugin(root, plugin, CODE.replace("{word}", plugin), **tables)
    return SWITCHES.setdefault(str(root), Switches())


def blocking(root: Path, *enabled: str, **changes: Any) -> BlockingKernel:
    """Return a kernel for threads over the plugins in ``root``."""
    changes.setdefault("config", {each: {"journal": str(root)} for each in enabled})
    return BlockingKernel(settings(root, *enabled, **changes), ports=[Greeter, Clock, Counter], environ={})
