"""Handlers in their order, and how a stage of them is run.

A chain never changes: who joins or leaves makes another one, and what runs already goes on with what it began with.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Self

from attrs import frozen

from hotswap.errors import HookAborted, says
from hotswap.handles import FAILURES
from hotswap.hook_code import Run, inside, written_out
from hotswap.hook_deadline import DONE, Deadline, Steps, watched
from hotswap.hook_entry import Entry
from hotswap.hook_order import APPLICATION, in_order
from hotswap.hook_record import HookRecord, Tally
from hotswap_ports.hooks import Abort, Action, Continue, HookContext, HookEvent, Modify, Skip, new_event

_ACTIONS = (Continue, Modify, Skip, Abort)


class Unusable(Exception):
    """An action that means nothing where it was returned. It never leaves the chain."""


class Moment:
    """What one run of a stage is about. Subclasses say what an action does to it."""

    __slots__ = ("at", "context", "data", "deadline", "results", "skip")

    at: int
    """Which handler of the chain runs."""
    context: HookContext
    data: Mapping[str, Any]
    deadline: Deadline | None
    """There from the first time on that a handler waits."""
    results: list[HookResult] | None
    """Where what each handler did is noted, if somebody wants to know."""
    skip: Skip | None

    def of(self, context: HookContext, data: Mapping[str, Any]) -> Self:
        """Fill it and return it: every hooked call makes some, and an ``__init__`` would double what that costs."""
        self.context = context
        self.data = data
        self.deadline = self.results = self.skip = None
        return self

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

    __slots__ = ("_record", "_seconds", "_steps", "_tally", "entries", "gone", "moved", "run", "waiting")

    def __init__(self, entries: Iterable[Entry], record: HookRecord, seconds: float) -> None:
        self.entries = in_order(entries)
        # What the loop reads of an entry stands beside it: the loop is paid by every call with more than a few hooks.
        self._steps = tuple(
            (at, each, each.handler, each.is_async, each.point, each.count, each.mark)
            for at, each in enumerate(self.entries)
        )
        self.waiting: set[Moment] = set()
        """Runs in which a handler has waited, until their end."""
        self.gone: frozenset[Entry] = frozenset()
        """Handlers that runs pass over, because their plugin could wait no longer."""
        self.moved: Callable[[], None] | None = None
        """Called when a run may have passed a handler; set once others have taken the chain's place."""
        self._record = record
        self._seconds = seconds
        self._tally = Tally()
        self.run: Run = written_out(self.entries, self._tally) or _walk
        """Run all handlers: ``chain.run(chain, moment)``; as a bound method, it would keep itself alive.

        Returns what is to be awaited where a handler waits, and None where all have run.

        Raises:
            HookAborted: a handler returned Abort; what is to be awaited raises it as well.
        """
        for entry in self.entries:
            entry.count.share(self._tally)

    def settle(self) -> None:
        """Note that there will be no further run, or that the last one has left."""
        runs, self._tally.runs = self._tally.runs, 0
        for entry in self.entries:
            entry.count.take(self._tally, runs)

    def begin(self, work: Coroutine[Any, Any, None], moment: Moment) -> Awaitable[None] | None:
        """Take the first step of a run; return the rest of it where it waits."""
        awaited = next(work.__await__(), DONE)
        return None if awaited is DONE else self.waits(work, awaited, moment)

    async def waits(self, steps: Steps, awaited: Any, moment: Moment) -> None:
        """Go on with a run in which a handler waits."""
        self.waiting.add(moment)
        try:
            await watched(steps, awaited, moment, self._seconds)
        finally:
            self.waiting.discard(moment)
            if self.moved is not None:
                self.moved()

    def ahead(self, owner: object, at: int = -1) -> list[Entry]:
        """Return the handlers of ``owner`` that a run at ``at`` is in or will come to."""
        own = [(number, entry) for number, entry in enumerate(self.entries) if entry.owner is owner]
        return [entry for number, entry in own if number == at or (number > at and entry not in self.gone)]

    def pass_over(self, owner: object) -> None:
        """Let every run go past the handlers of ``owner`` from now on."""
        gone = [entry for entry in self.entries if entry.owner is owner]
        if gone:
            self.gone = self.gone.union(gone)
            self.run = _walk

    async def walk(self, moment: Moment, begin: int = 0) -> None:
        """Run the handlers from the one at ``begin`` on."""
        busy = inside.get()
        event: HookEvent | None = None
        last = ""
        quiet = moment.results is None
        try:
            for at, entry, handler, is_async, point, count, mark in self._steps[begin:]:
                if (busy and busy >= mark) or (self.gone and entry in self.gone):
                    continue
                moment.at = at
                inside.set(busy | mark if busy else mark)
                if event is None or last is not point:
                    last = point
                    event = new_event(point, moment.data, moment.context)
                count.alone += 1
                answer: Any = None
                failed: BaseException | None = None
                try:
                    answer = await handler(event) if is_async else handler(event)  # type: ignore[misc]
                    if answer is not None and type(answer) not in _ACTIONS:
                        answer = await _action(answer)
                except FAILURES as error:  # settled as the handler's own
                    failed = error
                if answer is None and failed is None and quiet and moment.deadline is None:
                    continue
                self._settle(moment, entry, answer, failed)
                if moment.skip is not None:
                    return
                if answer is not None:
                    event = None
        finally:
            inside.set(busy)

    async def rest(self, moment: Moment, answer: Any, failed: BaseException | None) -> None:
        """Settle what the handler at ``moment.at`` answered, or how it failed, and run those after it."""
        entry = self.entries[moment.at]
        for each in self.entries[: moment.at + 1]:
            each.count.alone += 1
        if answer is not None and type(answer) not in _ACTIONS:
            busy = inside.get()
            inside.set(busy | entry.mark)
            try:
                answer = await _action(answer)
            except FAILURES as error:  # settled as the handler's own
                failed = error
            finally:
                inside.set(busy)
        self._settle(moment, entry, answer, failed)
        if moment.skip is None:
            await self.walk(moment, moment.at + 1)

    def _settle(self, moment: Moment, entry: Entry, answer: Any, failed: BaseException | None) -> None:
        """Do what a handler wants, or note its failure.

        Raises:
            HookAborted: it wants to abort.
            CancelledError, KeyboardInterrupt, GeneratorExit: somebody else wants the task to end.
        """
        late = "" if moment.deadline is None else moment.deadline.end()
        if self.moved is not None:
            self.moved()
        problem = failed if failed is None or isinstance(failed, Exception) else _problem(failed, late)
        if problem is None:
            problem = self._apply(moment, entry, answer)
        if problem is not None:
            self._record.failed(entry.point, entry.source, problem)
        if moment.results is not None:
            given = None if problem is not None else answer or Continue()
            moment.results.append(HookResult(entry.source, given, problem))

    def _apply(self, moment: Moment, entry: Entry, action: Action | None) -> Exception | None:
        if isinstance(action, Abort):
            raise HookAborted(entry.point, entry.source or APPLICATION, action.reason)
        try:
            if isinstance(action, Modify):
                moment.modify(action.data)
            elif isinstance(action, Skip):
                moment.take_skip(action)
        except Unusable as error:
            return error
        return None


def _walk(chain: Chain, moment: Moment) -> Awaitable[None] | None:
    return chain.begin(chain.walk(moment), moment)


def _problem(error: BaseException, late: str) -> Exception:
    """Return the failure behind what is no ``Exception``, or raise it where somebody else wants the task to end."""
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        raise error
    if isinstance(error, SystemExit):
        return RuntimeError(f"it called sys.exit({error.code!r})")
    if not isinstance(error, asyncio.CancelledError):
        return RuntimeError(f"it raised {type(error).__name__}: {says(error)}")
    if late:
        return TimeoutError(late)
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise error
    return RuntimeError("it waited for something that was cancelled")


async def _action(answer: Any) -> Action | None:
    """Return the action in an answer of another type: a subclass of one, or an awaitable from a plain function."""
    if inspect.isawaitable(answer):
        answer = await answer
    if answer is None or isinstance(answer, _ACTIONS):
        return answer
    raise TypeError(f"it returned {type(answer).__name__}, and not Continue, Modify, Skip, Abort or None")
