"""State that one generation of a plugin hands to the next: plain data, so classes of two generations do not mix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from hotswap_ports import Stateful, port_of

MAX_DEPTH = 100
"""Deeper than any state that a person designed; a list that holds itself has no bottom."""


@frozen
class Handed:
    """What a generation handed over."""

    version: str
    """The plugin's version, as its manifest has it."""
    states: Mapping[str, Any]
    """By who it is for: empty for the plugin's own object, ``port/name`` for an adapter."""

    def copied(self) -> Handed:
        """Return a copy, whose taker may change what it is given."""
        return Handed(self.version, plain(self.states))


def hands_over(classes: Iterable[type]) -> bool:
    """Return whether an object of one of a plugin's classes takes over state."""
    return any(issubclass(each, Stateful) and not _is_the_ports(each) for each in classes)


def stateful(parts: Mapping[str, object]) -> dict[str, Stateful]:
    """Return those of a plugin's objects that hand over state: what a port calls ``snapshot`` itself is none."""
    return {key: each for key, each in parts.items() if isinstance(each, Stateful) and not _is_the_ports(type(each))}


def _is_the_ports(cls: type) -> bool:
    port = port_of(cls)
    return port is not None and hasattr(port, "snapshot")


def plain(value: Any, at: str = "$", depth: int = 0) -> Any:
    """Return a copy of ``value`` that shares nothing with it.

    Raises:
        TypeError: something in it is no plain data; says what and where.
    """
    if depth > MAX_DEPTH:
        raise TypeError(f"it is nested more than {MAX_DEPTH} levels deep")
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(plain(each, f"{at}[{number}]", depth + 1) for number, each in enumerate(value))
    if type(value) is dict:
        return {
            plain(key, f"{at} (a key)", depth + 1): plain(each, f"{at}.{key}", depth + 1) for key, each in value.items()
        }
    raise TypeError(
        f"{type(value).__name__} is no plain data @ {at}: None, bool, int, float, str, bytes, and lists, tuples, sets "
        "and dicts of these are"
    )
