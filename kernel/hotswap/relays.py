"""Stand-ins for an adapter: a policy decides, call by call, when and where the call is made.

A relay is put where a generation's adapter would be, so a call that leads to no relay pays nothing for there being
such. What waits for a provider that is not open (``holding``) or shares calls between two (``trials``) is a policy.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Protocol, TypeVar, cast

from hotswap.generation import Generation, Provider
from hotswap.handles import compile_method, port_attributes
from hotswap_ports import Port
from hotswap_ports.methods import port_methods

T = TypeVar("T")


class Policy(Protocol):
    """Where calls go.

    ``invoke`` makes the call on the adapter, or the handle, that it is given; ``arguments`` are by parameter name.
    """

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        """Make a call."""

    def stream(
        self, method: str, invoke: Callable[[Any], AsyncIterator[Any]], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        """Make a call that is a stream."""

    def target(self) -> Any:
        """Return what synchronous methods are called on, and attributes are read of."""


_RELAYED = {
    "async": """
async def {name}({parameters}):
    return await self._policy.call("{name}", lambda _target: _target.{name}({arguments}), {{{mapping}}})
""",
    "stream": """
async def {name}({parameters}):
    _hotswap_items = self._policy.stream("{name}", lambda _target: _target.{name}({arguments}), {{{mapping}}})
    try:
        async for _hotswap_item in _hotswap_items:
            yield _hotswap_item
    finally:
        await _hotswap_items.aclose()
""",
    "sync": """
def {name}({parameters}):
    return self._policy.target().{name}({arguments})
""",
}


def _init(self: Any, policy: Policy) -> None:
    self._policy = policy


def _attribute(name: str) -> property:
    return property(lambda self: getattr(self._policy.target(), name))


@cache
def _relay_class(port: type[Port]) -> Callable[[Policy], Port]:
    body: dict[str, Any] = {"__slots__": ("_policy",), "__init__": _init, "__module__": port.__module__}
    body.update({name: _attribute(name) for name in port_attributes(port)})
    body.update({each.name: compile_method(each, _RELAYED[each.kind], {}) for each in port_methods(port)})
    return cast("Callable[[Policy], Port]", type(f"{port.__name__}Relay", (port,), body))


def relayed(
    port: type[Port],
    provider: Provider,
    policy: Policy,
    number: int = 0,
    redact: Callable[[str], str] = lambda text: text,
) -> Generation:
    """Return a generation whose calls ``policy`` directs; ``provider`` is whose calls they are."""
    return Generation(provider, _relay_class(port)(policy), number, redact)
