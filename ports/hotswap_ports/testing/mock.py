"""Mocks: implementations of a port that answer as a test says, fail on demand, and know what was called.

A mock stands over a *twin*, an implementation of the same port in memory: what no rule speaks for, the twin answers. So
a mock without rules keeps the contract of its port, and one that is told nothing about a call does what a real adapter
would do. One that is told something cannot break the port either: an answer of another type than the port's method
returns is a ``WrongAnswer``, and what the features do not offer is refused.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial, wraps
from typing import Any, ClassVar

from hotswap_ports.errors import InvalidRequest, RateLimited, WrongTest
from hotswap_ports.methods import Kind, PortMethod, port_methods
from hotswap_ports.port import Port, port_of
from hotswap_ports.testing.answers import Answers, Texts, WrongAnswer, each_of
from hotswap_ports.testing.described import check_described
from hotswap_ports.testing.rules import NO_ANSWER, Call, Match, Rule, matches, whole_number


class Mock:
    """The part that all mocks share. A subclass names its port as another base, and a twin.

    A method that the port does not leave to adapters (``Storage.get``) runs the port's own code over the mock, so that
    it follows the rules of what it is built on (``read``). Not so where a rule speaks of the method itself, or where
    the twin has code of its own for it. ``calls`` has what was asked of the mock: ``get``, and not the ``read`` within
    it; the ``calls`` of a rule have that too.

    Args:
        twin: answers what no rule speaks for; without one, a rule has to.
    """

    mocked: ClassVar[type[Port]]
    """The port."""
    _texts: ClassVar[Texts] = None
    """By method, of what ``from_text`` makes an answer; None: of a text, and for which method is seen at the call."""
    _within: Call | None = None
    """The call that is answered by the port's own code; it is asked of a copy of the mock."""

    def __init__(self, twin: Any = None) -> None:
        self.twin = twin
        self._features: Any = getattr(self.mocked, "features", None)
        self._answers = Answers(self.mocked, self._texts, sure=type(self).from_text is Mock.from_text)
        self._rules: list[Rule] = []
        self._calls: list[Call] = []
        self._counts: Counter[str] = Counter()
        self._clock: Callable[[], float] = _now
        self._sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        port = port_of(cls)
        if port is None:
            raise TypeError(f"{cls.__name__} names no port among its bases")
        cls.mocked = port
        for method in port_methods(port):
            if method.name not in cls.__dict__:
                made = _MADE[method.kind](method)
                made.__dict__.pop("__isabstractmethod__", None)  # taken over from the port's
                setattr(cls, method.name, made)

    @property
    def features(self) -> Any:
        """Return what the twin says that it can do, or what was put in its place."""
        return self._features if self.twin is None else self.twin.features

    @features.setter
    def features(self, features: Any) -> None:
        if self.twin is None:
            self._features = features
        else:
            self.twin.features = features

    def on(self, method: str = "*", match: Match = None, /, **arguments: object) -> Rule:
        """Add a rule for calls of ``method`` (``*``: of any), and return it to be told what is to happen.

        All rules that match a call apply, the latest first; the first one with an answer or an error ends it. A rule
        for ``*`` is for what is asked of the mock, and not for the calls that the port's own code makes for that.

        Args:
            match: a pattern for what the call is about (a URL, a key, a prompt, a query): ``"cache/*"``, a compiled
                regular expression that is searched for, or a function of the ``Call``.
            arguments: values that parameters must have.

        Raises:
            InvalidRequest: the port has no such method, or the method no such parameter, or that is no pattern.
        """
        check_described(self.mocked, method, match, arguments)
        rule = Rule(method, match, arguments, self._answers)
        self._rules.append(rule)
        return rule

    def limit(self, calls: int, seconds: float, method: str = "*") -> Rule:
        """Refuse with RateLimited what goes beyond ``calls`` in any ``seconds``; it says when to come back."""
        whole_number(calls, "A limit (fail(RateLimited) refuses all calls)", 1)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
            raise InvalidRequest(f"A limit is for a number of seconds above zero, and not {seconds!r}.")
        window: deque[float] = deque()

        def refuse(call: Call) -> object:
            now = self._clock()
            while window and window[0] <= now - seconds:
                window.popleft()
            if len(window) >= calls:
                raise RateLimited(f"More than {calls} calls in {seconds:g} s.", window[0] + seconds - now)
            window.append(now)
            return NO_ANSWER

        return self.on(method).answer(refuse)

    def calls(self, method: str = "*", match: Match = None, /, **arguments: object) -> tuple[Call, ...]:
        """Return the calls so far, in the order in which they began; arguments as for ``on``.

        Raises:
            InvalidRequest: as ``on``.
        """
        check_described(self.mocked, method, match, arguments)
        return tuple(each for each in self._calls if matches(each, method, match, arguments))

    def unused(self) -> tuple[Rule, ...]:
        """Return the rules that had a say in no call: ``assert not mock.unused()`` ends a test that wants them all."""
        return tuple(each for each in self._rules if each.expected and not each.calls)

    def timing(
        self, clock: Callable[[], float] | None = None, sleep: Callable[[float], Awaitable[object]] | None = None
    ) -> None:
        """Take another clock (seconds) and another sleep than the event loop's for delays and limits."""
        self._clock = clock or self._clock
        self._sleep = sleep or self._sleep

    def reset(self) -> None:
        """Forget all rules and calls; the twin keeps what it has."""
        self._rules.clear()
        self._calls.clear()
        self._counts.clear()

    def subject(self, method: str, arguments: Mapping[str, Any]) -> str:
        """Return what a call is about, for patterns: the first text there is."""
        return next((each for each in arguments.values() if isinstance(each, str)), "")

    async def from_text(self, call: Call, text: Any) -> Any:
        """Return the answer that a text stands for; by default the text itself."""
        return text

    def _refuse(self, call: Call) -> None:
        """Raise what the port says of calls that the features do not offer; by default there are none."""

    def _flaw(self, call: Call, answer: Any) -> tuple[str, str] | None:
        """Return what an answer to this call has to be by the port, and what this one of the right type is instead."""
        return None

    def _begin(self, method: PortMethod, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        arguments = arguments_of(method, args, kwargs)
        place = method.name if self._within is None else f"{self._within.method}.{method.name}"
        self._counts[place] += 1
        subject = self.subject(method.name, arguments)
        call = Call(method.name, arguments, subject, self._counts[place], within=self._within)
        if self._within is None:
            self._calls.append(call)
        return call

    async def _play(self, method: PortMethod, call: Call) -> Any:
        """Let the rules have their say; return the answer of the first that has one."""
        call.acting = tuple(each for each in reversed(self._rules) if each.applies(call))
        for rule in call.acting:
            rule.note(call)
            if rule.seconds and method.kind != "sync":
                await self._sleep(rule.seconds)
            answer = await rule.outcome(call)
            if answer is not NO_ANSWER:
                self._refuse(call)
                return await self._answered(method, call, rule, answer)
        self._refuse(call)
        return NO_ANSWER

    async def _answered(self, method: PortMethod, call: Call, rule: Rule, answer: Any) -> Any:
        """Return what a rule answers, as the port's method would."""
        if self._answers.made_of(method.name, answer):
            answer = await self.from_text(call, answer)
        self._answers.check(rule, method, answer)
        if method.kind == "stream":
            return self._answers.items(rule, method, answer)
        flaw = self._flaw(call, answer)
        if flaw is not None:
            raise WrongAnswer(rule, f"{self.mocked.PORT}.{method.name}", *flaw)
        return answer

    def _otherwise(self, method: PortMethod, call: Call) -> Callable[..., Any]:
        """Return who answers what no rule speaks for: the twin, or the port's own code over the mock."""
        function, twin = method.function, self.twin
        abstract = getattr(function, "__isabstractmethod__", False)
        if not abstract and (twin is None or getattr(type(twin), method.name, None) is function):
            over = copy.copy(self)
            over._within = call
            return partial(function, over)
        if twin is None:
            name = f"{self.mocked.PORT}.{method.name}"
            raise WrongTest(f"Nobody answers {name}: say on({method.name!r}).answer(...), or give the mock a twin.")
        answering: Callable[..., Any] = getattr(twin, method.name)
        return answering

    async def _items(self, call: Call, items: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        """Yield the items of a stream, paced and cut as the rules say."""
        pause = sum(each.pause for each in call.acting)
        for rule in call.acting:
            items = rule.shortened(call, items)
        async with aclosing(items):
            async for item in items:
                if pause:
                    await self._sleep(pause)
                yield item


def mock_of(port: type[Any], twin: Any = None) -> Any:
    """Return a mock of any port, over an implementation of it; without one, rules have to answer."""
    made: Any = type(f"Mock{port.__name__}", (Mock, port), {"__doc__": port.__doc__, "__module__": port.__module__})
    return made(twin)


def _now() -> float:
    """Return the event loop's time, or the process's for a plain method that is called where no loop runs."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


def arguments_of(method: PortMethod, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by parameter name, defaults filled in."""
    bound = method.signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def _call(method: PortMethod) -> Callable[..., Any]:
    @wraps(method.function)
    async def call(self: Mock, *args: Any, **kwargs: Any) -> Any:
        made = self._begin(method, args, kwargs)
        with made:
            answer = await self._play(method, made)
            if answer is NO_ANSWER:
                answer = await self._otherwise(method, made)(*args, **kwargs)
            made.result = answer
            return answer

    return call


def _stream(method: PortMethod) -> Callable[..., Any]:
    @wraps(method.function)
    async def stream(self: Mock, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        made = self._begin(method, args, kwargs)
        with made:
            answer = await self._play(method, made)
            given = self._otherwise(method, made)(*args, **kwargs) if answer is NO_ANSWER else answer
            made.stream, made.result = True, []
            async with aclosing(self._items(made, each_of(given))) as items:
                async for item in items:
                    made.result.append(item)
                    yield item

    return stream


def _sync(method: PortMethod) -> Callable[..., Any]:
    @wraps(method.function)
    def call(self: Mock, *args: Any, **kwargs: Any) -> Any:
        made = self._begin(method, args, kwargs)
        with made:
            answer = _at_once(self._play(method, made), made)
            if answer is NO_ANSWER:
                answer = self._otherwise(method, made)(*args, **kwargs)
            made.result = answer
            return answer

    return call


def _at_once(work: Coroutine[Any, Any, Any], call: Call) -> Any:
    """Return what a coroutine comes to, which may not wait for anything."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise WrongTest(f"{call.method} is not awaited, so that the function that answers it cannot wait.")


_MADE: Mapping[Kind, Callable[[PortMethod], Callable[..., Any]]] = {"async": _call, "stream": _stream, "sync": _sync}
"""How a method of a mock is made."""
