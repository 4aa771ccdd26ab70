"""Hooks around the calls of one port method."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from attrs import evolve

from hotswap.errors import HookAborted, nearest
from hotswap.hook_chain import Chain, Moment, Unusable
from hotswap.hook_entry import Entry
from hotswap.hook_leases import Leased
from hotswap.hook_points import Stage
from hotswap.hook_record import HookRecord
from hotswap_ports.hooks import HookContext, Skip

Invoke: TypeAlias = Callable[..., Awaitable[Any]]

NOWHERE = HookContext()
surroundings: ContextVar[HookContext] = ContextVar("hotswap_surroundings", default=NOWHERE)
"""Request, protocol and step that the current code works on; whoever runs a protocol or a workflow sets it."""


class Before(Moment):
    """Before a call: arguments may be replaced, or the call skipped."""

    __slots__ = ("arguments",)

    arguments: dict[str, Any]

    def modify(self, changes: Mapping[str, Any]) -> None:
        new = _only(changes, "arguments")
        if not isinstance(new, Mapping):
            raise Unusable(f"the new arguments are {type(new).__name__}, and not a mapping by parameter name")
        for name in new:
            if name not in self.arguments:
                hint = nearest(str(name), self.arguments) or f"Its parameters: {', '.join(self.arguments) or 'none'}."
                raise Unusable(f"the method has no parameter {name!r}. {hint}")
        self.arguments = {**self.arguments, **new}
        self.data = _data(self.arguments)

    def take_skip(self, action: Skip) -> None:
        self.skip = action


class BeforeStream(Before):
    """Before a stream: what is given in its place must be items."""

    __slots__ = ()

    def take_skip(self, action: Skip) -> None:
        result = action.result
        single = isinstance(result, str | bytes | Mapping)
        if not hasattr(result, "__aiter__") and (single or not hasattr(result, "__iter__")):
            raise Unusable(f"the answer of a stream is an iterable of its items, and not {type(result).__name__}")
        super().take_skip(action)


class After(Moment):
    """After a call: the result may be replaced."""

    __slots__ = ("arguments", "result")

    arguments: dict[str, Any]
    result: Any

    def modify(self, changes: Mapping[str, Any]) -> None:
        self.result = _only(changes, "result")
        self.data = _data(self.arguments, result=self.result)


class AfterStream(After):
    """After a stream: its items are gone."""

    __slots__ = ()

    def modify(self, changes: Mapping[str, Any]) -> None:
        raise Unusable("the items of a stream have been handed out already")


class Failed(Moment):
    """After a call that failed: to look at, or to abort with another reason."""

    __slots__ = ()


class MethodHooks(Leased):
    """The handlers around one method of a port, as they were when it was made.

    Order: handlers before, the call, handlers after (or those for errors). A call that was skipped has handlers after
    it like any other; one that was aborted before it began has neither. Cancelling is nobody's failure.

    Args:
        latest: gives what is in force for a method now: whoever still holds this one when others have taken its place
            is led there.
    """

    __slots__ = ("_contexts", "_error", "_follows", "_latest", "_method", "_port", "_post", "_pre")

    def __init__(
        self,
        port: str,
        method: str,
        entries: Mapping[Stage, Iterable[Entry]],
        record: HookRecord,
        seconds: float,
        latest: Callable[[str, str], MethodHooks | None],
    ) -> None:
        self._port, self._method = port, method
        self._latest = latest
        self._contexts: dict[str, tuple[HookContext, HookContext]] = {}
        self._pre, self._post, self._error = (
            Chain(entries[stage], record, seconds) if entries.get(stage) else None for stage in ("pre", "post", "error")
        )
        self._follows = self._post is not None or self._error is not None
        super().__init__(self._pre, self._post, self._error)

    def call(self, invoke: Invoke, arguments: dict[str, Any], *, source: str = "") -> Awaitable[Any]:
        """Call ``invoke(**arguments)`` with the handlers around it, and return what they made of its result.

        Args:
            arguments: every parameter of the method by its name, defaults included; what is not here, no handler
                can set.
            source: id of the plugin that calls; empty for the application.

        Raises:
            HookAborted: a handler returned Abort; so does what is returned.
        """
        rest = self.enter(arguments, source)
        return invoke(**arguments) if rest is None else rest(invoke)

    def enter(self, arguments: dict[str, Any], source: str) -> Callable[[Invoke], Awaitable[Any]] | None:
        """Run the handlers before a call; return what makes the call and runs the rest.

        None: nobody had anything to say and nothing is left to do, so the call may be made as if there were no hooks.
        Most calls are like that, and this is what makes them cheap. Whatever is returned has to be awaited at once.
        """
        if self.retired is not None:
            latest = self._latest(self._port, self._method)
            return None if latest is None else latest.enter(arguments, source)
        kept = self._contexts.get(source)
        context = kept[1] if kept is not None and kept[0] is surroundings.get() else self._context(source)
        pre = self._pre
        if pre is None:
            return partial(self._rest, arguments, context, None, None)
        before = Before()  # filled by hand: as calls, `of` and `_data` are paid by every hooked call
        before.context = context
        before.data = MappingProxyType({"arguments": MappingProxyType(arguments)})
        before.deadline = before.results = before.skip = None
        before.arguments = arguments
        waits = pre.run(pre, before)
        untouched = waits is None and before.arguments is arguments and before.skip is None
        if untouched and not self._follows and self.retired is None:
            return None
        return partial(self._rest, arguments, context, before, waits)

    async def _rest(
        self,
        arguments: dict[str, Any],
        context: HookContext,
        before: Before | None,
        waits: Awaitable[None] | None,
        invoke: Invoke,
    ) -> Any:
        self.join()
        try:
            if before is not None:
                if waits is not None:
                    await waits
                arguments = before.arguments
                if before.skip is not None:
                    return await self._after(context, arguments, before.skip.result)
            try:
                result = await invoke(**arguments)
            except Exception as error:
                await self._failed(context, arguments, error)
                raise
            return result if self._post is None else await self._after(context, arguments, result)
        finally:
            self.leave()

    async def stream(
        self, invoke: Callable[..., AsyncIterator[Any]], arguments: dict[str, Any], *, source: str = ""
    ) -> AsyncGenerator[Any, None]:
        """Iterate over ``invoke(**arguments)``: handlers before the first item, and after the last one.

        Handlers after it see ``None`` as the result. A stream that its reader closes early has neither an end nor an
        error, so no handler follows. Arguments and errors are those of ``call``.
        """
        if self.retired is not None:
            latest = self._latest(self._port, self._method)
            hooked = invoke(**arguments) if latest is None else latest.stream(invoke, arguments, source=source)
            async with aclosing(items_of(hooked)) as items:
                async for item in items:
                    yield item
            return
        self.join()
        try:
            context = self._context(source)
            skip: Skip | None = None
            if self._pre is not None:
                before = BeforeStream().of(context, _data(arguments))
                before.arguments = arguments
                await self._run(self._pre, before)
                arguments, skip = before.arguments, before.skip
            try:
                async with aclosing(items_of(invoke(**arguments) if skip is None else skip.result)) as items:
                    async for item in items:
                        yield item
            except Exception as error:
                await self._failed(context, arguments, error)
                raise
            if self._post is not None:
                await self._run(self._post, AfterStream().of(context, _data(arguments, result=None)))
        finally:
            self.leave()

    async def _after(self, context: HookContext, arguments: dict[str, Any], result: Any) -> Any:
        if self._post is None:
            return result
        after = After().of(context, _data(arguments, result=result))
        after.arguments, after.result = arguments, result
        await self._run(self._post, after)
        return after.result

    async def _failed(self, context: HookContext, arguments: dict[str, Any], error: Exception) -> None:
        if self._error is not None:
            try:
                await self._run(self._error, Failed().of(context, _data(arguments, error=error)))
            except HookAborted as aborted:
                raise aborted from error

    async def _run(self, chain: Chain, moment: Moment) -> None:
        waits = chain.run(chain, moment)
        if waits is not None:
            await waits

    def _context(self, source: str) -> HookContext:
        """Return where a call comes from, and keep it for the next call of that source: calls come in runs."""
        around = surroundings.get()
        kept = self._contexts.get(source)
        if kept is not None and kept[0] is around:
            return kept[1]
        made = evolve(around, source=source or around.source, port=self._port, method=self._method)
        self._contexts[source] = (around, made)
        return made


def _data(arguments: dict[str, Any], **more: Any) -> Mapping[str, Any]:
    return MappingProxyType({"arguments": MappingProxyType(arguments), **more})


def _only(changes: Mapping[str, Any], key: str) -> Any:
    if not isinstance(changes, Mapping) or set(changes) != {key}:
        given = ", ".join(map(repr, changes)) if isinstance(changes, Mapping) else type(changes).__name__
        raise Unusable(f"Modify takes {{{key!r}: ...}} here, and not {given or 'nothing'}")
    return changes[key]


async def items_of(items: Any) -> AsyncGenerator[Any, None]:
    """Iterate over any iterable, async or not, and close it where it can be closed."""
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
