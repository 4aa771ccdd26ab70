"""What a mock is told: which calls a rule is for, and what happens to them."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from fnmatch import fnmatchcase
from itertools import count
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

from attrs import define, field

from hotswap_ports.errors import (
    AdapterFailed,
    Conflict,
    FeatureUnsupported,
    InvalidRequest,
    RateLimited,
    TimedOut,
    TooLarge,
    Unavailable,
)

NO_ANSWER: Final = object()
"""What stands for the answer of whoever has none: the next rule is asked, and the twin in the end."""


@define(eq=False)
class Call:
    """One call of a mock's method."""

    method: str
    arguments: Mapping[str, Any]
    """By parameter name, defaults filled in."""
    subject: str = ""
    """What it is about, for patterns: a URL, a key, the last message, a query."""
    number: int = 1
    """The how many-th call of its method it is, from 1."""
    result: Any = None
    """What it returned; of a stream, the items so far."""
    error: BaseException | None = None
    """What it raised."""
    stream: bool = False
    ended: bool = False
    begun: int = field(factory=count(1).__next__)
    """Its place among the calls of all mocks."""
    acting: tuple[Rule, ...] = field(default=(), repr=False)
    """The rules that apply to it, the latest first."""

    def __enter__(self) -> Call:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        self.ended = True
        if not isinstance(error, GeneratorExit):  # a reader that stops early is no failure
            self.error = error
        return False


Match: TypeAlias = "str | re.Pattern[str] | Callable[[Call], bool] | None"
Failure: TypeAlias = "type[BaseException] | BaseException | Callable[[Call], BaseException]"


def matches(call: Call, method: str, match: Match, arguments: Mapping[str, object]) -> bool:
    """Return whether a call is one of those that are described."""
    if method not in ("*", call.method):
        return False
    if any(name not in call.arguments or call.arguments[name] != value for name, value in arguments.items()):
        return False
    if isinstance(match, str):
        return fnmatchcase(call.subject, match)
    if isinstance(match, re.Pattern):
        return match.search(call.subject) is not None
    return match is None or match(call)


class Rule:
    """What happens to the calls that match. Made by ``Mock.on``; every method returns the rule itself."""

    def __init__(self, method: str, match: Match, arguments: Mapping[str, object]) -> None:
        self._of = (method, match, arguments)
        self.seconds = 0.0
        """How long a call is kept waiting."""
        self.pause = 0.0
        """How long a stream waits before each item."""
        self._every, self._skipped, self._most = 1, 0, -1
        self._seen = self._acted = 0
        self._answers: list[Any] = []
        self._failure: Failure | None = None
        self._cut: tuple[int, Failure | None] | None = None

    def answer(self, *values: Any) -> Rule:
        """Answer with these values in turn; the last one stays.

        A text becomes what the method returns (a ``Completion``, a ``Page``); a function is given the ``Call`` and
        may be async; for a stream a value is an iterable of its items, async or not.
        """
        if not values:
            raise InvalidRequest("answer() takes at least one value.")
        self._answers = list(values)
        return self

    def fail(self, failure: Failure = Unavailable) -> Rule:
        """Raise this: a class of errors, an error, or what a function of the ``Call`` returns."""
        self._failure = failure
        return self

    def delay(self, seconds: float) -> Rule:
        """Keep calls waiting before anything else happens to them."""
        self.seconds = _not_negative(seconds)
        return self

    def pace(self, seconds: float) -> Rule:
        """Let streams wait before each item."""
        self.pause = _not_negative(seconds)
        return self

    def cut(self, after: int, failure: Failure | None = Unavailable) -> Rule:
        """Break streams off after so many items, with an error; with None they just end."""
        self._cut = (after, failure)
        return self

    def every(self, number: int) -> Rule:
        """Apply to each so many-th call only, of those that match."""
        self._every = _at_least_one(number)
        return self

    def after(self, calls: int) -> Rule:
        """Let so many matching calls pass first."""
        self._skipped = calls
        return self

    def times(self, most: int) -> Rule:
        """Apply so many times, and no more."""
        self._most = _at_least_one(most)
        return self

    def once(self) -> Rule:
        """Apply to the next call that matches, and to no other."""
        return self.times(1)

    def applies(self, call: Call) -> bool:
        """Return whether this rule applies to a call that begins, and count it."""
        if not matches(call, *self._of):
            return False
        self._seen += 1
        place = self._seen - self._skipped
        if place < 1 or place % self._every or self._acted == self._most:
            return False
        self._acted += 1
        return True

    async def outcome(self, call: Call) -> Any:
        """Return the answer to a call, NO_ANSWER if there is none, or raise the failure."""
        if self._failure is not None:
            raise error_for(self._failure, call)
        if not self._answers:
            return NO_ANSWER
        value = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if callable(value):
            value = value(call)
            if inspect.isawaitable(value):
                value = await value
        return value

    async def shortened(self, call: Call, items: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        """Yield the items of a stream, as far as this rule lets it come."""
        left, failure = (-1, None) if self._cut is None else self._cut
        async with aclosing(items):
            while left:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                yield item
                left -= 1
        if failure is not None:
            raise error_for(failure, call)


def error_for(failure: Failure, call: Call) -> BaseException:
    """Return the error that a failure is; the classes of port errors that need more than a text get it."""
    if isinstance(failure, BaseException):
        return failure.with_traceback(None)
    if not isinstance(failure, type):
        made: BaseException = failure(call)
        return made
    kind: type[BaseException] = failure
    text = f"{call.method} was told to fail"
    if issubclass(kind, AdapterFailed):
        return kind("mock", call.method, RuntimeError(text))
    if issubclass(kind, TimedOut):
        return kind(call.method, 0.0)
    if issubclass(kind, TooLarge):
        return kind(call.subject or call.method, 0)
    if issubclass(kind, Conflict):
        return kind(call.subject, 0, 1)
    if issubclass(kind, FeatureUnsupported):
        return kind("mock", call.method)
    if issubclass(kind, RateLimited):
        return kind(text, 1.0)
    return kind(text)


def _not_negative(seconds: float) -> float:
    if seconds < 0:
        raise InvalidRequest(f"A time in seconds is not below zero: {seconds!r}.")
    return seconds


def _at_least_one(number: int) -> int:
    if number < 1:
        raise InvalidRequest(f"A number of calls is at least 1, and not {number!r}.")
    return number
