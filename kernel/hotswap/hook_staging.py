"""The handlers of one plugin, which come and leave together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hotswap.errors import HookInvalid
from hotswap.hook_entry import Entry
from hotswap.hook_holding import Holds, HookHold, Passes
from hotswap.hook_leases import Draining
from hotswap.hook_registry import HookRegistry, keys_of
from hotswap_ports.hooks import Handler


class Staging:
    """Collects handlers while a plugin is opened; they are in force from ``commit`` (or ``Hooks.switch``) on.

    After that ``on`` takes effect at once. ``discard`` ends it, whichever state it is in.
    """

    def __init__(self, registry: HookRegistry, draining: Draining, holds: Holds, source: str) -> None:
        self.source = source
        self._registry = registry
        self._draining = draining
        self._holds = holds
        self._owner = object()
        self._pending: list[Entry] = []
        self._in_force: list[Entry] = []
        self._live = False
        self._ended = False

    def on(
        self,
        point: str,
        handler: Handler,
        *,
        priority: int = 0,
        before: Iterable[str] = (),
        after: Iterable[str] = (),
    ) -> Callable[[], None]:
        """Register a handler as ``Hooks.on`` does, with the same errors; ended, it takes nothing more (HookInvalid)."""
        if self._ended:
            raise HookInvalid(point, f"plugin {self.source!r} has been disabled.")
        entry = self._registry.entry(point, handler, self.source, priority, before, after, self._owner)
        if self._live:
            self._registry.replace((), (entry,))
            self._in_force.append(entry)
        else:
            # Another generation of the plugin is to leave in the same switch, so its handlers do not count.
            self._registry.ordered(self._registry.of_source(self.source), (*self._pending, entry))
            self._pending.append(entry)
        return lambda: self._undo(entry)

    def commit(self) -> None:
        """Put what was collected in force, in one step.

        Raises:
            HookInvalid: the order would contradict itself; nothing was changed.
        """
        switch(self._registry, come=(self,))

    def discard(self) -> None:
        """Forget what was collected, take out what is in force, and take nothing more."""
        switch(self._registry, leave=(self,))

    def hold(self, seconds: float, passes: Passes = lambda task: False) -> Callable[[], None]:
        """Let new calls wait that would come to these handlers, until what is returned is called.

        For a plugin that is closed before another generation of it is in force: hold, ``drained``, close, open the
        other, switch, release. A call that waited goes to the handlers that are in force then; one that has waited
        for ``seconds`` goes past these, which is logged. The plugin's own calls, calls from within a handler, and
        calls from within a call that ``drained`` waits for do not wait: they go past these handlers at once, and so
        does a call of which ``passes`` says that it is waited for.
        """
        keys = frozenset(key for entry in self._in_force for key in keys_of(entry))
        hold = HookHold(self._owner, self.source, keys, seconds, passes)
        self._holds.add(hold)
        self._registry.touch(keys)

        def release() -> None:
            self._holds.end(hold)
            self._registry.touch(keys)

        return release

    async def drained(self, seconds: float) -> None:
        """Wait until no call is in one of the handlers that have left or are held, or may still come to one.

        Who waits for this within a handler is not waited for.

        Raises:
            DrainTimeout: some had not passed them within ``seconds``. Handlers that were still at work are named and
                were cancelled, and only they. No call is: each goes on, past those of the handlers that it had yet
                to come to.
        """
        await self._draining.drained(self._owner, self.source, seconds)

    def _undo(self, entry: Entry) -> None:
        if entry in self._pending:
            self._pending.remove(entry)
        elif entry in self._in_force:
            self._in_force.remove(entry)
            self._registry.replace((entry,), ())


def switch(
    registry: HookRegistry, come: Iterable[Staging] = (), leave: Iterable[Staging] = (), *, dry: bool = False
) -> None:
    """Let the handlers of some plugins leave and those of others come, in one step: all of it or nothing.

    Raises:
        HookInvalid: the order would contradict itself; nothing was changed.
    """
    come, leave = tuple(come), tuple(leave)
    gone = [entry for each in leave for entry in each._in_force]
    new = [entry for each in come for entry in each._pending]
    if dry and (gone or new):
        registry.ordered(gone, new)
    if dry:
        return
    registry.replace(gone, new)
    for each in leave:
        each._pending, each._in_force, each._live, each._ended = [], [], False, True
    for each in come:
        each._live = True
        each._in_force += each._pending
        each._pending.clear()
