"""Hooks around the calls of one port method."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from attrs import evolve

from hotswap.errors import HookAborted, nearest
from hotswap.hook_chain import Chain, Entry, Moment, Unusable
from hotswap.hook_points import Stage
from hotswap.hook_record import HookRecord
from hotswap_ports.hooks import HookContext, Skip

NOWHERE = HookContext()
surroundings: ContextVar[HookContext] = ContextVar("hotswap_surroundings", default=NOWHERE)
"""Request, protocol and step that the current code works on; whoever runs a protocol or a workflow sets it."""


class Before(Moment):
    """Before a call: arguments may be replaced, or the call skipped."""

    __slots__ = ("_streams", "arguments")

    def __init__(self, context: HookContext, arguments: dict[str, Any], *, streams: bool = False) -> None:
        super().__init__(context, {"arguments": MappingProxyType(arguments)})
        self.arguments = arguments
        self._streams = streams

    def modify(self, changes: Mapping[str, Any]) -> None:
        new = _only(changes, "arguments")
        if not isinstance(new, Mapping):
            raise Unusable(f"the new arguments are {type(new).__name__}, and not a mapping by parameter name")
        for name in new:
            if name not in self.arguments:
                hint = nearest(str(name), self.arguments) or f"Its parameters: {', '.join(self.arguments) or 'none'}."
                raise Unusable(f"the method has no parameter {name!r}. {hint}")
        self.arguments = {**self.arguments, **new}
        self.data = MappingProxyType({"arguments": MappingProxyType(self.arguments)})

    def take_skip(self, action: Skip) -> None:
        if self._streams and not (hasattr(action.result, "__aiter__") or _is_items(action.result)):
            raise Unusable(
                f"the answer of a stream is an iterable of its items, and not {type(action.result).__name__}"
            )
        self.skip = action


class After(Moment):
    """After a call: the result may be replaced, but not that of a stream, whose items are gone."""

    __slots__ = ("_streams", "result")

    def __init__(
        self, context: HookContext, arguments: dict[str, Any], result: Any = None, *, streams: bool = False
    ) -> None:
        super().__init__(context, {"arguments": MappingProxyType(arguments), "result": result})
        self.result = result
        self._streams = streams

    def modify(self, changes: Mapping[str, Any]) -> None:
        new = _only(changes, "result")
        if self._streams:
            raise Unusable("the items of a stream have been handed out already")
        self.result = new
        self.data = MappingProxyType({**self.data, "result": new})


class Failed(Moment):
    """After a call that failed: to look at, or to abort with another reason."""

    __slots__ = ()

    def __init__(self, context: HookContext, arguments: dict[str, Any], error: Exception) -> None:
        super().__init__(context, {"arguments": MappingProxyType(arguments), "error": error})


class MethodHooks:
    """The handlers around one method of a port, as they were when it was made.

    Order: handlers before, the call, handlers after (or those for errors). A call that was skipped has handlers after
    it like any other; one that was aborted before it began has neither. Cancelling is nobody's failure.
    """

    def __init__(
        self, port: str, method: str, entries: Mapping[Stage, Iterable[Entry]], record: HookRecord, seconds: float
    ) -> None:
        self._plain = HookContext(port=port, method=method)
        self._contexts: dict[str, tuple[HookContext, HookContext]] = {}
        self._pre, self._post, self._error = (
            Chain(entries[stage], record, seconds) if entries.get(stage) else None for stage in ("pre", "post", "error")
        )

    async def call(self, invoke: Callable[..., Awaitable[Any]], arguments: dict[str, Any], *, source: str = "") -> Any:
        """Call ``invoke(**arguments)`` with the handlers around it, and return what they made of its result.

        Args:
            arguments: every parameter of the method by its name, defaults included; what is not here, no handler
                can set.
            source: id of the plugin that calls; empty for the application.

        Raises:
            HookAborted: a handler returned Abort.
        """
        context = self._context(source)
        if self._pre is not None:
            before = Before(context, arguments)
            await self._pre.run(before)
            arguments = before.arguments
            if before.skip is not None:
                return await self._after(context, arguments, before.skip.result)
        try:
            result = await invoke(**arguments)
        except Exception as error:
            await self._failed(context, arguments, error)
            raise
        return result if self._post is None else await self._after(context, arguments, result)

    async def stream(
        self, invoke: Callable[..., AsyncIterator[Any]], arguments: dict[str, Any], *, source: str = ""
    ) -> AsyncGenerator[Any, None]:
        """Iterate over ``invoke(**arguments)``: handlers before the first item, and after the last one.

        Handlers after it see ``None`` as the result. A stream that its reader closes early has neither an end nor an
        error, so no handler follows. Arguments and errors are those of ``call``.
        """
        context = self._context(source)
        skip: Skip | None = None
        if self._pre is not None:
            before = Before(context, arguments, streams=True)
            await self._pre.run(before)
            arguments, skip = before.arguments, before.skip
        try:
            async with aclosing(_items(invoke(**arguments) if skip is None else skip.result)) as items:
                async for item in items:
                    yield item
        except Exception as error:
            await self._failed(context, arguments, error)
            raise
        if self._post is not None:
            await self._post.run(After(context, arguments, streams=True))

    async def _after(self, context: HookContext, arguments: dict[str, Any], result: Any) -> Any:
        if self._post is None:
            return result
        after = After(context, arguments, result)
        await self._post.run(after)
        return after.result

    async def _failed(self, context: HookContext, arguments: dict[str, Any], error: Exception) -> None:
        if self._error is not None:
            try:
                await self._error.run(Failed(context, arguments, error))
            except HookAborted as aborted:
                raise aborted from error

    def _context(self, source: str) -> HookContext:
        """Return where the call comes from; the last one of each source is kept, since most calls come in runs."""
        around = surroundings.get()
        kept = self._contexts.get(source)
        if kept is None or kept[0] is not around:
            made = evolve(around, source=source or around.source, port=self._plain.port, method=self._plain.method)
            kept = self._contexts[source] = (around, made)
        return kept[1]


def _only(changes: Mapping[str, Any], key: str) -> Any:
    if not isinstance(changes, Mapping) or set(changes) != {key}:
        given = ", ".join(map(repr, changes)) if isinstance(changes, Mapping) else type(changes).__name__
        raise Unusable(f"Modify takes {{{key!r}: ...}} here, and not {given or 'nothing'}")
    return changes[key]


def _is_items(result: Any) -> bool:
    return hasattr(result, "__iter__") and not isinstance(result, str | bytes | Mapping)


async def _items(items: Any) -> AsyncGenerator[Any, None]:
    if not hasattr(items, "__aiter__"):
        for item in items:
            yield item
        return
    try:
        async for item in items:
            yield item
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
