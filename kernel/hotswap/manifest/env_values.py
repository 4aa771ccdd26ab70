"""The text of an environment variable as a value of the type that a setting's schema asks for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from hotswap.manifest.settings_schema import resolved

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_NAMES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class EnvValueInvalid(Exception):
    """The text is not what the schema wants; it is not repeated, for it may be a secret."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(wanted)


def read_env_value(text: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return ``text`` as the type that ``schema`` (inside of ``root``) asks for; as a text where it asks for none.

    Of several types the narrowest that fits is taken, a text last. A list is written with commas, or as JSON; a table
    as JSON. Raises `EnvValueInvalid`.
    """
    wanted = _types(resolved(schema, root), root)
    if not wanted:
        return text
    for name, (read, _) in _READERS.items():
        if name in wanted:
            try:
                return read(text, resolved(schema, root), root)
            except ValueError:
                continue
    raise EnvValueInvalid(
        " or ".join(words for name, (_, words) in _READERS.items() if name in wanted) or "of a known type"
    )


def _types(schema: Mapping[str, Any], root: Mapping[str, Any]) -> set[str]:
    if "type" in schema:
        return set(schema["type"]) if isinstance(schema["type"], list) else {schema["type"]}
    if "const" in schema or "enum" in schema:
        return {_NAMES.get(type(each), "null") for each in schema.get("enum", [schema.get("const")])}
    branches = [each for key in ("allOf", "anyOf", "oneOf") for each in schema.get(key, ())]
    return {name for each in branches for name in _types(resolved(each, root), root)}


def _boolean(text: str, *_: Any) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


def _integer(text: str, *_: Any) -> int:
    return int(text)


def _number(text: str, *_: Any) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _array(text: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Any]:
    if text.lstrip().startswith("["):
        return list(_json(text, list))
    items = schema.get("items", {})
    try:
        return [
            read_env_value(each.strip(), items if isinstance(items, dict) else {}, root) for each in text.split(",")
        ]
    except EnvValueInvalid as error:
        raise ValueError from error


def _json(text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError from error
    if not isinstance(value, kind):
        raise ValueError
    return value


_READERS: dict[str, tuple[Callable[..., Any], str]] = {
    "integer": (_integer, "a whole number"),
    "number": (_number, "a number"),
    "boolean": (_boolean, "true or false"),
    "array": (_array, "a list (a,b,c or JSON)"),
    "object": (lambda text, *_: _json(text, dict), "a table (in JSON)"),
    "string": (lambda text, *_: text, "a text"),
}
"""By JSON Schema's name of a type: what reads it, and its words; narrow types stand before those that take more."""
