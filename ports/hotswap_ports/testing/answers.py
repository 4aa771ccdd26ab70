"""What a mock of a port may answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Set
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

from hotswap_ports.errors import WrongTest
from hotswap_ports.methods import Kind, PortMethod, port_methods
from hotswap_ports.port import Port
from hotswap_ports.testing.fitting import answer_type, fits, kind_of, type_named

if TYPE_CHECKING:
    from hotswap_ports.testing.rules import Rule

Texts: TypeAlias = "Mapping[str, type | tuple[type, ...]] | None"


class WrongAnswer(WrongTest):
    """A mock was told to answer what the method cannot answer by its port."""

    def __init__(self, rule: object, method: str, wanted: str, given: str) -> None:
        self.rule = rule
        self.method = method
        self.wanted = wanted
        self.given = given
        super().__init__(f"{rule}: {method} returns {wanted}, and not {given}.")


class Answers:
    """What the methods of a port may answer.

    Args:
        texts: by method, what is made an answer of; None: a text, of any method.
        sure: whether a text stays a text, where ``texts`` is None; else a call has to show what is made of it.
    """

    def __init__(self, port: type[Port], texts: Texts, *, sure: bool) -> None:
        self._port = port
        self._texts = texts
        self._sure = sure

    def kinds(self, method: str) -> Set[Kind]:
        """Return of which kinds the methods are that are meant; ``*``: all."""
        return {each.kind for each in self._meant(method)}

    def made_of(self, method: str, value: Any) -> bool:
        """Return whether a value is one that an answer is made of."""
        return isinstance(value, str if self._texts is None else self._texts.get(method, ()))

    def check_told(self, rule: Rule, method: str, value: Any) -> None:
        """Raise WrongAnswer for what no method that is meant can answer; what a function returns is looked at later."""
        meant = self._meant(method)
        if callable(value) and not isinstance(value, type):
            return
        if not any(self._may(each, value) for each in meant):
            raise self.wrong(rule, meant[0], value)

    def check(self, rule: Rule, method: PortMethod, value: Any) -> None:
        """Raise WrongAnswer for what the method does not return; the items of a stream are looked at as they come."""
        if not (_is_iterable(value) if method.kind == "stream" else fits(value, answer_type(method))):
            raise self.wrong(rule, method, value)

    async def items(self, rule: Rule, method: PortMethod, items: Any) -> AsyncGenerator[Any, None]:
        """Yield the items of a stream, all of the right type."""
        wanted = answer_type(method)
        async with aclosing(each_of(items)) as each:
            async for item in each:
                if not fits(item, wanted):
                    raise self.wrong(rule, method, [item])
                yield item

    def wrong(self, rule: Rule, method: PortMethod, value: Any) -> WrongAnswer:
        """Return the error of an answer that is none."""
        wanted, given = type_named(answer_type(method)), kind_of(value)
        if method.kind == "stream":
            wanted = f"{wanted}s, as an iterable"
            given += " (it can be read once: give a list, or a function that returns one)" if _is_spent(value) else ""
        return WrongAnswer(rule, f"{self._port.PORT}.{method.name}", wanted, given)

    def _meant(self, method: str) -> list[PortMethod]:
        return [each for each in port_methods(self._port) if method in ("*", each.name)]

    def _may(self, method: PortMethod, value: Any) -> bool:
        if self.made_of(method.name, value) and not (self._texts is None and self._sure):
            return True
        wanted = answer_type(method)
        if method.kind != "stream":
            return fits(value, wanted)
        if isinstance(value, list | tuple):
            return all(fits(each, wanted) for each in value)
        return _is_iterable(value) and not _is_spent(value)


def _is_iterable(value: object) -> bool:
    return not isinstance(value, str | bytes | Mapping | type) and (
        hasattr(value, "__iter__") or hasattr(value, "__aiter__")
    )


def _is_spent(value: object) -> bool:
    return isinstance(value, Iterator | AsyncIterator)


async def each_of(items: Any) -> AsyncGenerator[Any, None]:
    """Yield what an iterable yields, async or not, and close it."""
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
