"""A canary: the candidate gets a share of the calls, and is judged by them.

A call that the candidate fails has failed, with the candidate's error. It is not made again with the current provider:
the kernel cannot know what of it has been done already.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from math import inf
from typing import Any

from hotswap.errors import HotswapError
from hotswap.generation import Generation
from hotswap.trials.bounds import Bounds
from hotswap.trials.course import Course
from hotswap.trials.endings import ANSWERED, Ending, ending_of
from hotswap.trials.judging import Asked, Bounded, Judge
from hotswap.trials.terms import CanaryTerms
from hotswap_ports import PortError

GOLDEN = (5**0.5 - 1) / 2
"""Its multiples fill the interval from 0 to 1 evenly and in no period: see ``Canary._schedule``."""
GROUP = 50
"""The most calls of the current provider beside which one of the candidate's is set: more would add nothing."""


class Canary:
    """Counts, measures and judges the calls of a port; ``beside`` makes the policy of a slot."""

    def __init__(self, course: Course, candidate: Generation, terms: CanaryTerms) -> None:
        self.course = course
        self.candidate = candidate
        self.clock = course.clock
        self._terms = terms
        self._current, self._candidate = course.meters
        self._judge = _judge(course, terms)
        self._calls = 0
        self._number = 0
        self._next = self._schedule()
        self._inside: dict[int, float] = {}
        """Calls of the candidate's that are not answered yet -> when they began, in that order."""
        self._late: set[int] = set()
        self._due = inf
        """When one of them will be late."""

    def beside(self, current: Generation) -> Split:
        """Return the policy of a slot that leads to ``current``."""
        return Split(self, current)

    async def finish(self, patiently: bool) -> None:
        """Do nothing: the calls inside the candidate are their callers'."""

    def _schedule(self) -> int:
        """Return before which call of the port, from 0, the candidate's next one comes.

        One in every stretch of ``1 / share`` calls, at a place that changes from one stretch to the next in no period:
        callers that do the same in turn would else have the candidate do one half of it and never the other.
        """
        return int((self._number + (self._number + 1) * GOLDEN % 1) / self._terms.share)

    def begin(self, now: float) -> int:
        """Return the number of a call that goes to the candidate; 0: it goes to the current provider."""
        turn = self._calls >= self._next
        if turn or now >= self._due:
            self._look_for_overdue(now)
        if self.course.decided:
            return 0
        self._calls += 1
        if not turn:
            return 0
        self._number += 1
        self._next = self._schedule()
        self._inside[self._number] = now
        self._due = min(self._due, now + (self._judge.limit() or inf))
        return self._number

    def _look_for_overdue(self, now: float) -> None:
        """Judge what does not answer: a candidate that hangs would never be heard of otherwise."""
        self._due, limit = inf, self._judge.limit() or inf
        for number, since in list(self._inside.items()):
            if now - since <= limit:
                self._due = since + limit
                return
            del self._inside[number]
            self._late.add(number)
            self._judge.overdue()
            self._weigh()

    def answers(self, number: int) -> None:
        """Note that the first item of a stream is there."""
        self._inside.pop(number, None)

    def end(self, number: int, seconds: float, ending: Ending, error: Exception | None = None) -> None:
        """Count a call that ended; one of the candidate's may decide."""
        if not number:
            if not self.course.decided:
                self._current.add(ending, seconds, error)
                self._judge.current(ending, seconds)
            return
        late = number in self._late
        self._late.discard(number)
        self._inside.pop(number, None)
        if not self.course.decided:
            self._candidate.add(ending, seconds, error)
            self._judge.candidate(ending, None if late else seconds)
            self._weigh()

    def _weigh(self) -> None:
        if reason := self._judge.against():
            self.course.decide("aborted", reason)
            return
        terms, calls = self._terms, self._candidate.calls
        if calls >= terms.promote_after and self.course.seconds >= terms.min_seconds and self._judge.fit():
            self.course.decide("promoted", f"it kept the bounds in {calls:,} calls")


def _judge(course: Course, terms: CanaryTerms) -> Judge:
    if isinstance(terms.abort_if, Bounds):
        group = max(1, min(GROUP, round(1 / terms.share) - 1))
        return Bounded(terms.abort_if, group, *course.meters)
    return Asked(terms.abort_if, course.stats)


class Split:
    """The policy of a slot: most calls go to ``current``, and some to the candidate."""

    def __init__(self, canary: Canary, current: Generation) -> None:
        self._canary = canary
        self._current = current

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        canary = self._canary
        since = canary.clock()
        number = canary.begin(since)
        generation = canary.candidate if number else self._current
        try:
            answer = await generation.call(method, invoke)
        except (PortError, HotswapError) as error:
            canary.end(number, canary.clock() - since, ending_of(error), error)
            raise
        except BaseException:
            canary.end(number, canary.clock() - since, Ending.GIVEN_UP)
            raise
        canary.end(number, canary.clock() - since, ANSWERED)
        return answer

    async def stream(
        self, method: str, invoke: Callable[[Any], AsyncIterator[Any]], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        """Measure a stream to its first item, and judge it by its end; one that is left after an item has answered."""
        canary = self._canary
        since = canary.clock()
        number = canary.begin(since)
        generation = canary.candidate if number else self._current
        seconds: float | None = None
        ending, failure = Ending.GIVEN_UP, None
        try:
            async with aclosing(generation.stream(method, invoke)) as items:
                async for item in items:
                    if seconds is None:
                        seconds, ending = canary.clock() - since, ANSWERED
                        canary.answers(number)
                    yield item
            ending = ANSWERED
        except (PortError, HotswapError) as error:
            ending, failure = ending_of(error), error
            raise
        finally:
            canary.end(number, canary.clock() - since if seconds is None else seconds, ending, failure)

    def target(self) -> Any:
        """Return the adapter of the current provider: what it says of itself holds until another one is selected."""
        return self._current.target
