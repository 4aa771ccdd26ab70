"""Whether a value is of the type that a method of a port is annotated with."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from hotswap_ports.methods import PortMethod

_MODULES = re.compile(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])")


@cache
def answer_type(method: PortMethod) -> Any:
    """Return what a method answers, of a stream the items; ``Any`` where nobody can know."""
    returns = _resolved(method.function, "return")
    if method.kind != "stream":
        return returns
    origin = get_origin(returns)
    return get_args(returns)[0] if isinstance(origin, type) and issubclass(origin, AsyncIterable) else Any


@cache
def parameter_types(method: PortMethod) -> Mapping[str, Any]:
    """Return what the parameters of a method take, by name."""
    return {name: _resolved(method.function, name) for name in method.signature.parameters}


def _resolved(function: Callable[..., Any], name: str) -> Any:
    if name not in function.__annotations__:
        return Any
    alone = type("Alone", (), {"__annotations__": {name: function.__annotations__[name]}})
    try:
        return get_type_hints(alone, globalns=function.__globals__, include_extras=True)[name]
    except (AttributeError, NameError, SyntaxError, TypeError):  # it exists for type checkers only
        return Any


def fits(value: object, wanted: Any) -> bool:
    """Return whether a value is of a type: classes, what collections hold, and what a union or a literal offers."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return fits(value, inner[0])
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in inner)
    if isinstance(wanted, NewType):
        return fits(value, wanted.__supertype__)
    kind = NoneType if wanted is None else origin or wanted
    return not isinstance(kind, type) or (_is_a(value, kind) and _holds(value, kind, inner))


def _is_a(value: object, kind: type) -> bool:
    if isinstance(value, bool) and kind in (int, float):
        return False
    if isinstance(value, str | bytes) and issubclass(kind, Iterable) and not issubclass(kind, str | bytes):
        return False  # a text is no sequence of texts
    try:
        return isinstance(value, (int, float) if kind is float else kind)
    except TypeError:  # a protocol that cannot be asked
        return True


def _holds(value: Any, kind: type, inner: tuple[Any, ...]) -> bool:
    if issubclass(kind, tuple) and inner:
        if inner[-1] is not Ellipsis:
            return len(value) == len(inner) and all(map(fits, value, inner))
        return all(fits(each, inner[0]) for each in value)
    if isinstance(value, Mapping) and len(inner) == 2:
        return all(fits(key, inner[0]) and fits(each, inner[1]) for key, each in value.items())
    if isinstance(value, list | tuple | set | frozenset) and len(inner) == 1:
        return all(fits(each, inner[0]) for each in value)
    return True


def type_named(wanted: Any) -> str:
    """Return a type as a reader knows it, without the modules."""
    if isinstance(wanted, type) and get_origin(wanted) is None:
        return wanted.__name__
    return _MODULES.sub("", str(wanted)).replace("NoneType", "None")


def kind_of(value: object) -> str:
    """Return what a value is, and what it holds."""
    held = sorted({type(each).__name__ for each in value}) if isinstance(value, list | tuple | set | frozenset) else []
    return f"{_named(value)} of {', '.join(held)}" if held else _named(value)


def _named(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return "None" if value is None else type(value).__name__
