"""Runs of handlers are counted, so that a plugin is closed when the last of its handlers has been passed.

What is compiled for a method or a point is replaced when handlers come or leave, and works like a generation: a call
ends with the handlers that it began with. Of a run nothing is recorded but that it is there, until a handler waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from loguru import logger

from hotswap.errors import DrainTimeout
from hotswap.hook_chain import Chain, Moment
from hotswap.hook_code import NOBODY, inside
from hotswap.hook_entry import Entry
from hotswap.undo import GRACE


class Leased:
    """Compiled handlers, and how many runs are inside them.

    Args:
        before: the handlers before a call, or the only ones.
        after: those after it; a run comes to one of these chains at most.
    """

    __slots__ = ("_stages", "leases", "retired")

    def __init__(self, before: Chain | None, *after: Chain | None) -> None:
        self._stages = (before, *after)
        self.leases = 0
        self.retired: Draining | None = None
        """Whom to tell when a run has left; set when others took its place."""

    def _chains(self) -> Iterator[Chain]:
        return (each for each in self._stages if each is not None)

    def waiting(self) -> Iterator[tuple[Chain, Entry, Moment]]:
        """Return the runs in which a handler waits, each with that handler."""
        return ((chain, chain.entries[each.at], each) for chain in self._chains() for each in chain.waiting)

    def ahead(self, owner: object, asking: frozenset[object] = NOBODY, *, cut: bool = True) -> set[Entry]:
        """Return the handlers of ``owner`` that a run is in or may still come to.

        Runs that wait in a handler whose mark is among ``asking`` are left out: they wait for whoever asks. Without
        ``cut``, so are those in a handler that was cut short already.
        """
        first, *others = self._stages
        after = [entry for chain in others if chain is not None for entry in chain.ahead(owner)]
        found: set[Entry] = set()
        elsewhere = self.leases
        for chain, entry, moment in self.waiting():
            elsewhere -= 1
            if not asking >= entry.mark and (cut or not _is_cut(moment)):
                found.update(chain.ahead(owner, moment.at), after if chain is first else ())
        return found.union(after) if elsewhere else found

    def pass_over(self, owner: object) -> None:
        """Let the runs in here go past the handlers of ``owner``."""
        for chain in self._chains():
            chain.pass_over(owner)

    def retire(self, draining: Draining) -> None:
        """Note that others have taken its place."""
        self.retired = draining
        for chain in self._chains():
            chain.moved = draining.moved

    def settle(self) -> None:
        """Note that no run is inside, and none will come."""
        for chain in self._chains():
            chain.settle()

    def join(self) -> None:
        """Note that a run is inside; others may have taken the place of this in the step that it has taken so far."""
        self.leases += 1
        if self.retired is not None:
            self.retired.joined(self)

    def leave(self) -> None:
        """Note that a run has left."""
        self.leases -= 1
        if self.retired is not None:
            self.retired.left(self)


class Draining:
    """What was replaced while runs were inside, until the last of them has left."""

    def __init__(self) -> None:
        self._old: set[Leased] = set()
        self._waiters: set[asyncio.Event] = set()

    def retire(self, old: Leased) -> None:
        """Take what is compiled anew from now on."""
        old.retire(self)
        if old.leases:
            self._old.add(old)
        else:
            old.settle()

    def joined(self, old: Leased) -> None:
        """Note that a run is inside that has begun before the change."""
        self._old.add(old)

    def left(self, old: Leased) -> None:
        """Note that a run has left."""
        if not old.leases:
            self._old.discard(old)
            old.settle()
        self.moved()

    def moved(self) -> None:
        """Note that a run may have passed a handler."""
        for each in self._waiters:
            each.set()

    async def drained(self, owner: object, plugin: str, seconds: float) -> None:
        """Wait until no run is in a handler of ``owner``, or may still come to one.

        Runs that wait in a handler from within which this is asked for are not waited for, nor are those that were
        given up at an earlier deadline.

        Raises:
            DrainTimeout: some had not passed them within ``seconds``. The handlers at work are named and were
                cancelled, and only they. Every call goes on, past the handlers of ``owner`` that it had yet to come to.
        """
        asking = inside.get()

        def passed(cut: bool) -> bool:
            return not any(old.ahead(owner, asking, cut=cut) for old in self._old)

        stuck: list[str] = []
        try:
            if not await self._until(lambda: passed(cut=False), seconds):
                waiting = [each for old in self._old for each in old.waiting()]
                own = [(entry, each) for _, entry, each in waiting if entry.owner is owner and not _is_cut(each)]
                stuck = [_cut(entry, each) for entry, each in own if not asking >= entry.mark]
        finally:
            self._pass_over(owner, plugin)
        if stuck:
            await self._until(lambda: passed(cut=True), GRACE)
            raise DrainTimeout(f"hooks of {plugin}", seconds, stuck)

    async def _until(self, passed: Callable[[], bool], seconds: float) -> bool:
        """Return whether it came to that within so many seconds."""
        moved = asyncio.Event()
        self._waiters.add(moved)
        try:
            async with asyncio.timeout(seconds):
                while not passed():
                    moved.clear()
                    await moved.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(moved)
        return True

    def _pass_over(self, owner: object, plugin: str) -> None:
        ahead = self._ahead(owner)
        for old in self._old:
            old.pass_over(owner)
        points = ", ".join(sorted({each.point for each in ahead - self._ahead(owner)}))
        if points:
            text = "Calls that began before {!r} left end without its hooks at {}"
            logger.bind(plugin=plugin).warning(text, plugin, points)

    def _ahead(self, owner: object) -> set[Entry]:
        return {entry for old in self._old for entry in old.ahead(owner)}


def _is_cut(moment: Moment) -> bool:
    return moment.deadline is not None and moment.deadline.is_cut


def _cut(entry: Entry, moment: Moment) -> str:
    """Cancel a handler that waits, and return where it was."""
    deadline = moment.deadline
    if deadline is None:
        return f"{entry.point}, outside of any task"
    deadline.cut("its plugin is going away")
    return f"{entry.point} in task {deadline.task.get_name()}, after {deadline.age:.1f} s"
