"""``MemoryTool``: the port ``tool`` that answers with what it was given."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from hotswap_ports.errors import InvalidRequest
from hotswap_ports.tool import Tool, ToolFeatures, ToolResult

FEATURES = ToolFeatures(
    "Repeats its arguments.",
    {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "What to repeat."},
            "times": {"type": "integer", "description": "How often."},
            "factor": {"type": "number"},
            "loud": {"type": "boolean"},
            "tone": {"type": "string", "enum": ["plain", "formal"]},
            "tags": {"type": "array"},
            "note": {"type": ["string", "null"]},
        },
        "required": ["text"],
        "additionalProperties": False,
    },
    read_only=True,
)

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": lambda value: _is_number(value),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
}


class MemoryTool(Tool):
    """Checks its arguments as a real tool must, one level deep: type, enum, required and additionalProperties.

    Args:
        function: is given a copy of the arguments, and returns a ``ToolResult`` or its value; the arguments by default.
        features: what is told of the tool, and what its arguments are held against.
    """

    def __init__(
        self, function: Callable[[dict[str, Any]], Any] | None = None, *, features: ToolFeatures = FEATURES
    ) -> None:
        self.features = features
        self._function = function

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Return what the function makes of the arguments; the text is the value as JSON, or the value if it is one."""
        _check(arguments, self.features.parameters)
        given = copy.deepcopy(dict(arguments))
        made = given if self._function is None else self._function(given)
        if isinstance(made, ToolResult):
            return made
        return ToolResult(made, made if isinstance(made, str) else json.dumps(made, ensure_ascii=False))


def _check(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    if missing := [each for each in schema.get("required", ()) if each not in arguments]:
        raise InvalidRequest(f"The argument {', '.join(missing)} is missing.")
    for name, value in arguments.items():
        wanted = known.get(name, others)
        if wanted is False:
            raise InvalidRequest(f"There is no argument {name}.", f"There are {', '.join(known) or 'none'}.")
        if wanted is not True and not _fits(value, wanted):
            raise InvalidRequest(f"The argument {name} takes {_wanted(wanted)}, not {value!r}.")


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", list(_TYPES))
    typed = any(_TYPES[each](value) for each in ([kinds] if isinstance(kinds, str) else kinds))
    return typed and ("enum" not in schema or any(_same(value, each) for each in schema["enum"]))


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _wanted(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(map(repr, schema['enum']))}"
    kinds = schema.get("type", "JSON")
    return f"a value of type {kinds if isinstance(kinds, str) else ' or '.join(kinds)}"
