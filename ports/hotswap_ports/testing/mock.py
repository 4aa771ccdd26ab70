"""Mocks: implementations of a port that answer as a test says, fail on demand, and know what was called.

A mock stands over a *twin*, an implementation of the same port in memory: what no rule speaks for, the twin answers. So
a mock without rules keeps the contract of its port, and one that is told nothing about a call does what a real adapter
would do.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import wraps
from typing import Any, ClassVar

from hotswap_ports.errors import InvalidRequest, RateLimited
from hotswap_ports.methods import Kind, port_methods
from hotswap_ports.port import Port, port_of
from hotswap_ports.testing.rules import NO_ANSWER, Call, Match, Rule, matches


class Mock:
    """The part that all mocks share. A subclass names its port as another base, and a twin.

    Args:
        twin: answers what no rule speaks for.
    """

    mocked: ClassVar[type[Port]]
    """The port."""

    def __init__(self, twin: Any) -> None:
        self.twin = twin
        self._rules: list[Rule] = []
        self._calls: list[Call] = []
        self._counts: Counter[str] = Counter()
        self._clock: Callable[[], float] = time.monotonic
        self._sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        port = port_of(cls)
        if port is None:
            raise TypeError(f"{cls.__name__} names no port among its bases")
        cls.mocked = port
        for method in port_methods(port):
            if method.name not in cls.__dict__:
                made = _MADE[method.kind](method.function)
                made.__dict__.pop("__isabstractmethod__", None)  # taken over from the port's
                setattr(cls, method.name, made)

    @property
    def features(self) -> Any:
        """Return what the twin says that it can do, or what was put in its place."""
        return self.twin.features

    @features.setter
    def features(self, features: Any) -> None:
        self.twin.features = features

    def on(self, method: str = "*", match: Match = None, /, **arguments: object) -> Rule:
        """Add a rule for calls of ``method`` (``*``: of any), and return it to be told what is to happen.

        All rules that match a call apply, the latest first; the first one with an answer or an error ends it.

        Args:
            match: a pattern for what the call is about (a URL, a key, a prompt, a query): ``"cache/*"``, a compiled
                regular expression that is searched for, or a function of the ``Call``.
            arguments: values that parameters must have.

        Raises:
            InvalidRequest: the port has no such method that is awaited, or the method no such parameter.
        """
        methods = {each.name: each.function for each in port_methods(self.mocked) if each.kind != "sync"}
        if method != "*" and method not in methods:
            raise InvalidRequest(f"{self.mocked.PORT} has no method {method!r}.", f"It has {', '.join(methods)}.")
        meant = methods.values() if method == "*" else [methods[method]]
        parameters = {name for each in meant for name in inspect.signature(each).parameters}
        if unknown := sorted(arguments.keys() - parameters):
            raise InvalidRequest(f"{self.mocked.PORT}.{method} has no parameter {', '.join(unknown)}.")
        rule = Rule(method, match, arguments)
        self._rules.append(rule)
        return rule

    def limit(self, calls: int, seconds: float, method: str = "*") -> Rule:
        """Refuse with RateLimited what goes beyond ``calls`` in any ``seconds``; it says when to come back."""
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
        """Return the calls so far, in the order in which they began; arguments as for ``on``."""
        return tuple(each for each in self._calls if matches(each, method, match, arguments))

    def timing(
        self, clock: Callable[[], float] | None = None, sleep: Callable[[float], Awaitable[object]] | None = None
    ) -> None:
        """Take another clock (seconds) and another sleep for delays and limits."""
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

    async def from_text(self, call: Call, text: str) -> Any:
        """Return the answer that a text stands for; by default the text itself."""
        return text

    def _begin(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        bound = inspect.signature(function).bind(self, *args, **kwargs)
        bound.apply_defaults()
        arguments = {name: value for name, value in bound.arguments.items() if name != "self"}
        method = function.__name__
        self._counts[method] += 1
        call = Call(method, arguments, self.subject(method, arguments), self._counts[method])
        self._calls.append(call)
        return call

    async def _play(self, call: Call) -> Any:
        """Let the rules have their say; return the answer of the first that has one."""
        call.acting = tuple(each for each in reversed(self._rules) if each.applies(call))
        for rule in call.acting:
            if rule.seconds:
                await self._sleep(rule.seconds)
            answer = await rule.outcome(call)
            if answer is not NO_ANSWER:
                return await self.from_text(call, answer) if isinstance(answer, str) else answer
        return NO_ANSWER

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


def mock_of(port: type[Any], twin: Any) -> Any:
    """Return a mock of any port, over an implementation of it."""
    made: Any = type(f"Mock{port.__name__}", (Mock, port), {"__doc__": port.__doc__, "__module__": port.__module__})
    return made(twin)


def _call(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def call(self: Mock, *args: Any, **kwargs: Any) -> Any:
        made = self._begin(function, args, kwargs)
        with made:
            answer = await self._play(made)
            if answer is NO_ANSWER:
                answer = await getattr(self.twin, function.__name__)(*args, **kwargs)
            made.result = answer
            return answer

    return call


def _stream(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def stream(self: Mock, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        made = self._begin(function, args, kwargs)
        with made:
            answer = await self._play(made)
            given = getattr(self.twin, function.__name__)(*args, **kwargs) if answer is NO_ANSWER else answer
            made.stream, made.result = True, []
            async with aclosing(self._items(made, _each(given))) as items:
                async for item in items:
                    made.result.append(item)
                    yield item

    return stream


def _sync(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(self: Mock, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.twin, function.__name__)(*args, **kwargs)

    return call


_MADE: Mapping[Kind, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "async": _call,
    "stream": _stream,
    "sync": _sync,
}
"""How a method of a mock is made; what is not awaited cannot be kept waiting, and is left to the twin."""


async def _each(items: Any) -> AsyncGenerator[Any, None]:
    if hasattr(items, "aclose"):
        async with aclosing(items):
            async for item in items:
                yield item
    elif hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
