"""Assertions on the fields of a value, by dotted names, all of them at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hotswap.errors import nearest

_MISSING = object()


class Wanted:
    """What a field has to be like, in words and as a test."""

    def __init__(self, text: str, holds: Callable[[Any], bool]) -> None:
        self._text = text
        self.holds = holds

    def __repr__(self) -> str:
        return self._text


def within(low: float, high: float) -> Wanted:
    """Want a number from ``low`` to ``high``, both included: a score, a confidence."""

    def holds(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

    return Wanted(f"a number within {low:g} and {high:g}", holds)


def matching(pattern: str) -> Wanted:
    """Want a text in which a regular expression is found."""

    def holds(value: Any) -> bool:
        return isinstance(value, str) and re.search(pattern, value) is not None

    return Wanted(f"a text that matches {pattern!r}", holds)


def check(value: object, fields: Mapping[str, Any]) -> None:
    """Fail unless each field is as wanted, and name every one that is not.

    Args:
        value: anything: its attributes, keys and items are walked, ``"report.key_points.0.text"``.
        fields: dotted name -> the value that is wanted, ``within(...)``, ``matching(...)``, or a function that says
            whether a value will do.

    Raises:
        AssertionError: with a line for each field that is missing or not as wanted.
    """
    problems = [problem for name, wanted in fields.items() if (problem := _problem(value, name, wanted))]
    if problems:
        raise AssertionError("\n".join(problems))


def _problem(value: object, name: str, wanted: Any) -> str:
    found, so_far = value, ""
    for part in name.split("."):
        inner = _step(found, part)
        if inner is _MISSING:
            hint = nearest(part, _names(found))
            place = f"{type(found).__name__} at {so_far}" if so_far else type(found).__name__
            return f"{name}: there is no {part!r} in {place}. {hint}".rstrip()
        found, so_far = inner, f"{so_far}.{part}".lstrip(".")
    holds = wanted.holds if isinstance(wanted, Wanted) else wanted if callable(wanted) else None
    if found == wanted if holds is None else holds(found):
        return ""
    text = repr(wanted) if holds is None or isinstance(wanted, Wanted) else f"what {wanted!r} allows"
    return f"{name}: {found!r} is not {text}"


def _step(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part, _MISSING)
    if isinstance(value, Sequence) and part.lstrip("-").isdigit():
        number = int(part)
        return value[number] if -len(value) <= number < len(value) else _MISSING
    return getattr(value, part, _MISSING)


def _names(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [str(each) for each in value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(each) for each in range(len(value))]
    return [each for each in dir(value) if not each.startswith("_")]
