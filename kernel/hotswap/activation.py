"""Opening dormant plugins when they are needed. It takes no turn: what one calls while it opens may be dormant too.

Waking a plugin changes neither settings nor solution. A change that concerns a dormant plugin waits until it is awake,
or keeps it asleep until the change is over, so that the two never open it side by side.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from hotswap.ahead import opener
from hotswap.consumer import Consumer
from hotswap.dormant import Asleep, Dormant, Resting
from hotswap.errors import HoldTimeout, InjectionFailed, IsolationRequired, KernelNotRunning
from hotswap.found import Found
from hotswap.gate import Gate
from hotswap.generation import Generation, Provider
from hotswap.keeper import end_all, to_the_end
from hotswap.lifecycle import Lifecycle
from hotswap.loader import undo
from hotswap.prepared import check_trust, prepare
from hotswap.settings import Settings
from hotswap.slots import Slot
from hotswap.states import State
from hotswap.undo import cancelling
from hotswap_ports import Port


def to_open(founds: Iterable[Found], settings: Settings) -> dict[str, Found]:
    """Return, by id, those plugins that are not left to the first call that needs them."""
    eager = settings.activation == "eager"
    return {each.id: each for each in founds if eager or not each.rests}


class Activation:
    """Lets plugins rest, and wakes them.

    Args:
        settings: returns those in force.
        failed: told of a plugin that could not be opened; it is out of force by then.
    """

    def __init__(
        self, lifecycle: Lifecycle, settings: Callable[[], Settings], failed: Callable[[str, Exception], None]
    ) -> None:
        self._life = lifecycle
        self._settings = settings
        self._failed = failed
        self._waking: dict[str, asyncio.Task[None]] = {}
        self._stopped = False
        self._kept: dict[str, Gate] = {}
        """Plugins that a change keeps asleep."""
        lifecycle.activation = self
        lifecycle.dormant.made = self._made

    def rest(self, founds: Iterable[Found]) -> list[tuple[Found, IsolationRequired]]:
        """Put plugins in force without opening them; return those that may not run in this process, with the error."""
        settings, life = self._settings(), self._life
        refused: list[tuple[Found, IsolationRequired]] = []
        dormant: dict[str, Found] = {}
        resting: defaultdict[str, dict[str, str]] = defaultdict(dict)
        said, trusted = settings.trust, set[tuple[str, str | None]]()  # by its door, where nothing is said of a plugin
        for found in founds:
            by_door = (found.door, found.package)
            if by_door not in trusted or found.id in said:
                try:
                    check_trust(found, settings)
                except IsolationRequired as error:
                    refused.append((found, error))
                    continue
                if found.id not in said:
                    trusted.add(by_door)
            plugin = found.id
            dormant[plugin] = found
            for port, name in found.provides:
                resting[port][name] = plugin
        ports = [life.ports.get(each) for each in sorted(resting)]
        life.dormant.rest(dormant)
        life.wiring.rest(ports, resting, life.dormant.__getitem__)
        life.note_all(dormant, State.RESOLVED, "it is opened by the first call that needs it")
        return refused

    def _made(self, dormant: Dormant) -> None:
        for each in dormant.generations:
            self._life.wiring.made(each, self._asleep)

    def _asleep(self, generation: Generation, slot: Slot, onward: Port) -> Asleep:
        assert isinstance(generation, Resting)
        return Asleep(generation, self.wake, self._coming, slot, onward)

    def _coming(self, provider: Provider) -> Generation | None:
        ahead = self._life.wiring.ahead
        return ahead.instead_of(provider) if ahead is not None and ahead.waits() else None

    def _may_wait(self, task: asyncio.Task[Any] | None) -> bool:
        ahead = self._life.wiring.ahead
        return ahead is None or not ahead.waits(task)

    async def wake(self, plugin: str, call: str = "") -> None:
        """Open a dormant plugin; calls that come together share it. Do nothing where it is not dormant (any more).

        Args:
            call: what it is needed for.

        Raises:
            HoldTimeout: a change kept it asleep for too long, or waits for this itself.
            HotswapError, NotReady: it could not be opened.
            KernelNotRunning: the kernel was left meanwhile.
        """
        while (dormant := self._life.dormant.get(plugin)) is not None:
            kept = self._kept.get(plugin)
            if kept is None:
                break
            if not await kept.opens(self._may_wait):
                seconds = kept.seconds if self._may_wait(None) else 0
                raise HoldTimeout(call or f"Opening {plugin!r}", f"{plugin} {dormant.manifest.raw_version}", seconds)
        if dormant is None:
            return
        task = self._waking.get(plugin)
        if task is None and self._stopped:
            raise KernelNotRunning(f"it was left before {plugin!r} was open")
        if task is None:
            task = asyncio.create_task(self._wake(dormant), name=f"hotswap: wake {plugin}")
            self._waking[plugin] = task
            task.add_done_callback(lambda done: self._done(plugin, done))
        before = cancelling()
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if cancelling() > before or not task.cancelled():
                raise
            raise KernelNotRunning(f"it was left before {plugin!r} was open") from None

    def _done(self, plugin: str, task: asyncio.Task[None]) -> None:
        self._waking.pop(plugin, None)
        if not task.cancelled():
            task.exception()  # whoever waits gets it from the task; nobody may be left to, and asyncio would complain

    async def _wake(self, dormant: Dormant) -> None:
        self._life.note(dormant.id, State.LOADING, "a call needs it, and it is being opened")
        try:
            await self._open(dormant)
        except Exception as error:  # at the boundary: the plugin's state, and raised for every call that waits
            if self._life.dormant.get(dormant.id) is dormant:
                self._life.forget_dormant(dormant)
                self._failed(dormant.id, error)
            raise
        await self._life.tell(self._life.take_news_of(dormant.id))

    async def _open(self, dormant: Dormant) -> None:
        life, settings = self._life, self._settings()
        for each in dormant.manifest.dependencies:
            await self.wake(each.id)
        ready = await prepare(dormant.found, life.ports, settings, life.environ, loaded=dormant.loaded)
        life.remember(ready)
        gaps = life.wiring.gaps(ready.needs, None, Consumer.of(dormant.manifest, 0))
        if gaps:
            undo(ready.loaded)
            raise InjectionFailed(f"Plugin {dormant.id!r}", gaps)
        instance = life.instance(ready, settings)
        if not opener.get():  # where a change opens what needs this, that is what the calls of this are made for
            opener.set(instance.consumer.key)
        try:
            await instance.open()
        except BaseException:
            undo(ready.loaded)
            raise
        if life.dormant.get(dormant.id) is dormant:
            life.awake(dormant, instance)
        else:
            await instance.close()

    async def keep(self, plugin: str) -> None:
        """Keep a plugin asleep until ``let``; if it is being woken, wait for that first."""
        self._kept.setdefault(plugin, Gate(self._settings().hold_timeout))
        task = self._waking.get(plugin)
        if task is not None:
            await asyncio.wait([task])

    def let(self, plugin: str) -> None:
        """Let a plugin be woken again."""
        kept = self._kept.pop(plugin, None)
        if kept is not None:
            kept.release()

    async def stop(self) -> None:
        """Wake nobody any more; what is being opened is undone."""
        self._stopped = True
        await to_the_end(end_all(self._waking.values()))
