"""Plugins whose health and whose calls do what a test says, and a time that goes on when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field

from hotswap import Kernel
from hotswap_ports import Health, Port
from tests.plugin_folder import Clock, Greeter, settings, write_plugin
from tests.waiting import until

SICK = Health("unhealthy", "no power")
WELL = Health()


class Counter(Port):
    """A port with a stream and a synchronous method."""

    PORT: ClassVar[str] = "counter"
    VERSION: ClassVar[str] = "1.0.0"

    def count(self, to: int) -> AsyncIterator[int]:
        """Count from 1."""
        raise NotImplementedError

    def now(self) -> int:
        """Return how many were counted."""
        raise NotImplementedError


@define
class Mood:
    """What a plugin does."""

    health: Health | Exception | str = WELL
    """``hang``: it never answers."""
    error: Callable[[], Exception] | None = None
    """Made and raised by each call."""
    gate: asyncio.Event | None = None
    """What calls wait for."""
    delay: float = 0.0
    """Seconds that a call takes."""
    calls: int = 0
    asked: int = 0
    answers: list[Health] = field(factory=list)
    """Said before ``health`` is."""

    async def answer(self) -> Health:
        self.asked += 1
        if self.answers:
            return self.answers.pop(0)
        if self.health == "hang":
            await asyncio.Event().wait()
        if isinstance(self.health, Exception):
            raise self.health
        assert isinstance(self.health, Health)
        return self.health

    async def called(self) -> None:
        self.calls += 1
        error = self.error
        if self.gate is not None:
            await self.gate.wait()
        if self.delay:
            await asyncio.sleep(self.delay)
        if error is not None:
            raise error()


MOODS: dict[str, Mood] = {}
"""By ``folder/plugin``: tests do not meet."""

CODE = """
    from hotswap_ports import Plugin, PluginContext
    from tests.moody_plugin import Counter, mood
    from tests.plugin_folder import Clock, Greeter

    class Hello(Greeter):
        def __init__(self, context: PluginContext) -> None:
            self.context = context
        async def greet(self, name, *, loud=False):
            await mood(self.context).called()
            return self.context.plugin_id

    class Counts(Counter):
        def __init__(self, context: PluginContext) -> None:
            self.context = context
        async def count(self, to):
            for number in range(to):
                yield f"{self.context.plugin_id} {number}"
                await mood(self.context).called()
        def now(self):
            error = mood(self.context).error
            if error is not None:
                raise error()
            return 1

    class Own(Plugin):
        def __init__(self, context: PluginContext) -> None:
            self.context = context
        async def health(self):
            return await mood(self.context).answer()
"""


def mood(context: Any) -> Mood:
    """Return the mood of the plugin with this context."""
    return MOODS[f"{context.config.get('folder')}/{context.plugin_id}"]


def moody(root: Path, *plugins: str, code: str = CODE, **tables: Any) -> list[Mood]:
    """Write plugins that provide the ports ``greeter`` and ``counter``, and return their moods."""
    tables.setdefault("provides", {"greeter": "Hello", "counter": "Counts"})
    tables.setdefault("python", {"class_name": "Own"})
    tables.setdefault("capabilities", {"config_access": True})
    for each in plugins:
        write_plugin(root, each, code, **tables)
        MOODS[f"{root}/{each}"] = Mood()
    return [MOODS[f"{root}/{each}"] for each in plugins]


class ManualTimer:
    """A time that stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.alarms: list[ManualAlarm] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> ManualAlarm:
        alarm = ManualAlarm(self, when, callback)
        self.alarms.append(alarm)
        return alarm

    async def advance(self, seconds: float) -> None:
        """Let some seconds go by, and everything happen that is due meanwhile."""
        end = self.now + seconds
        while due := [each for each in self.alarms if each.when <= end]:
            alarm = min(due, key=lambda each: each.when)
            self.alarms.remove(alarm)
            self.now = max(self.now, alarm.when)
            alarm.callback()
            await quiet()
        self.now = end
        await quiet()


@define(eq=False)
class ManualAlarm:
    timer: ManualTimer
    when: float
    callback: Callable[[], object]

    def cancel(self) -> None:
        if self in self.timer.alarms:
            self.timer.alarms.remove(self)


def own_tasks() -> list[str]:
    """Return the names of the tasks by which failover works."""
    names = [each.get_name() for each in asyncio.all_tasks()]
    return [each for each in names if each.startswith(("hotswap: health", "hotswap: failover"))]


async def quiet() -> None:
    """Wait until failover has done what it is about to do."""
    await until(lambda: not own_tasks())


def moody_kernel(root: Path, timer: ManualTimer, *enabled: str, **changes: Any) -> Kernel:
    """Return a kernel over the plugins in ``root``; the order of ``enabled`` is the order of failover."""
    config = {each: {"folder": str(root)} for each in enabled}
    config.update(changes.pop("config", {}))
    backoff = changes.pop("backoff", None)
    changes.setdefault("ports", {"greeter": enabled, "counter": enabled})
    wanted = settings(root, *enabled, config=config, **changes)
    return Kernel(wanted, ports=[Greeter, Clock, Counter], environ={}, timer=timer, backoff=backoff)
