"""What a plan opens, from the first import to the moment before the switch; undone as a whole.

Most plugins are opened beside their old generation, and callers notice nothing. Where new calls have to wait instead
(``quiescing``), all that can be opened without that is open before, so that they wait no longer than they have to.
Undoing ends it: the old generation serves on, opened again where it had been closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from hotswap.admission import check_gaps, check_names
from hotswap.ahead import Ahead, opener
from hotswap.errors import HotswapError
from hotswap.found import Found
from hotswap.guard import describe
from hotswap.handover import Handed
from hotswap.instance import Instance, Take
from hotswap.loader import undo
from hotswap.plan import Plan
from hotswap.prepared import Prepared, prepare
from hotswap.quiescing import Quiescing
from hotswap.states import State

if TYPE_CHECKING:
    from hotswap.lifecycle import Lifecycle, Note


class Opening:
    """One attempt to open what a plan asks for.

    Args:
        closing: what leaves in the same plan.
        fresh: ids of plugins whose code is imported anew.
        prepared: what came of preparing plugins for which that was done before.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        plan: Plan,
        closing: Iterable[Instance],
        fresh: Collection[str],
        prepared: Mapping[str, Prepared | HotswapError],
    ) -> None:
        self.opened: list[Instance] = []
        self._life = lifecycle
        self._plan = plan
        self._leaving = {each.id: each for each in closing}
        self._fresh = fresh
        self._prepared_before = prepared
        self._prepared: list[Prepared] = []
        self._notes: dict[str, Note | None] = {}
        self._first = 0
        """How many were opened before any call had to wait."""
        self._lost = False
        self._ahead = Ahead(plan.selected)
        settings = plan.settings
        self._quiescing = Quiescing(lifecycle, self._ahead, settings.hold_timeout, settings.drain_timeout)
        self.errors = self._quiescing.errors
        """What went wrong with those that were drained or closed before the switch."""

    async def run(self, opening: Collection[Found]) -> None:
        """Import all of it, hold it against what it needs, then open it in order."""
        self._notes = {each.id: self._life.notes.get(each.id) for each in opening}
        for each in opening:
            await self._prepare(each)
        check_names(self._prepared, self._life.wiring, leaving=self._leaving)
        check_gaps(self._prepared, self._life.wiring, self._plan)
        self._life.wiring.ahead = self._ahead
        first, then = self._quiescing.plan(self._prepared, self._leaving)
        await self._open_all(first)
        self._first = len(self.opened)
        await self._open_all(then)
        stays = (each.staging for each in self.opened), (each.staging for each in self._leaving.values())
        self._life.hooks.check(*stays)

    async def _prepare(self, found: Found) -> None:
        life = self._life
        ready = self._prepared_before.get(found.id)
        if ready is None:
            life.note(found.id, State.LOADING, "its code is being imported")
            fresh = found.id in self._fresh
            ready = await prepare(found, life.ports, self._plan.settings, life.environ, fresh=fresh)
        elif isinstance(ready, HotswapError):
            raise ready
        self._prepared.append(ready)
        life.remember(ready)

    async def _open_all(self, prepared: Collection[Prepared]) -> None:
        for ready in prepared:
            if any(each.exclusive for each in ready.found.manifest.provides):
                await self._life.gone(ready.found.id)  # disabled a moment ago, it may have calls inside still
        for ready in prepared:
            if self.opened:
                self._fill_empty(self.opened[-1])
            await self._open(ready)

    async def _open(self, ready: Prepared) -> None:
        plugin = ready.found.id
        self._life.note(plugin, State.LOADING, "its code is in, and it is being opened")
        old = self._leaving.get(plugin)
        if old is not None:
            await self._quiescing.make_way(old)
        instance = self._life.instance(ready, self._plan.settings, self._plan.providers)
        await self._start(instance, None if old is None else lambda: self._quiescing.take(old))
        self.opened.append(instance)
        self._ahead.add(instance.generations)

    async def _start(self, instance: Instance, take: Take | None) -> None:
        """Open an instance; calls that this makes are known as its own, also in tasks that are begun by it."""
        self._ahead.consumers.add(instance.consumer.key)
        before = opener.set(instance.consumer.key)
        try:
            await instance.open(take)
        finally:
            opener.reset(before)

    def _fill_empty(self, instance: Instance) -> None:
        """Let an opened plugin serve ports that nobody serves: what opens after it may call it at once."""
        wiring = self._life.wiring
        served = [each for each in instance.generations if wiring.providers(each.provider.port)]
        wiring.lend(served)
        if len(served) < len(instance.generations):
            empty = [each for each in instance.generations if each not in served]
            wiring.switch(self._life.ports_of(empty), empty, ())

    def end(self) -> None:
        """The switch is done: let the calls that wait go on to what is new."""
        self._life.wiring.ahead = None
        for each in self.opened:
            self._life.wiring.slots.unpin(each.consumer.key)
        self._quiescing.release()
        self._quiescing.warn(self.opened)

    async def undo(self, error: BaseException) -> None:
        """Take everything back, in reverse; what goes wrong with that is noted on ``error``."""
        self._life.wiring.ahead = None
        self._ahead.coming.clear()
        generations = [generation for each in self.opened for generation in each.generations]
        self._life.wiring.switch(self._life.ports_of(generations), (), generations)
        first, then = self.opened[: self._first], self.opened[self._first :]
        beside = {each.id for each in first}
        await self._close(then, error)
        self._drop([each for each in self._prepared if each.found.id not in beside])
        self._restore_notes()
        await self._quiescing.undo(lambda old, handed: self._reopen(old, handed, error))
        await self._close(first, error)  # calls inside these may have waited
        self._drop([each for each in self._prepared if each.found.id in beside])
        for problem in self.errors:
            error.add_note(f"Before that: {describe(problem)}")
        if self.opened and not self._lost:
            done = ", ".join(each.id for each in reversed(self.opened))
            error.add_note(f"Undone: {done}. Everything is as it was before.")

    async def _close(self, opened: list[Instance], error: BaseException) -> None:
        for instance in reversed(opened):
            instance.staging.discard()
            for problem in (*await instance.drain(self._plan.settings.drain_timeout), *await instance.close()):
                error.add_note(f"While undoing {instance.id}: {describe(problem)}")

    def _drop(self, prepared: list[Prepared]) -> None:
        for ready in reversed(prepared):
            undo(ready.loaded)

    def _restore_notes(self) -> None:
        for plugin, note in self._notes.items():
            if note is None:
                self._life.notes.pop(plugin, None)
            else:
                self._life.notes[plugin] = note

    async def _reopen(self, old: Instance, handed: Handed | None, error: BaseException) -> None:
        """Open another generation that is like the old one, which was closed."""

        async def state() -> Handed | None:
            return handed

        again = self._life.instance(old.prepared, self._plan.settings, self._plan.providers)
        try:
            await self._start(again, state)
        except Exception as failed:  # noqa: BLE001 - noted, and the plugin is failed: there is nothing else to go back to
            error.add_note(f"{old.id} could not be opened again: {describe(failed)}")
            self._lost = True
            self._life.lose(old, failed)
            return
        self._life.replace(old, again)
