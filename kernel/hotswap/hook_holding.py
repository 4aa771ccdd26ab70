"""Calls that wait: a plugin whose handlers they would come to is being replaced, and cannot be open twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from types import FrameType
from typing import Any, TypeAlias

from loguru import logger

from hotswap.gate import Gate
from hotswap.hook_calls import Invoke, MethodHooks, items_of
from hotswap.hook_code import inside
from hotswap.hook_entry import Entry
from hotswap.hook_leases import Leased
from hotswap.hook_points import Stage
from hotswap.hook_record import HookRecord
from hotswap.hook_registry import Key
from hotswap.within import runs_within

Passes: TypeAlias = Callable[[asyncio.Task[Any] | None], bool]
_RUNS = ("_rest", "stream", "fire")
"""Methods of what is compiled in which a run is inside, and may await what is not its own."""


class HookHold(Gate):
    """What the calls to one plugin's handlers wait for. When it is released they go on to those in force then.

    Args:
        owner: stands for the generation of the plugin that is about to be closed.
        plugin: its id.
        keys: the chains that its handlers are in. Closing it takes them out, and calls go on waiting.
        seconds: how long a call waits; after that it goes past the handlers.
        passes: tells of a call whether what holds it up waits for it.
    """

    def __init__(self, owner: object, plugin: str, keys: frozenset[Key], seconds: float, passes: Passes) -> None:
        super().__init__(seconds)
        self._passes = passes
        self.owner = owner
        self.plugin = plugin
        self.keys = keys

    def concerns(self, source: str, task: asyncio.Task[Any] | None = None) -> bool:
        """Return whether a call has to wait.

        Not the plugin's own calls, nor what the plugin waits for itself: calls from within a handler, from within a
        call that has yet to come to a handler of the plugin, and from within a call that has yet to leave it.

        Args:
            task: of the call, where that is suspended.
        """
        if source == self.plugin or inside.get() or self._passes(task):
            return False
        return not runs_within(self._is_ahead, task)

    def _is_ahead(self, frame: FrameType) -> bool:
        hooks = frame.f_locals.get("self") if frame.f_code.co_name in _RUNS else None
        return isinstance(hooks, Leased) and bool(hooks.ahead(self.owner))

    async def wait(self, source: str) -> bool:
        """Return whether it was released in time; say so where it was not, unless there is nothing to wait for."""
        concerned = True

        def must(task: asyncio.Task[Any] | None) -> bool:
            nonlocal concerned
            concerned = self.concerns(source, task)
            return concerned

        if await self.opens(must):
            return True
        if not concerned:
            return False
        text = "A call waited {:g} s for {!r} to be replaced, and goes on without its hooks"
        logger.bind(plugin=self.plugin).warning(text, self.seconds, self.plugin)
        return False


class Holds:
    """The plugins of one kernel whose handlers calls wait for."""

    def __init__(self) -> None:
        self._by_owner: dict[object, HookHold] = {}

    def add(self, hold: HookHold) -> None:
        """Let calls that begin from now on wait."""
        self._by_owner[hold.owner] = hold

    def end(self, hold: HookHold) -> None:
        """Let calls wait no more; those that do go on."""
        if self._by_owner.get(hold.owner) is hold:
            del self._by_owner[hold.owner]
        hold.release()

    def at(self, *keys: Key) -> tuple[HookHold, ...]:
        """Return those that concern some chains."""
        if not self._by_owner:
            return ()
        return tuple(each for each in self._by_owner.values() if not each.keys.isdisjoint(keys))

    def free(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the handlers that nobody has to wait for."""
        return [each for each in entries if each.owner not in self._by_owner]


class HeldHooks(MethodHooks):
    """The handlers around one method while some are held: calls wait until they are not, or go past them.

    Its own handlers are those that are not held.
    """

    __slots__ = ("_holds",)

    def __init__(
        self,
        port: str,
        method: str,
        entries: Mapping[Stage, Iterable[Entry]],
        record: HookRecord,
        seconds: float,
        latest: Callable[[str, str], MethodHooks | None],
        holds: tuple[HookHold, ...],
    ) -> None:
        super().__init__(port, method, entries, record, seconds, latest)
        self._holds = holds

    def enter(self, arguments: dict[str, Any], source: str) -> Callable[[Invoke], Awaitable[Any]] | None:
        if any(each.concerns(source) for each in self._holds):
            return partial(self._held, arguments, source)
        return super().enter(arguments, source)

    async def _held(self, arguments: dict[str, Any], source: str, invoke: Invoke) -> Any:
        if await wait_for(self._holds, source):
            latest = self._latest(self._port, self._method)
            rest = None if latest is None else latest.enter(arguments, source)
        else:
            rest = super().enter(arguments, source)
        return await (invoke(**arguments) if rest is None else rest(invoke))

    async def stream(
        self, invoke: Callable[..., AsyncIterator[Any]], arguments: dict[str, Any], *, source: str = ""
    ) -> AsyncGenerator[Any, None]:
        following: Callable[..., AsyncGenerator[Any, None]] | None = super().stream
        if any(each.concerns(source) for each in self._holds) and await wait_for(self._holds, source):
            latest = self._latest(self._port, self._method)
            following = None if latest is None else latest.stream
        hooked = invoke(**arguments) if following is None else following(invoke, arguments, source=source)
        async with aclosing(items_of(hooked)) as items:
            async for item in items:
                yield item


async def wait_for(holds: Iterable[HookHold], source: str) -> bool:
    """Wait for those that concern a call; return whether all were released in time."""
    return all([await each.wait(source) for each in holds if each.concerns(source)])
