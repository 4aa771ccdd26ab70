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

    def __init__(self, context: HookContext, arguments: dict[str, Any]) -> None:
        self.context = context  # Moment's own fields: this is paid by every hooked call
        self.data = {"arguments": MappingProxyType(arguments)}
        self.arguments = arguments

    def modify(self, changes: Mapping[str, Any]) -> None:
        new = _only(changes, "arguments")
        if not isinstance(new, Mapping):
            raise Unusable(f"the new arguments are {type(new).__name__}, and not a mapping by parameter name")
        for name in new:
            if name not in self.arguments:
                hint = nearest(str(name), self.arguments) or f"Its parameters: {', '.join(self.arguments) or 'none'}."
                raise Unusable(f"the method has no parameter {name!r}. {hint}")
        self.arguments = {**self.arguments, **new}
        self.data = {"arguments": MappingProxyType(self.arguments)}

    def take_skip(self, action: Skip) -> None:
        self.skip = action


class BeforeStream(Before):
    """Before a stream: what is given in its place must be items."""

    def take_skip(self, action: Skip) -> None:
        result = action.result
        single = isinstance(result, str | bytes | Mapping)
        if not hasattr(result, "__aiter__") and (single or not hasattr(result, "__iter__")):
            raise Unusable(f"the answer of a stream is an iterable of its items, and not {type(result).__name__}")
        super().take_skip(action)


class After(Moment):
    """After a call: the result may be replaced."""

    def __init__(self, context: HookContext, arguments: dict[str, Any], result: Any = None) -> None:
        super().__init__(context, {"arguments": MappingProxyType(arguments), "result": result})
        self.arguments = arguments
        self.result = result

    def modify(self, changes: Mapping[str, Any]) -> None:
        self.result = _only(changes, "result")
        self.data = {"arguments": MappingProxyType(self.arguments), "result": self.result}


class AfterStream(After):
    """After a stream: its items are gone."""

    def modify(self, changes: Mapping[str, Any]) -> None:
        raise Unusable("the items of a stream have been handed out already")


class Failed(Moment):
    """After a call that failed: to look at, or to abort with another reason."""

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
        self._port, self._method = port, method
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
        kept = self._contexts.get(source)
        context = kept[1] if kept is not None and kept[0] is surroundings.get() else self._context(source)
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
            before = BeforeStream(context, arguments)
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
            await self._post.run(AfterStream(context, arguments))

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
        """Return where a call comes from, and keep it for the next call of that source: calls come in runs."""
        around = surroundings.get()
        made = evolve(around, source=source or around.source, port=self._port, method=self._method)
        self._contexts[source] = (around, made)
        return made


def _only(changes: Mapping[str, Any], key: str) -> Any:
    if not isinstance(changes, Mapping) or set(changes) != {key}:
        given = ", ".join(map(repr, changes)) if isinstance(changes, Mapping) else type(changes).__name__
        raise Unusable(f"Modify takes {{{key!r}: ...}} here, and not {given or 'nothing'}")
    return changes[key]


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
