"""Failover and fail-back: the first provider of a selection that is well serves its port, all the time.

Two things tell that one is not. Its plugin says so, when it is asked (every ``health_interval`` seconds, when a call
has failed, and whenever the application asks), or its calls fail. A move is a switch like any other: calls end where
they began. What failed has failed, and is not tried elsewhere: the kernel cannot know which calls may be made twice.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable

from loguru import logger

from hotswap.changes import Changes
from hotswap.errors import HotswapError
from hotswap.failover_order import Move, Order, Surroundings
from hotswap.generation import Generation
from hotswap.health_watch import Alarm, Timer, Watch
from hotswap.instance import Instance
from hotswap.keeper import end_all
from hotswap.lifecycle import Lifecycle
from hotswap.plan import Plan
from hotswap.probation import verdict
from hotswap_ports import Health


class Failover:
    """Looks after the ports whose selection names several open providers; while there are none, it does nothing.

    Args:
        timer: whose time counts; None: the event loop's.
    """

    def __init__(self, changes: Changes, lifecycle: Lifecycle, timer: Timer | None = None) -> None:
        self._changes = changes
        self._lifecycle = lifecycle
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._timer = self._loop if timer is None else timer
        self._orders: dict[str, Order] = {}
        self._watch = Watch(self.heard)
        self._alarm: Alarm | None = None
        self._round = 0.0
        self._moves: Counter[str] = Counter()
        self._telling: set[asyncio.Task[None]] = set()
        self._around = Surroundings(
            lifecycle.wiring,
            self._timer.time,
            lambda: changes.settings.fail_back_after,
            lambda plugin: bool(changes.settings.health_interval) and plugin in lifecycle.instances,
            self._failed,
            self._suspected,
            self._moved,
            self._reschedule,
            lifecycle.redact,
        )

    def start(self) -> None:
        """Look at the ports now, and after every change."""
        self._changes.committed.append(self._survey)
        self._survey()

    async def stop(self) -> None:
        """End: no task, timer or route of this is left."""
        self._changes.committed.remove(self._survey)
        for each in self._orders.values():
            each.end()
        self._orders.clear()
        self._reschedule()
        await asyncio.gather(end_all(self._telling), self._watch.stop(), return_exceptions=True)

    def _survey(self) -> None:
        """Find the ports to look after, and their providers."""
        wiring = self._lifecycle.wiring
        if not self._orders and all(len(each) < 2 for each in wiring.selected.values()):
            return
        if not self._orders:
            self._round = self._timer.time() + self._changes.settings.health_interval
        for port in dict.fromkeys([*self._orders, *wiring.selected]):
            names = [each for each in wiring.selected.get(port, ()) if wiring.has(port, each)]
            if len(names) > 1:
                opened = wiring.providers(port)
                self._orders.setdefault(port, Order(port, self._around)).follow({each: opened[each] for each in names})
            elif port in self._orders:
                self._orders.pop(port).end()
        self._reschedule()

    def heard(self, instance: Instance, health: Health) -> None:
        """Take note of what a plugin answered, whoever has asked it."""
        if self._lifecycle.instances.get(instance.id) is instance:
            self._survey()
            for each in self._orders.values():
                each.heard(instance.id, health)

    def _failed(self, generation: Generation, error: Exception) -> None:
        """Take note of a call that ended with an error; one of a synchronous method may have run in any thread."""
        if verdict(generation, error) is not False:
            return
        if threading.get_ident() == self._thread:
            self._note_failure(generation, error)
        else:
            self._loop.call_soon_threadsafe(self._note_failure, generation, error)

    def _note_failure(self, generation: Generation, error: Exception) -> None:
        order = self._orders.get(generation.provider.port)
        if order is not None:
            order.failed(generation, error)

    def _suspected(self, order: Order) -> None:
        if self._changes.settings.health_interval:
            self._ask(order.plugins)

    def _ask(self, plugins: Iterable[str]) -> None:
        instances = self._lifecycle.instances
        self._watch.ask(instances[each] for each in sorted(plugins) if each in instances)

    def _reschedule(self) -> None:
        """Wake up when the next thing is due, and not at all when nothing is."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        times = [each for order in self._orders.values() if (each := order.alarm()) is not None]
        if self._orders and self._changes.settings.health_interval:
            times.append(self._round)
        if times:
            self._alarm = self._timer.call_at(min(times), self._wake)

    def _wake(self) -> None:
        now, interval = self._timer.time(), self._changes.settings.health_interval
        if interval:
            self._round = now + interval
            self._ask({plugin for each in self._orders.values() for plugin in each.plugins})
        self._survey()  # a change that failed may have put another generation in a place, and tells nobody

    def _moved(self, move: Move) -> None:
        """Make plans that were made before outdated, and tell whoever wants to know."""
        self._changes.revision += 1
        self._moves[move.port] += 1
        logger.info("{} is served by {} and no longer by {}: {}", move.port, move.after, move.before, move.reason)
        task = self._loop.create_task(
            self._follow_up(move, self._moves[move.port]), name=f"hotswap: failover of {move.port}"
        )
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _follow_up(self, move: Move, number: int) -> None:
        """Tell of a move, then open those consumers anew that ask for it."""
        told: dict[str, object] = {"port": move.port, "before": move.before, "after": move.after, "reason": move.reason}
        errors = await self._lifecycle.tell([("on_failover", told)])
        if self._lifecycle.rebuilt_with(move.port):
            errors += await self._rebuild(move, number)
        for error in errors:
            logger.error("after the failover of {}: {}", move.port, self._lifecycle.redact(str(error)))

    async def _rebuild(self, move: Move, number: int) -> list[Exception]:
        def plan(changes: Changes) -> Plan:
            serving = self._lifecycle.wiring.serving(move.port)
            moved_on = isinstance(serving, HotswapError) or serving.provider.name != move.after
            if moved_on or self._moves[move.port] != number:  # whatever moved it has a follow-up of its own
                return changes.no_steps(changes.settings)
            return changes.plan_failover(move.port, move.before, move.after, move.reason)

        try:
            await self._changes.change(("failover", move.port, str(number)), plan)
        except HotswapError as error:
            return [error]
        return []
