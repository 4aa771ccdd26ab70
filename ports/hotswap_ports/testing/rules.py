"""What a mock is told: which calls a rule is for, and what happens to them."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from fnmatch import fnmatchcase
from itertools import count
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

from attrs import define, field

from hotswap_ports.errors import InvalidRequest, Unavailable
from hotswap_ports.methods import Kind
from hotswap_ports.testing.answers import Answers
from hotswap_ports.testing.failures import Failure, check_failure, error_for

NO_ANSWER: Final = object()
"""What stands for the answer of whoever has none: the next rule is asked, and the twin in the end."""

MOST_SHOWN = 60
"""Characters of a value, in a rule as it is told."""


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
    within: Call | None = field(default=None, repr=False)
    """The call that it was made for, where the port's own code made it: a ``read`` for a ``get``."""
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


def check_match(match: object) -> None:
    """Raise InvalidRequest for what is no pattern."""
    if isinstance(match, re.Pattern) and isinstance(match.pattern, str):
        return
    if not (match is None or isinstance(match, str)) and (isinstance(match, re.Pattern) or not callable(match)):
        raise InvalidRequest(
            f"{match!r} is no pattern: give a text with * for what may vary, re.compile(...) of a text, or a function "
            "of the call. Values of parameters are given by name."
        )


def matches(call: Call, method: str, match: Match, arguments: Mapping[str, object]) -> bool:
    """Return whether a call is one of those that are described; ``*`` is what was asked for, and no part of that."""
    if method != call.method and (method != "*" or call.within is not None):
        return False
    if any(name not in call.arguments or call.arguments[name] != value for name, value in arguments.items()):
        return False
    if isinstance(match, str):
        return fnmatchcase(call.subject, match)
    if isinstance(match, re.Pattern):
        return match.search(call.subject) is not None
    return match is None or match(call)


class Rule:
    """What happens to the calls that match. Made by ``Mock.on``; every method returns the rule itself.

    Raises:
        InvalidRequest: from every method that is told what cannot be.
    """

    def __init__(self, method: str, match: Match, arguments: Mapping[str, object], answers: Answers) -> None:
        self._of = (method, match, arguments)
        self._port = answers
        self.expected = True
        """Whether it is missed where it has applied to no call."""
        self.seconds = 0.0
        """How long a call is kept waiting."""
        self.pause = 0.0
        """How long a stream waits before each item."""
        self._every, self._skipped, self._most = 1, 0, -1
        self._seen = self._acted = 0
        self._calls: dict[Call, None] = {}
        self._answers: list[Any] = []
        self._failure: Failure | None = None
        self._cut: tuple[int, Failure | None] | None = None
        self._says: list[str] = []

    def __repr__(self) -> str:
        method, match, arguments = self._of
        given = [] if match is None else [_short(match.pattern if isinstance(match, re.Pattern) else match)]
        given += [f"{name}={_short(value)}" for name, value in arguments.items()]
        return f"on({', '.join([repr(method), *given])}){''.join(self._says)}"

    @property
    def calls(self) -> tuple[Call, ...]:
        """Return the calls that it had a say in: a later rule that answers leaves it none."""
        return tuple(self._calls)

    def answer(self, *values: Any) -> Rule:
        """Answer with these values in turn; the last one stays.

        A text becomes what the method returns (a ``Completion``, a ``Page``); a function is given the ``Call`` and
        may be async; for a stream a value is an iterable of its items, async or not.

        Raises:
            WrongAnswer: the port's method returns nothing of that type. What a function returns is looked at when it
                is called.
        """
        if not values:
            raise InvalidRequest("answer() takes at least one value.")
        self._says.append(f".answer({', '.join(map(_short, values))})")
        for each in values:
            self._port.check_told(self, self._of[0], each)
        self._answers = list(values)
        return self

    def fail(self, failure: Failure = Unavailable) -> Rule:
        """Raise this: a class of errors, an error, or what a function of the ``Call`` returns."""
        check_failure(failure, Call(self._of[0], {}))
        self._says.append(f".fail({_short(failure)})")
        self._failure = failure
        return self

    def delay(self, seconds: float) -> Rule:
        """Keep calls waiting before anything else happens to them; what is not awaited cannot wait."""
        self._only_for("delay", "async", "stream")
        self.seconds = _not_negative(seconds)
        self._says.append(f".delay({seconds})")
        return self

    def pace(self, seconds: float) -> Rule:
        """Let streams wait before each item."""
        self._only_for("pace", "stream")
        self.pause = _not_negative(seconds)
        self._says.append(f".pace({seconds})")
        return self

    def cut(self, after: int, failure: Failure | None = Unavailable) -> Rule:
        """Break streams off after so many items, with an error; with None they just end."""
        self._only_for("cut", "stream")
        if failure is not None:
            check_failure(failure, Call(self._of[0], {}))
        self._cut = (whole_number(after, "A number of items", 0), failure)
        self._says.append(f".cut({after})")
        return self

    def every(self, number: int) -> Rule:
        """Apply to each so many-th call only, of those that match."""
        self._every = whole_number(number, "A number of calls", 1)
        self._says.append(f".every({number})")
        return self

    def after(self, calls: int) -> Rule:
        """Let so many matching calls pass first."""
        self._skipped = whole_number(calls, "A number of calls to let pass", 0)
        self._says.append(f".after({calls})")
        return self

    def times(self, most: int) -> Rule:
        """Apply so many times, and no more."""
        self._most = whole_number(most, "A number of calls", 1)
        self._says.append(f".times({most})")
        return self

    def once(self) -> Rule:
        """Apply to the next call that matches, and to no other."""
        return self.times(1)

    def _only_for(self, name: str, *kinds: Kind) -> None:
        method = self._of[0]
        if not self._port.kinds(method) & set(kinds):
            meant = "a stream" if kinds == ("stream",) else "awaited"
            what = "nothing here is" if method == "*" else f"{method} is not"
            raise InvalidRequest(f"{name}() is for what is {meant}, and {what}.")

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

    def note(self, call: Call) -> None:
        """Note that it has a say in a call."""
        self._calls[call] = None

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
        if self._cut is not None or self.pause:
            self.note(call)
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


def _short(value: Any) -> str:
    if inspect.isroutine(value) or isinstance(value, type):
        return str(value.__name__)
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _not_negative(seconds: float) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise InvalidRequest(f"A time in seconds is a number and not below zero: {seconds!r}.")
    return seconds


def whole_number(number: int, what: str, least: int) -> int:
    """Return a count, after checking that it is one."""
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise InvalidRequest(f"{what} is a whole number of at least {least}, and not {number!r}.")
    return number
