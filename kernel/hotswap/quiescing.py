"""Old generations that get no new calls while a change opens others in their place.

Two kinds are opened that way: what cannot be open twice (``exclusive``) is drained and closed first, and what hands
over state is drained before it is asked for it. Calls inside may need what else is replaced in the same change, so
consumers are held, drained and closed before what they use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from loguru import logger

from hotswap.admission import is_exclusive
from hotswap.ahead import Ahead
from hotswap.generation import Generation
from hotswap.handover import Handed, hands_over, stateful
from hotswap.holding import Held, Hold, Leaving
from hotswap.instance import Instance
from hotswap.prepared import Prepared
from hotswap.slots import Slot
from hotswap.states import State
from hotswap_ports import AIProvider, Port, Storage

if TYPE_CHECKING:
    from hotswap.lifecycle import Lifecycle


class Quiescing:
    """What one change lets rest, from the first call that waits to the last.

    Args:
        ahead: what the change opens.
        seconds: how long a call waits.
        drain_seconds: how long those inside may go on.
    """

    def __init__(self, lifecycle: Lifecycle, ahead: Ahead, seconds: float, drain_seconds: float) -> None:
        self.errors: list[Exception] = []
        """What went wrong with those that were drained or closed."""
        self._life = lifecycle
        self._seconds = seconds
        self._drain_seconds = drain_seconds
        self._ahead = ahead
        self._all = Leaving()
        ahead.inside = self._all.surround
        self._planned: dict[str, Instance] = {}
        """In start order."""
        self._states: dict[str, tuple[str, set[str]]] = {}
        """Plugin -> its version, and what of it has state."""
        self._exclusive: set[str] = set()
        self._begun: set[str] = set()
        self._held: dict[str, Instance] = {}
        """Consumers before what they use."""
        self._holds: dict[str, list[Hold]] = {}
        self._releases: dict[str, Callable[[], None]] = {}
        """End the waiting of calls for the handlers of a plugin."""
        self._handed: dict[str, Handed] = {}
        self._shut: set[str] = set()

    def plan(self, prepared: Collection[Prepared], olds: Mapping[str, Instance]) -> tuple[list[Prepared], ...]:
        """Take in what is opened, in start order; return what is opened before any call has to wait, and the rest."""
        for ready in prepared:
            old = olds.get(ready.found.id)
            if old is None:
                continue
            if states := stateful(old.parts()):
                self._states[old.id] = (old.manifest.raw_version, {*states})
            if is_exclusive(old.manifest, ready.found.manifest):
                self._exclusive.add(old.id)
            elif not (states and hands_over((ready.loaded.plugin_class, *ready.loaded.adapters.values()))):
                continue
            self._planned[old.id] = old
        late = {*self._planned, *_users_of(self._planned, prepared)} if self._planned else set()
        first = [each for each in prepared if each.found.id not in late]
        return first, [each for each in prepared if each.found.id in late]

    async def make_way(self, old: Instance) -> None:
        """Close an old generation that cannot be open beside the new one; new calls wait meanwhile."""
        if old.id in self._exclusive:
            await self._quiesce(old)

    async def take(self, old: Instance) -> Handed | None:
        """Return the state of an old generation; from here on it gets no new calls and has none left."""
        if old.id not in self._handed and old.id in self._states:
            if old.id in self._held and any(each.leases for each in old.generations):  # of what was opened since
                self.errors += await old.drain(self._drain_seconds)
            await self._quiesce(old)
            await self._ask(old)
        handed = self._handed.get(old.id)
        return handed.copied() if handed is not None and old.id in self._shut else handed

    async def _quiesce(self, old: Instance) -> None:
        if old.id in self._begun:
            return
        self._begun.add(old.id)
        for user in self._users(old):
            await self._quiesce(user)
        await self._hold(old)
        if old.id in self._exclusive:
            await self._ask(old)
            self._end(old)
            self._shut.add(old.id)
            self._ahead.closing.add(old.consumer.key)
            self.errors += await old.shut()

    def _users(self, old: Instance) -> list[Instance]:
        """Return those that use a plugin, by way of others that stay as they are too; the last ones first."""
        left = [each for each in self._planned.values() if each.id not in self._begun]
        if not left:
            return []
        users = _users_of([old.id], [each.prepared for each in self._life.instances.values()])
        return [each for each in reversed(left) if each.id in users]

    async def _hold(self, old: Instance) -> None:
        """Let new calls wait, until those inside have left."""
        self._held[old.id] = old
        self._life.note(old.id, State.DRAINING, "new calls wait until another generation of it is open")
        self._releases[old.id] = old.staging.hold(self._seconds, self._ahead.waits)
        self._holds[old.id] = [Hold(each, self._ahead, self._seconds) for each in old.generations]
        self._all.generations += old.generations
        for each in self._holds[old.id]:
            self._life.wiring.stand_in(each.held, partial(_held, each))
        self.errors += await old.drain(self._drain_seconds)

    async def _ask(self, old: Instance) -> None:
        """Ask an old generation for its state, if it has any."""
        if old.id not in self._handed and old.id in self._states:
            self._end(old)
            self._handed[old.id] = await old.snapshot()

    def _end(self, old: Instance) -> None:
        for each in self._holds[old.id]:
            each.over = True

    def release(self) -> None:
        """Let all calls that wait go on to where their slots lead now."""
        self._all.generations.clear()
        for plugin in list(self._holds):
            self._let(plugin)

    def _let(self, plugin: str) -> None:
        holds = self._holds.pop(plugin)
        self._life.wiring.step_aside([each.held for each in holds])
        for each in holds:
            each.release()
        self._releases.pop(plugin)()

    async def undo(self, reopen: Callable[[Instance, Handed | None], Awaitable[None]]) -> None:
        """Let the old generations serve on: as they are, or opened again where they were closed already."""
        self._all.generations.clear()
        for old in reversed(self._held.values()):
            if old.id in self._shut:
                handed = self._handed.get(old.id)
                await reopen(old, None if handed is None else handed.copied())
            else:
                for each in old.generations:
                    each.resume()
            self._let(old.id)

    def warn(self, opened: Iterable[Instance]) -> None:
        """Say where a new generation did not take what the old one had to hand over."""
        for new in opened:
            version, parts = self._states.get(new.id, ("", set()))
            lost = parts and parts - stateful(new.parts()).keys()
            if lost:
                names = ", ".join(each or "the plugin itself" for each in sorted(lost))
                text = "The state of {!r} {} is lost: {} has nothing that restores it ({})"
                logger.bind(plugin=new.id).warning(text, new.id, version, new.manifest.raw_version, names)


def _held(hold: Hold, generation: Generation, slot: Slot, onward: Port) -> Held:
    return Held(hold, onward)


def _users_of(plugins: Iterable[str], among: Collection[Prepared]) -> set[str]:
    """Return the ids of those that use some plugins, directly or by way of others among them."""
    by_id = {each.found.id: each for each in among}
    by_plugin: dict[str, list[str]] = {}
    by_port: dict[str, list[str]] = {}
    for each in among:
        for dependency in each.found.manifest.dependencies:
            by_plugin.setdefault(dependency.id, []).append(each.found.id)
        for port in _ports(each):
            by_port.setdefault(port, []).append(each.found.id)
    found: set[str] = set()
    left = list(plugins)
    while left:
        plugin = left.pop()
        provides = by_id[plugin].found.manifest.provides if plugin in by_id else ()
        users = [*by_plugin.get(plugin, ()), *(user for each in provides for user in by_port.get(each.port, ()))]
        new = {*users} - found
        found |= new
        left += new
    return found


def _ports(ready: Prepared) -> list[str]:
    """Return the ports that a plugin may call: those that it requires, and those that its context gives."""
    given = {"storage_access": Storage.PORT, "llm_access": AIProvider.PORT}
    required = [each.port for each in ready.found.manifest.requires]
    return required + [port for capability, port in given.items() if ready.grants.allows(capability)]
