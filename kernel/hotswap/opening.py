"""What a plan opens, from the first import to the moment before the switch; undone as a whole.

Most plugins are opened beside their old generation, and callers notice nothing. Two kinds let new calls wait instead:
one that cannot be open twice (``exclusive``) is drained and closed first, and one that hands over state is drained
before it is asked for it. Undoing ends both: the old generation serves on, opened again where it had been closed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from hotswap.admission import check_gaps, check_names, is_exclusive
from hotswap.catalog import Found
from hotswap.errors import HotswapError
from hotswap.generation import Generation
from hotswap.guard import describe
from hotswap.handover import Handed, stateful
from hotswap.holding import Held, Hold
from hotswap.instance import Instance
from hotswap.loader import undo
from hotswap.plan import Plan
from hotswap.prepared import Prepared, prepare
from hotswap.slots import Slot
from hotswap.states import State
from hotswap.switchboard import Ahead
from hotswap_ports import Port

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
        self.errors: list[Exception] = []
        """What went wrong with those that were drained or closed before the switch."""
        self._life = lifecycle
        self._plan = plan
        self._leaving = {each.id: each for each in closing}
        self._fresh = fresh
        self._prepared_before = prepared
        self._prepared: list[Prepared] = []
        self._notes: dict[str, Note | None] = {}
        self._holds: list[Hold] = []
        self._releases: list[Callable[[], None]] = []
        """End the waiting of calls for the handlers of those that get no new calls."""
        self._handed: dict[str, Handed] = {}
        self._waiting: dict[str, Instance] = {}
        """Old generations that new calls do not reach any more."""
        self._shut: dict[str, Instance] = {}
        """Those of them that are closed."""
        self._lost = False
        self._ahead = Ahead(plan.selected)

    async def run(self, opening: Collection[Found]) -> None:
        """Import all of it, hold it against what it needs, then open it in order."""
        self._notes = {each.id: self._life.notes.get(each.id) for each in opening}
        for each in opening:
            await self._prepare(each)
        check_names(self._prepared, self._life.wiring, leaving=self._leaving)
        check_gaps(self._prepared, self._life.wiring, self._plan)
        self._life.wiring.ahead = self._ahead
        for ready in self._prepared:
            if self.opened:
                self._fill_empty(self.opened[-1])
            await self._open(ready)
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

    async def _open(self, ready: Prepared) -> None:
        plugin = ready.found.id
        self._life.note(plugin, State.LOADING, "its code is in, and it is being opened")
        old = self._leaving.get(plugin)
        if old is not None and is_exclusive(old.manifest, ready.found.manifest):
            await self._quiesce(old)
        if any(each.exclusive for each in ready.found.manifest.provides):
            await self._life.gone(plugin)  # one that was disabled a moment ago may have calls inside still
        instance = self._life.instance(ready, self._plan.settings, self._plan.providers)
        self._ahead.consumers.add(instance.consumer.key)
        await instance.open(None if old is None else lambda: self._take(old))
        self.opened.append(instance)
        self._ahead.add(instance.generations)

    def _fill_empty(self, instance: Instance) -> None:
        """Let an opened plugin serve ports that nobody serves: what opens after it may call it at once."""
        wiring = self._life.wiring
        served = [each for each in instance.generations if wiring.providers(each.provider.port)]
        wiring.lend(served)
        if len(served) < len(instance.generations):
            empty = [each for each in instance.generations if each not in served]
            wiring.switch(self._life.ports_of(empty), empty, ())

    async def _take(self, old: Instance) -> Handed | None:
        """Return the state of the old generation; from here on it gets no new calls and has none left."""
        if old.id not in self._handed and stateful(old.parts()):
            await self._wait(old)
            self._handed[old.id] = await old.snapshot()
        return self._handed.get(old.id)

    async def _quiesce(self, old: Instance) -> None:
        """Close the old generation before the new one opens; new calls wait meanwhile."""
        await self._wait(old)
        if stateful(old.parts()):
            self._handed[old.id] = await old.snapshot()
        self._shut[old.id] = old
        self.errors += await old.shut()

    async def _wait(self, old: Instance) -> None:
        """Let new calls wait, until those inside have left."""
        if old.id in self._waiting:
            return
        self._waiting[old.id] = old
        self._life.note(old.id, State.DRAINING, "new calls wait until another generation of it is open")
        seconds = self._plan.settings.hold_timeout
        self._releases.append(old.staging.hold(seconds))
        for each in old.generations:
            hold = Hold(each, seconds)
            self._holds.append(hold)
            self._life.wiring.stand_in(each, partial(_held, hold))
        self.errors += await old.drain(self._plan.settings.drain_timeout)

    def end(self) -> None:
        """The switch is done: let the calls that wait go on to what is new."""
        self._life.wiring.ahead = None
        for each in self.opened:
            self._life.wiring.slots.unpin(each.consumer.key)
        self._release()

    def _release(self) -> None:
        if self._holds:
            self._life.wiring.step_aside([each.held for each in self._holds])
        for each in self._holds:
            each.release()
        for release in self._releases:
            release()

    async def undo(self, error: BaseException) -> None:
        """Take everything back, in reverse; what goes wrong with that is noted on ``error``."""
        self._life.wiring.ahead = None
        generations = [generation for each in self.opened for generation in each.generations]
        self._life.wiring.switch(self._life.ports_of(generations), (), generations)
        for instance in reversed(self.opened):
            instance.staging.discard()
            for problem in (*await instance.drain(instance.stack.seconds), *await instance.close()):
                error.add_note(f"While undoing {instance.id}: {describe(problem)}")
        for ready in reversed(self._prepared):
            undo(ready.loaded)
        self._restore_notes()
        for old in self._waiting.values():
            await self._go_on(old, error)
        self._release()
        for problem in self.errors:
            error.add_note(f"Before that: {describe(problem)}")
        if self.opened and not self._lost:
            done = ", ".join(each.id for each in reversed(self.opened))
            error.add_note(f"Undone: {done}. Everything is as it was before.")

    def _restore_notes(self) -> None:
        for plugin, note in self._notes.items():
            if note is None:
                self._life.notes.pop(plugin, None)
            else:
                self._life.notes[plugin] = note

    async def _go_on(self, old: Instance, error: BaseException) -> None:
        """Let an old generation serve on: as it is, or opened again where it was closed already."""
        if old.id not in self._shut:
            for each in old.generations:
                each.resume()
            return
        handed = self._handed.get(old.id)

        async def state() -> Handed | None:
            return handed

        again = self._life.instance(old.prepared, self._plan.settings, self._plan.providers)
        try:
            await again.open(state)
        except Exception as failed:  # noqa: BLE001 - noted, and the plugin is failed: there is nothing else to go back to
            error.add_note(f"{old.id} could not be opened again: {describe(failed)}")
            self._lost = True
            self._life.lose(old, failed)
            return
        self._life.replace(old, again)


def _held(hold: Hold, generation: Generation, slot: Slot, onward: Port) -> Held:
    return Held(hold, onward)
