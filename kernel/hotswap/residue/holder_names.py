"""How holders of an object are called."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import CellType, CoroutineType, FrameType, FunctionType, GeneratorType, MethodType
from typing import Any

_CONTAINERS = (dict, list, set, tuple, deque)
_SHOWN = 4
"""How many holders are named: the nearest ones, and the last."""


def namespace_of(holder: object) -> str | None:
    """Return the imported module whose attributes a dictionary is."""
    name = holder.get("__name__") if type(holder) is dict else None
    if type(name) is not str or name not in sys.modules:
        return None
    return name if getattr(sys.modules[name], "__dict__", None) is holder else None


def sentence(way: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of those that hold ``way[0]``, each of which holds the one before it."""
    names = list(_names(way))
    return tuple(names if len(names) <= _SHOWN else [*names[: _SHOWN - 1], names[-1]])


def _names(way: Sequence[Any]) -> Iterator[str]:
    """Yield a name for each holder; a container goes by the name of what has it, a dictionary of attributes as well."""
    inside = ""
    number = 1
    while number < len(way):
        holder, held = way[number], way[number - 1]
        is_last = number == len(way) - 1
        number += 1
        if type(holder) is CellType and not is_last:
            continue
        if type(holder) in _CONTAINERS and namespace_of(holder) is None and not is_last:
            if type(holder) is dict and _dict_of(way[number]) is holder:
                yield f"{type(way[number]).__qualname__}.{_key(holder, held)}{inside}"
                number += 1
                inside = ""
            else:
                inside = inside or f" ({type(holder).__name__})"
            continue
        yield _name(holder, held) + inside
        inside = ""


def _name(holder: Any, held: Any) -> str:
    if type(holder) is dict:
        module = namespace_of(holder)
        key = _key(holder, held)
        return f"{module}.{key}" if module is not None else f"dict[{key!r}]"
    kind = type(holder)  # not ``isinstance``: it asks what is not of a kind for its ``__class__``, and proxies mind
    if issubclass(kind, asyncio.Task):
        return f"task {holder.get_name()}"
    if issubclass(kind, threading.Thread):
        return f"thread {holder.name}"
    if issubclass(kind, type):
        return f"class {holder.__module__}.{holder.__qualname__}"
    if kind is FrameType:
        return f"a call of {holder.f_code.co_qualname}"
    if kind in (FunctionType, MethodType, CoroutineType, GeneratorType):
        return f"{kind.__name__} {holder.__qualname__}"
    attribute = next((name for name, value in _attributes(holder) if value is held), None)
    return f"{kind.__qualname__}.{attribute}" if attribute is not None else kind.__qualname__


def _key(mapping: Mapping[Any, Any], held: object) -> Any:
    return next((key for key, value in list(mapping.items()) if value is held), "?")


def _dict_of(owner: object) -> object:
    with suppress(AttributeError):
        return object.__getattribute__(owner, "__dict__")
    return None


def _attributes(holder: object) -> Iterator[tuple[str, object]]:
    found = _dict_of(holder)
    if type(found) is dict:
        yield from list(found.items())
    for cls in type(holder).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            with suppress(AttributeError):
                yield name, object.__getattribute__(holder, name)
