"""Problems of a manifest: a sentence and the path to the value it is about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time

from attrs import frozen

_BARE = re.compile(r"[A-Za-z0-9_-]+").fullmatch
_SHOWN = 60  # characters of a value or a key that a sentence repeats


@frozen
class Problem:
    """One thing that is wrong, and where."""

    sentence: str
    path: str

    def __str__(self) -> str:
        return f"{self.sentence} @ {self.path}"


def below(path: str, key: str | int) -> str:
    """Return the path of the value under ``key`` (a table's key, or a position in a list)."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _BARE(key):
        return f"{path}.{key[:_SHOWN]}"
    return f"{path}[{json.dumps(key[:_SHOWN])}]"


def shown(text: str) -> str:
    """Return ``text`` quoted, escaped and cut to a length that a sentence can carry."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}...")


def kind_of(value: object) -> str:
    """Return what ``value`` is, in the words of TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {shown(value)}"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case Mapping():
            return "a table"
        case list():
            return "a list"
        case datetime() | date() | time():
            return "a date or time"
        case _:
            return f"something of the type {type(value).__name__}"
