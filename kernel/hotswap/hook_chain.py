"""Handlers in their order, and how a stage of them is run.

A chain never changes: who joins or leaves makes another one, and what runs already goes on with what it began with.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import Any

from attrs import field, frozen

from hotswap.errors import HookAborted
from hotswap.hook_deadline import Deadline, watched
from hotswap.hook_order import APPLICATION, in_order
from hotswap.hook_points import Target
from hotswap.hook_record import HookCount, HookRecord
from hotswap_ports.hooks import Abort, Action, Continue, Handler, HookContext, HookEvent, Modify, Skip

_ACTIONS = (Continue, Modify, Skip, Abort)


@frozen(eq=False)
class Entry:
    """One registration of a handler."""

    point: str
    source: str
    """The plugin's id; empty for the application."""
    handler: Handler
    targets: frozenset[Target]
    """The calls that the point stands for; none where it is fired by name."""
    number: int
    """Grows with every registration."""
    count: HookCount
    priority: int = 0
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    is_async: bool = field(init=False)

    @is_async.default
    def _decide(self) -> bool:
        return _is_async(self.handler)


_busy: ContextVar[frozenset[Entry]] = ContextVar("hotswap_busy_handlers", default=frozenset())
"""The handlers that the current code runs in: what they call themselves goes past them, or it would never end."""


def _is_async(handler: Any) -> bool:
    while isinstance(handler, partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


class Unusable(Exception):
    """An action that means nothing where it was returned. It never leaves the chain."""


class Moment:
    """What one run of a stage is about. Subclasses say what an action does to it."""

    skip: Skip | None = None
    deadline: Deadline | None = None
    results: list[HookResult] | None = None

    def __init__(self, context: HookContext, data: Mapping[str, Any]) -> None:
        self.context = context
        self.data = data

    def modify(self, changes: Mapping[str, Any]) -> None:
        """Take other data."""
        raise Unusable("Modify means nothing here")

    def take_skip(self, action: Skip) -> None:
        """Take an answer in the call's place."""
        raise Unusable("Skip means something before a call only")


@frozen
class HookResult:
    """What one handler did at a point that was fired."""

    source: str
    action: Action | None = None
    """None when it failed."""
    error: Exception | None = None


class Chain:
    """The handlers of one stage, in their order."""

    __slots__ = ("_record", "_seconds", "_steps")

    def __init__(self, entries: Iterable[Entry], record: HookRecord, seconds: float) -> None:
        # What the loop reads of an entry stands beside it: the loop is paid by every hooked call.
        self._steps = tuple(
            (each, each.handler, each.is_async, each.point, each.count, frozenset((each,)))
            for each in in_order(entries)
        )
        self._record = record
        self._seconds = seconds

    def run(self, moment: Moment) -> Awaitable[None]:
        """Run the handlers; ``moment`` has what came of it.

        Raises:
            HookAborted: a handler returned Abort.
        """
        return watched(self._run(moment), moment, self._seconds)

    async def _run(self, moment: Moment) -> None:
        event: HookEvent | None = None
        last = ""
        results = moment.results
        busy = _busy.get()
        before = _busy.set(busy)
        try:
            for entry, handler, is_async, point, count, alone in self._steps:
                if busy and entry in busy:
                    continue
                _busy.set(busy | alone if busy else alone)
                if event is None or last is not point:
                    last = point
                    event = HookEvent(point, datetime.now(UTC), moment.data, moment.context)
                count.calls += 1
                try:
                    action: Any = await handler(event) if is_async else handler(event)  # type: ignore[misc]
                    if action is not None and type(action) not in _ACTIONS:
                        action = await _checked(action)
                except asyncio.CancelledError as error:
                    self._fail(entry, moment, self._own(moment, error))
                    continue
                except Exception as error:  # noqa: BLE001 - a handler's failure is its own: logged, counted, recorded
                    self._fail(entry, moment, error)
                    continue
                if moment.deadline is not None:
                    moment.deadline.again()
                if action is not None or results is not None:
                    self._apply(entry, moment, action)
                    event = None
                    if moment.skip is not None:
                        return
        finally:
            _busy.reset(before)

    def _own(self, moment: Moment, error: asyncio.CancelledError) -> Exception:
        """Return the failure behind a cancellation, or raise it again where somebody else wants the task to end."""
        if moment.deadline is not None and moment.deadline.end():
            return TimeoutError(f"it did not answer within {self._seconds:g} s")
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise error
        return RuntimeError("it waited for something that was cancelled")

    def _fail(self, entry: Entry, moment: Moment, error: Exception) -> None:
        if moment.deadline is not None:
            moment.deadline.again()
        self._record.failed(entry.point, entry.source, error)
        if moment.results is not None:
            moment.results.append(HookResult(entry.source, error=error))

    def _apply(self, entry: Entry, moment: Moment, action: Action | None) -> None:
        if isinstance(action, Abort):
            raise HookAborted(entry.point, entry.source or APPLICATION, action.reason)
        try:
            if isinstance(action, Modify):
                moment.modify(action.data)
            elif isinstance(action, Skip):
                moment.take_skip(action)
        except Unusable as error:
            self._fail(entry, moment, error)
            return
        if moment.results is not None:
            moment.results.append(HookResult(entry.source, action or Continue()))


async def _checked(answer: Any) -> Action | None:
    """Return the action in an answer of another type: a subclass of one, or an awaitable from a plain function."""
    if inspect.isawaitable(answer):
        answer = await answer
    if answer is None or isinstance(answer, _ACTIONS):
        return answer
    raise TypeError(f"it returned {type(answer).__name__}, and not Continue, Modify, Skip, Abort or None")
