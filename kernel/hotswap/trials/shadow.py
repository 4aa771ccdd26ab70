"""A shadow: the current provider answers; the candidate is given the same calls, and its answers are compared.

What the candidate does with a call cannot reach the caller: it runs in a task of its own, with a deadline, no more than
a few at once; what comes beyond that is counted and not made. Both run on one event loop, though: a candidate that
blocks it blocks everybody, as any adapter would. Hooks run once, around the call that is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar, copy_context
from typing import Any

import attrs
from loguru import logger

from hotswap.errors import HotswapError
from hotswap.generation import Generation
from hotswap.trials.answers import Answer, differ, difference
from hotswap.trials.course import Course
from hotswap.trials.endings import Ending, ending_of
from hotswap.trials.repeated import Ask, Clock, Items, Repeated
from hotswap.trials.stats import Difference, TrialStats
from hotswap.trials.terms import ShadowTerms
from hotswap.undo import GRACE
from hotswap_ports import PortError, TimedOut

EXAMPLES = 10
"""How many differences are kept."""

_in_shadow: ContextVar[bool] = ContextVar("hotswap_in_shadow", default=False)
"""Set while a candidate repeats a call: what it calls in turn is not repeated again."""


class Shadowing:
    """Repeats calls and compares; ``beside`` makes the policy of a slot.

    Args:
        redact: takes secrets out of a text.
    """

    def __init__(
        self,
        course: Course,
        candidate: Generation,
        terms: ShadowTerms,
        redact: Callable[[str], str],
    ) -> None:
        self.course = course
        self.candidate = candidate
        self.clock = course.clock
        self.terms = terms
        self._redact = redact
        self._busy = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._compared = self._differences = self._dropped = 0
        self._examples: list[Difference] = []
        course.extend = self._stats

    def beside(self, current: Generation) -> Shadow:
        """Return the policy of a slot that leads to ``current``."""
        return Shadow(self, current)

    def _stats(self, stats: TrialStats) -> TrialStats:
        return attrs.evolve(
            stats,
            compared=self._compared,
            differences=self._differences,
            dropped=self._dropped,
            examples=tuple(self._examples),
        )

    async def finish(self, patiently: bool) -> None:
        """End what is under way: give it a moment to come to its end first, or cancel it at once."""
        if patiently and self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)
        for each in self._tasks:
            each.cancel()
        if self._tasks:  # a candidate that does not heed it is cancelled again when it is closed
            await asyncio.wait(self._tasks, timeout=GRACE)

    def repeats(self, method: str) -> bool:
        """Return whether a call is to be given to the candidate too; count one for which there are too many."""
        if method not in self.terms.methods or self.course.decided or _in_shadow.get():
            return False
        if self._busy >= self.terms.most:
            self._dropped += 1
            return False
        return True

    def repeat(self, method: str, ask: Ask) -> Repeated:
        """Give a call to the candidate as well."""
        repeated = Repeated(method)
        context = copy_context()
        context.run(_in_shadow.set, True)
        name = f"hotswap: shadow of {self.course.port}.{method}"
        self._busy += 1
        task = repeated.task = asyncio.create_task(self._run(repeated, ask), name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._done(repeated, task))
        return repeated

    def _asked(self, repeated: Repeated) -> None:
        """Note that the candidate has answered, or never will: what is left waits for the caller's own call alone."""
        self._busy -= repeated.busy
        repeated.busy = False

    def _done(self, repeated: Repeated, task: asyncio.Task[None]) -> None:
        self._asked(repeated)
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).error("{} ended with an error", task.get_name())

    async def _run(self, repeated: Repeated, ask: Ask) -> None:
        since = self.clock()
        try:
            async with asyncio.timeout(self.terms.seconds):
                answer = await ask(self.candidate, self.clock)
        except (PortError, HotswapError) as error:
            answer = Answer(self.clock() - since, error=error)
        except TimeoutError:
            late = TimedOut(f"{self.course.port}.{repeated.method}", self.terms.seconds)
            answer = Answer(self.clock() - since, error=late)
        self._asked(repeated)
        current = await repeated.heard
        if self.course.over is None:
            self._count(repeated.method, current, answer)

    def _count(self, method: str, current: Answer, candidate: Answer) -> None:
        for meter, answer in zip(self.course.meters, (current, candidate), strict=True):
            ending = Ending.ANSWERED if answer.error is None else ending_of(answer.error)
            meter.add(ending, answer.seconds, answer.error)
        self._compared += 1
        what = differ(current, candidate, self.terms.same)
        if what:
            self._differences += 1
            if len(self._examples) < EXAMPLES:
                self._examples.append(difference(method, what, current, candidate, self._redact))


class Shadow:
    """The policy of a slot: ``current`` answers, and the candidate is asked as well."""

    def __init__(self, shadowing: Shadowing, current: Generation) -> None:
        self._shadowing = shadowing
        self._current = current

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        if not self._shadowing.repeats(method):
            return await self._current.call(method, invoke)

        async def ask(candidate: Generation, clock: Clock) -> Answer:
            since = clock()
            value = await candidate.call(method, invoke)
            return Answer(clock() - since, value)

        clock = self._shadowing.clock
        since = clock()
        repeated = self._shadowing.repeat(method, ask)
        try:
            value = await self._current.call(method, invoke)
        except (PortError, HotswapError) as error:
            repeated.tell(Answer(clock() - since, error=error))
            raise
        except BaseException:
            repeated.give_up()
            raise
        repeated.tell(Answer(clock() - since, value))
        return value

    async def stream(
        self, method: str, invoke: Callable[[Any], AsyncIterator[Any]], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        """Compare a stream once it has ended; one that its reader leaves before is not compared."""
        if not self._shadowing.repeats(method):
            async with aclosing(self._current.stream(method, invoke)) as plain:
                async for item in plain:
                    yield item
            return

        async def ask(candidate: Generation, clock: Clock) -> Answer:
            kept = Items(clock)
            async with aclosing(candidate.stream(method, invoke)) as items:
                async for item in items:
                    kept.add(item)
                    if kept.full:
                        break
            return kept.answer()

        kept = Items(self._shadowing.clock)
        repeated = self._shadowing.repeat(method, ask)
        try:
            async with aclosing(self._current.stream(method, invoke)) as items:
                async for item in items:
                    kept.add(item)
                    yield item
        except (PortError, HotswapError) as error:
            repeated.tell(attrs.evolve(kept.answer(), error=error))
            raise
        except BaseException:
            repeated.give_up()
            raise
        repeated.tell(kept.answer())

    def target(self) -> Any:
        """Return the adapter of the current provider, which answers all of it."""
        return self._current.target
