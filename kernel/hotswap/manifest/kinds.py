"""Kinds of values in a manifest. Each says what it wants in words and as JSON Schema, and what is wrong with a value.

The three come from one object, so the reader, the shipped schema and the reference page cannot say different things.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from attrs import field, frozen

from hotswap.errors import nearest
from hotswap.manifest.problems import Problem, below, kind_of, shown

LINE = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+$"
"""One line that is not empty, without what would move a terminal's cursor or turn the direction of writing."""

PROSE = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$"
"""Like `LINE`, and may be empty or have line breaks and tabs."""

LARGEST = 2**53 - 1
"""The largest number that every reader of JSON keeps exactly."""


class Kind(Protocol):
    """What a value of the manifest may be."""

    @property
    def words(self) -> str:
        """What is wanted, with its article: ``a list of texts``."""

    @property
    def takes(self) -> type | tuple[type, ...]:
        """The Python types, as tomllib yields them, that this kind looks at."""

    def schema(self) -> dict[str, Any]:
        """Return the kind as JSON Schema, draft 2020-12."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """Yield what is wrong with ``value``, which stands at ``path``."""


def _mistyped(kind: Kind, value: object, path: str) -> Problem:
    return Problem(f"expected {kind.words}, found {kind_of(value)}", path)


@frozen
class Text:
    """A text that has a form; ``why_not`` says what a pattern cannot, and returns an empty string when all is well."""

    words: str
    pattern: str = LINE
    why_not: Callable[[str], str] = lambda _: ""
    takes: type = str
    longest: int = 1000
    """Characters it may have: what reads versions, licences and requirements takes minutes for a megabyte of them."""
    _matches: Callable[[str], object] = field(init=False, eq=False, repr=False)

    @_matches.default
    def _compiled(self) -> Callable[[str], object]:
        return re.compile(self.pattern).fullmatch

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": self.pattern, "maxLength": self.longest}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield _mistyped(self, value, path)
        elif len(value) > self.longest:
            yield Problem(f"{shown(value)} has {len(value)} characters, and may have {self.longest}", path)
        elif reason := self.why_not(value):
            yield Problem(f"{shown(value)} is not {self.words}: {reason}", path)
        elif not self._matches(value):
            yield Problem(f"{shown(value)} is not {self.words}", path)


@frozen
class Choice:
    """One of a few words."""

    values: tuple[str, ...]
    takes: type = str

    @property
    def words(self) -> str:
        return f"one of {', '.join(self.values)}"

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.values)}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield _mistyped(self, value, path)
        elif value not in self.values:
            hint = nearest(value[:60], self.values)
            yield Problem(f"{shown(value)} is not {self.words}.{f' {hint}' if hint else ''}", path)


@frozen
class Flag:
    """True or false; TOML has words for them, so a text or a number is neither."""

    words: str = "true or false"
    takes: type = bool

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, bool):
            yield _mistyped(self, value, path)


@frozen
class Positive:
    """A number above zero and not above 2**53 - 1."""

    whole: bool
    takes: tuple[type, ...] = (int, float)

    @property
    def words(self) -> str:
        return "a whole number above 0" if self.whole else "a number above 0"

    def schema(self) -> dict[str, Any]:
        return {"type": "integer" if self.whole else "number", "exclusiveMinimum": 0, "maximum": LARGEST}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            yield _mistyped(self, value, path)
        elif not (0 < value <= LARGEST and math.isfinite(value)):
            yield Problem(f"expected {self.words}, and at most {LARGEST}", path)


@frozen
class ListOf:
    """A list whose items are all of one kind."""

    item: Kind
    plural: str
    takes: type = list

    @property
    def words(self) -> str:
        return f"a list of {self.plural}"

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield _mistyped(self, value, path)
            return
        for at, item in enumerate(value):
            yield from self.item.problems(item, below(path, at))


@frozen
class Either:
    """One of several kinds, told apart by their types."""

    kinds: tuple[Kind, ...]

    @property
    def words(self) -> str:
        return " or ".join(kind.words for kind in self.kinds)

    @property
    def takes(self) -> tuple[type, ...]:
        return tuple(each for kind in self.kinds for each in _types(kind))

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [kind.schema() for kind in self.kinds]}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        for kind in self.kinds:
            if isinstance(value, kind.takes):
                yield from kind.problems(value, path)
                return
        yield _mistyped(self, value, path)


def _types(kind: Kind) -> tuple[type, ...]:
    return kind.takes if isinstance(kind.takes, tuple) else (kind.takes,)


@frozen
class MapOf:
    """A table whose keys the author chooses."""

    words: str
    key: Text
    value: Kind
    takes: type = dict

    def schema(self) -> dict[str, Any]:
        names = {"pattern": self.key.pattern, "maxLength": self.key.longest}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.value.schema()}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _mistyped(self, value, path)
            return
        for name, item in value.items():
            yield from self.key.problems(name, below(path, name))
            yield from self.value.problems(item, below(path, name))


@frozen
class AnyTable:
    """A table whose content is another notation, checked elsewhere; ``content`` is its JSON Schema."""

    words: str
    content: Mapping[str, Any]
    takes: type = dict

    def schema(self) -> dict[str, Any]:
        return {"type": "object", **self.content}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _mistyped(self, value, path)


@frozen
class Key:
    """One key of a table. ``default`` is what its absence means; None where absence means nothing is said."""

    name: str
    kind: Kind
    meaning: str
    default: Any = None
    required: bool = False


@frozen
class Table:
    """A table with keys that the format fixes; a key beyond them is a mistake."""

    words: str
    keys: tuple[Key, ...]
    extra: Mapping[str, Any] = field(factory=dict)
    """More JSON Schema, for what one key has to do with another."""
    takes: type = dict
    _known: Mapping[str, Kind] = field(init=False, eq=False, repr=False)

    @_known.default
    def _kinds(self) -> Mapping[str, Kind]:
        return {key.name: key.kind for key in self.keys}

    def schema(self) -> dict[str, Any]:
        required = [key.name for key in self.keys if key.required]
        return {
            "type": "object",
            "properties": {key.name: _described(key) for key in self.keys},
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **self.extra,
        }

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _mistyped(self, value, path)
            return
        for key in self.keys:
            if key.required and key.name not in value:
                yield Problem(f"{shown(key.name)} is missing: {key.kind.words}", below(path, key.name))
        for name, item in value.items():
            if name in self._known:
                yield from self._known[name].problems(item, f"{path}.{name}")
            else:
                hint = nearest(name[:60], self._known) or f"Known keys: {', '.join(self._known)}."
                yield Problem(f"unknown key {shown(name)}. {hint}", below(path, name))


def _described(key: Key) -> dict[str, Any]:
    default = list(key.default) if isinstance(key.default, tuple) else key.default
    return {"description": key.meaning, **key.kind.schema(), **({} if default in (None, "") else {"default": default})}
