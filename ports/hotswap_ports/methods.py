"""The methods of a port, as those read them who stand in for any port: handles, mocks, reference pages."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any, Literal, get_origin, get_type_hints

from attrs import frozen

from hotswap_ports.port import Port

Kind = Literal["async", "stream", "sync"]


@frozen
class PortMethod:
    """One public method of a port."""

    name: str
    kind: Kind
    function: Callable[..., Any]

    @property
    def signature(self) -> inspect.Signature:
        """Return the signature, ``self`` left out."""
        full = inspect.signature(self.function)
        return full.replace(parameters=list(full.parameters.values())[1:])


@cache
def port_methods(port: type[Port]) -> tuple[PortMethod, ...]:
    """Return the public methods of a port, sorted by name."""
    found: dict[str, Callable[..., Any]] = {}
    for each in reversed(port.__mro__[: port.__mro__.index(Port)]):
        found.update({k: v for k, v in vars(each).items() if inspect.isfunction(v) and not k.startswith("_")})
    return tuple(PortMethod(name, _kind(found[name]), found[name]) for name in sorted(found))


def _kind(function: Callable[..., Any]) -> Kind:
    if inspect.iscoroutinefunction(function):
        return "async"
    if inspect.isasyncgenfunction(function):
        return "stream"
    try:
        returns = get_type_hints(function).get("return")
    except NameError:  # an annotation that exists for type checkers only
        returns = function.__annotations__.get("return", "")
    origin = get_origin(returns) or returns
    if isinstance(origin, str):
        return "stream" if origin.split("[")[0].rpartition(".")[2] in ("AsyncIterator", "AsyncGenerator") else "sync"
    return "stream" if isinstance(origin, type) and issubclass(origin, AsyncIterator) else "sync"
