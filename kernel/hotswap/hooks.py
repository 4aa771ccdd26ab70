"""Hooks: who wants to know, or to have a say, when something happens.

``Hooks`` belongs to one kernel. A handler is put in force by ``on``, or collected in a ``Staging`` while its plugin is
opened and put in force with everything else of it, in one step without an ``await``.

A handler's failure (an exception, no answer in time, an answer that means nothing there) is logged, counted and kept,
and the chain goes on. What a handler calls itself goes past that handler, also from tasks it starts: a hook on
``pre_storage_write`` that writes to the storage is not called for its own writes. The bound on a handler's time
counts from its first ``await`` that waits: a synchronous handler that blocks blocks the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hotswap.hook_calls import MethodHooks, surroundings
from hotswap.hook_chain import HookResult
from hotswap.hook_fired import FiredHooks, HookOutcome
from hotswap.hook_holding import HeldHooks, Holds, wait_for
from hotswap.hook_leases import Draining, Leased
from hotswap.hook_points import Points, Stage
from hotswap.hook_record import HookCount, HookFailure, HookRecord
from hotswap.hook_registry import HookRegistry, Key, Methods
from hotswap.hook_staging import Staging, switch
from hotswap_ports.hooks import Handler, HookContext

__all__ = ["HookCount", "HookFailure", "HookOutcome", "HookResult", "Hooks", "MethodHooks", "Staging", "surroundings"]

HANDLER_TIMEOUT = 10.0
"""Seconds that a handler may wait: a caller waits with it, and a person gives up on an answer after about that long."""


class Hooks:
    """The hooks of one kernel.

    Args:
        ports: for each port's name, its methods that are async (streams included).
        handler_timeout: seconds that a handler may wait before it counts as failed.
    """

    def __init__(self, ports: Mapping[str, Iterable[str]], *, handler_timeout: float = HANDLER_TIMEOUT) -> None:
        self.points = Points(ports)
        self.record = HookRecord()
        self.revision = 0
        """Grows with every change in force."""
        self.on_change: list[Callable[[Methods], None]] = []
        """Called after a change, within the same step, with the methods whose hooks changed."""
        self.handler_timeout = handler_timeout
        """Seconds that a handler may wait; for handlers that join or leave from now on."""
        self._registry = HookRegistry(self.points, self.record, self._changed)
        self._compiled: dict[tuple[str, str], MethodHooks] = {}
        self._fired: dict[str, FiredHooks] = {}
        self._draining = Draining()
        self._holds = Holds()

    def on(
        self,
        point: str,
        handler: Handler,
        *,
        source: str = "",
        priority: int = 0,
        before: Iterable[str] = (),
        after: Iterable[str] = (),
    ) -> Callable[[], None]:
        """Put ``handler`` in force at ``point``; what is returned takes it out again, and does nothing twice.

        Args:
            source: id of the plugin it belongs to; empty for the application.
            priority: lower runs first; equal ones in the order of their registration.
            before: ids of plugins whose handlers have to run after this one; it beats every priority.
            after: ids of plugins whose handlers have to run first; it beats every priority.

        Raises:
            HookInvalid: there is no such point, or the order contradicts itself.
        """
        entry = self._registry.entry(point, handler, source, priority, before, after)
        self._registry.replace((), (entry,))
        return lambda: self._registry.replace((entry,), ())

    def staged(self, source: str) -> Staging:
        """Return what collects the handlers of a plugin that is being opened."""
        return Staging(self._registry, self._draining, self._holds, source)

    def switch(self, come: Iterable[Staging] = (), leave: Iterable[Staging] = ()) -> None:
        """Let the handlers of some plugins leave and those of others come, in one step: all of it or nothing.

        Raises:
            HookInvalid: the order would contradict itself; nothing was changed.
        """
        switch(self._registry, come, leave)

    def check(self, come: Iterable[Staging] = (), leave: Iterable[Staging] = ()) -> None:
        """Raise HookInvalid where ``switch`` would, and change nothing."""
        switch(self._registry, come, leave, dry=True)

    def remove_source(self, source: str) -> int:
        """Take out all handlers of one plugin at once; return how many there were."""
        gone = self._registry.of_source(source)
        self._registry.replace(gone, ())
        return len(gone)

    def for_method(self, port: str, method: str) -> MethodHooks | None:
        """Return the hooks around a method; None when there are none. The same object until they change."""
        compiled = self._compiled.get((port, method))
        if compiled is not None:
            return compiled
        stages: tuple[Stage, ...] = ("pre", "post", "error")
        entries = {stage: found for stage in stages if (found := self._registry.chain((port, method, stage)))}
        holds = self._holds.at(*((port, method, stage) for stage in stages))
        if not entries and not holds:
            return None
        free = {stage: self._holds.free(found) for stage, found in entries.items()}
        parts = (port, method, free, self.record, self.handler_timeout, self.for_method)
        compiled = self._compiled[port, method] = HeldHooks(*parts, holds) if holds else MethodHooks(*parts)
        return compiled

    async def fire(
        self, point: str, data: Mapping[str, Any] | None = None, context: HookContext | None = None
    ) -> HookOutcome:
        """Call the handlers at a point that belongs to no call; ``context`` defaults to the surroundings.

        Raises:
            HookAborted: a handler returned Abort.
            HookInvalid: there is no such point, or it belongs to the calls of a port.
        """
        context = surroundings.get() if context is None else context
        await wait_for(self._holds.at(point), context.source)
        fired = self._fired.get(point)
        if fired is None:
            self.points.check_fired(point)
            entries = self._holds.free(self._registry.chain(point))
            if not entries:
                return HookOutcome(point, MappingProxyType(dict(data or {})))
            fired = self._fired[point] = FiredHooks(point, entries, self.record, self.handler_timeout)
        return await fired.fire(dict(data or {}), context)

    def hears(self, point: str) -> bool:
        """Return whether anybody would be called at a point that belongs to no call."""
        return bool(self._registry.chain(point) or self._holds.at(point))

    def registered(self, source: str | None = None) -> Sequence[tuple[str, str, int]]:
        """Return point, plugin id and priority of every handler in force, in the order they came."""
        return [(each.point, each.source, each.priority) for each in self._registry.of_source(source)]

    def _changed(self, keys: Collection[Key]) -> None:
        methods = frozenset((key[0], key[1]) for key in keys if not isinstance(key, str))
        old: list[Leased | None] = [self._compiled.pop(method, None) for method in methods]
        old += [self._fired.pop(key, None) for key in keys if isinstance(key, str)]
        for each in old:
            if each is not None:
                self._draining.retire(each)
        self.revision += 1
        for tell in tuple(self.on_change):
            tell(methods)
