"""Changes to a running kernel, one after another: each is planned on the state it finds, then applied."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from itertools import count
from typing import Any

from hotswap.catalog import Catalog
from hotswap.errors import (
    HotswapError,
    KernelNotRunning,
    NothingToRollBack,
    PlanOutdated,
    TeardownFailed,
    WouldDeadlock,
)
from hotswap.found import Found
from hotswap.generation import Generation
from hotswap.keeper import end_all
from hotswap.lifecycle import Left, Lifecycle, News
from hotswap.lock import Lock
from hotswap.plan import Plan
from hotswap.planner import Planner
from hotswap.proposals import Past, Proposals
from hotswap.rebinding import Rebinding
from hotswap.reconfiguring import touched
from hotswap.request import Request
from hotswap.settings import Settings
from hotswap.states import STUCK, State
from hotswap.stuck import generations_around
from hotswap.undo import cancelling
from hotswap_ports import NotReady

KEPT = 50
"""How many past states a kernel keeps to go back to."""
_inside: ContextVar[frozenset[int]] = ContextVar("hotswap_changes", default=frozenset())
"""Numbers of the changes on whose behalf the current code runs: a hook that one of them fires must not wait for it.

Numbers, and not the changes: whatever is begun meanwhile keeps a copy, and would keep their errors alive with it.
"""
_numbers = count(1)


class Changes(Proposals):
    """The one place where settings, solution and state move on together."""

    def __init__(self, settings: Settings, planner: Planner, lifecycle: Lifecycle) -> None:
        super().__init__(settings, planner, lifecycle)
        lifecycle.drain_timeout = settings.drain_timeout
        self.committed: list[Callable[[], None]] = []
        """Called after each change."""
        self._lock = asyncio.Lock()
        self._under_way: dict[int, Request] = {}
        self._asked: dict[tuple[str, ...], int] = {}
        """The number of the last change that was asked for by a key."""
        self._latest = 0
        """Number of the change that was asked for last."""
        self._rebinding = Rebinding(self._rebuild)
        self.past: deque[Past] = deque(maxlen=KEPT)
        """What stood before each change of settings or solution, the latest last."""

    async def change(
        self,
        key: tuple[str, ...],
        make: Callable[[Changes], Plan],
        *,
        fresh: Collection[str] = (),
        news: Sequence[News] = (),
    ) -> Plan:
        """Plan and apply in one turn; requests for the same change that arrive meanwhile share its result.

        The change goes on when whoever asked for it is cancelled. ``news`` are hook points and what they are told
        when it is done. One that is asked for from within a call that it would wait for is done, for whoever asks, with
        its switch: what goes wrong after that is logged.

        Raises:
            KernelNotRunning: the kernel was left before the change was done; what it had begun is undone.
            WouldDeadlock: it was asked for from within a call that has to leave before its switch.
        """
        within = generations_around()
        number = self._asked.get(key, 0)
        request = self._under_way.get(number)
        if request is None or number in _inside.get() or number != self._latest:
            # Also where a hook of that very change asks again, or another one was asked for in between: done anew.
            number = self._asked[key] = self._latest = next(_numbers)
            request = self._under_way[number] = Request(within)
            work = self._turn(number, make, fresh, news, request)
            request.task = asyncio.create_task(work, name=f"hotswap: {' '.join(key[:2])}")
            request.task.add_done_callback(lambda done: self._done(key, number, done))
        before = cancelling()
        try:
            return await request.outcome(within)
        except asyncio.CancelledError:
            if cancelling() > before or not request.task.cancelled():
                raise
            raise KernelNotRunning("it was left before this change was done") from None

    async def select(self, port: str, names: tuple[str, ...]) -> Plan:
        """Let a port lead to another provider. Where that is open and nobody has the turn, it is done on the spot."""
        if not self._lock.locked():
            plan = self.plan(select={port: names})
            if all(each.kind == "select" for each in plan.steps):
                self.lifecycle.point(plan)
                self._commit(plan)
                return plan
        return await self.change(("select", port, *names), lambda changes: changes.plan(select={port: names}))

    def _done(self, key: tuple[str, ...], number: int, task: asyncio.Task[Plan]) -> None:
        del self._under_way[number]
        if self._asked.get(key) == number:
            del self._asked[key]
        if not task.cancelled():
            task.exception()  # whoever asked gets it from the task; nobody may be left to, and asyncio would complain

    @property
    def turn(self) -> asyncio.Lock:
        """Return what is held while something is changed."""
        return self._lock

    async def _turn(
        self,
        number: int,
        make: Callable[[Changes], Plan],
        fresh: Collection[str],
        news: Sequence[News],
        request: Request,
    ) -> Plan:
        _inside.set(_inside.get() | {number})
        async with self._lock:
            planner = self.planner
            try:
                plan = make(self)
                left = await self.carry_out(plan, fresh, request.within)
            except BaseException:
                self.planner = planner
                raise
            rebuilding = self.lifecycle.consumers(plan.subjects("rebuild"))
            rebuilt = self._rebinding.note(rebuilding)
            told = [*self.lifecycle.take_news(), *news]
        waited = [*left.instances, *(self.lifecycle.instances[each] for each, _ in rebuilding)]
        request.switched(plan, {generation for each in waited for generation in each.generations})
        # The turn ends with the switch: what drains takes its time, and a handler may ask for a change of its own.
        errors = await self.lifecycle.retire(left)
        errors += await self.lifecycle.tell(told)
        errors += await asyncio.shield(rebuilt) if rebuilt is not None else []
        if errors:
            raise TeardownFailed(errors)
        return plan

    async def _rebuild(self, consumers: Mapping[str, int]) -> list[Exception]:
        """Open consumers anew, in start order; one that fails goes on as it is."""
        errors: list[Exception] = []
        place = {each.id: number for number, each in enumerate(self.solution.plugins)}
        for plugin in sorted(consumers, key=lambda each: place.get(each, len(place))):
            async with self._lock:
                if (plugin, consumers[plugin]) not in self.lifecycle.consumers([plugin]):
                    continue
                try:
                    left = await self.lifecycle.rebuild(plugin, self.no_steps(self.settings))
                except (HotswapError, NotReady) as error:
                    errors.append(self.lifecycle.not_rebuilt(plugin, error))
                    continue
                told = self.lifecycle.take_news()
            errors += await self.lifecycle.retire(left)
            errors += await self.lifecycle.tell(told)
        return errors

    async def many(self, make: Callable[[Changes], Plan]) -> Plan:
        """Do what ``make`` plans, as a change that is like no other."""
        return await self.change(("change", str(next(_numbers))), make)

    async def apply(self, plan: Plan) -> None:
        """Apply a plan made before.

        Raises:
            PlanOutdated: something else was changed since.
        """

        def unchanged(changes: Changes) -> Plan:
            if plan.revision != changes.revision:
                raise PlanOutdated(plan.revision, changes.revision)
            return plan

        await self.change(("apply", str(id(plan))), unchanged)

    async def carry_out(self, plan: Plan, fresh: Collection[str] = (), within: Collection[Generation] = ()) -> Left:
        """Carry out a plan while the turn is held; return what it took out of service, for ``lifecycle.retire``.

        ``within`` are the generations inside of which it was asked for.
        """
        opening = [each for each in plan.steps if each.kind in ("start", "replace")]
        found = {each.subject: self.planner.catalog.get(each.subject, each.after) for each in opening}
        for plugin, each in found.items() if within else ():
            if self.lifecycle.would_wait_for(each, within):
                raise WouldDeadlock(
                    f"{plugin!r} cannot be replaced while calls are inside, and a call inside it asks for that.",
                    "Ask for it when the call has ended, or in a task that the call does not wait for.",
                )
        return await self.lifecycle.apply(plan, found, fresh=fresh, switched=lambda: self._commit(plan))

    def _commit(self, plan: Plan) -> None:
        before, after = self.settings, plan.settings
        if after.disabled is not before.disabled:
            self._note_disabled(set(after.disabled) - set(before.disabled))
        if after.ports != before.ports or after != before or plan.solution != self.solution:
            self.past.append(Past(self.revision, before, self.solution))
        self.settings = after
        self.lifecycle.drain_timeout = after.drain_timeout
        self.solution = plan.solution
        self.providers = plan.providers
        self.revision += 1
        for tell in self.committed:
            tell()

    def _note_disabled(self, plugins: Collection[str]) -> None:
        """Note that plugins which could not be opened are not to be open any more."""
        for each in plugins:
            note = self.lifecycle.notes.get(each)
            if note is not None and note.state in STUCK:
                self.lifecycle.note(each, State.DISABLED, "disabled in the settings")

    async def configure(self, plugin: str, values: Mapping[str, Any]) -> Plan:
        """Change a plugin's settings."""

        # The values tell one request from another, and may be secret: a key may show in the name of a task.
        asked = str(hash(repr(sorted(values.items()))))
        news: list[News] = [("on_config_change", {"plugin": plugin, "keys": tuple(values)})]
        return await self.change(
            ("configure", plugin, asked), lambda changes: changes.plan_configuration(plugin, values), news=news
        )

    async def follow(
        self, settings: Callable[[Settings], Settings], catalog: Catalog, lock: Lock | None = None
    ) -> Plan:
        """Put other settings in force, with what is on disk now; ``lock`` is their solution where it fits them."""
        news: list[News] = []

        def make(changes: Changes) -> Plan:
            old, wish = changes.settings, settings(changes.settings)
            changes.planner = Planner(catalog, changes.planner.ports)
            news.extend(
                ("on_config_change", {"plugin": each, "keys": tuple(wish.config.get(each, {}))})
                for each in sorted(touched(old, wish))
            )
            return changes.plan(settings=wish, lock=lock)

        return await self.change(("follow", str(next(_numbers))), make, news=news)

    async def rollback(self, revision: int | None) -> Plan:
        """Return to what stood at a revision; None: before the last change.

        Raises:
            NothingToRollBack: nothing was changed yet, or that revision is not kept.
        """

        def make(changes: Changes) -> Plan:
            kept = {each.revision: each for each in changes.past}
            wanted = changes.past[-1].revision if revision is None and changes.past else revision
            if wanted is None or wanted not in kept:
                raise NothingToRollBack(revision, kept)
            return changes.plan_back(kept[wanted])

        return await self.change(("rollback", str(revision)), make)

    async def reload(self, plugin: str, found: Sequence[Found] | Catalog) -> Plan:
        """Swap a plugin for its newest code on disk, or open it if it could not be opened before.

        ``found`` is what is on disk now of this plugin, or of all.
        """

        def make(changes: Changes) -> Plan:
            changes.renew_catalog(plugin, found)
            return changes.plan_reload(plugin)

        return await self.change(("reload", plugin), make, fresh=[plugin])

    async def finish(self) -> None:
        """End what is under way: before its switch it is undone; what it took out of service after it, others close."""
        await end_all(each.task for each in self._under_way.values())
        await self._rebinding.stop()
