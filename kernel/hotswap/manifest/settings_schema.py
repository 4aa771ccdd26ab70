"""The JSON Schema of a plugin's settings: is it one, what does it hold, which defaults does it fill in.

jsonschema-rs validates; it neither fills defaults nor bounds the work that a hostile schema makes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from hotswap.errors import nearest
from hotswap.manifest.problems import Problem, below, kind_of, shown

DEEPEST = 32
"""Levels of tables and lists that a schema, or settings, may have."""
HEAVIEST = 10_000
"""Values that a schema may come to with its references written out: beyond that, validating can take minutes."""

_METASCHEMA = "https://json-schema.org/draft/2020-12/schema"
_CHAIN = 64  # references that may lead on to references


class SchemaTooLarge(Exception):
    """The defaults of a schema grow without a useful end."""


def refuse_retrieval(uri: str) -> Any:
    """Stand in for a retriever: a manifest never makes the host open a connection or a file."""
    raise ValueError("references stay inside the schema, nothing is fetched")


def validator_of(schema: Mapping[str, Any]) -> Any:
    """Return the ``jsonschema_rs`` validator of ``schema``; its messages say ``the value`` where a value would stand.

    Raises ``jsonschema_rs.ValidationError`` or ``ValueError`` when it is no schema.
    """
    from jsonschema_rs import validator_for

    return validator_for(dict(schema), mask="the value", validate_formats=True, retriever=refuse_retrieval)


@cache
def _metavalidator() -> Any:
    return validator_of({"$ref": _METASCHEMA})


def problems_of_schema(schema: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield why ``schema``, which stands at ``path``, cannot describe a plugin's settings."""
    found = list(problems_of_data(schema, path))
    if not found and schema.get("type", "object") != "object":
        found = [Problem('settings are a table: write type = "object"', below(path, "type"))]
    if not found and _weight(schema, schema, {}, 0) > HEAVIEST:
        found = [Problem(f"it comes to more than {HEAVIEST} values with its references written out", path)]
    yield from found or _problems_of_meaning(schema, path)


def problems_of_data(data: Any, path: str, depth: int = 0) -> Iterator[Problem]:
    """Yield what in ``data`` JSON cannot say, or is nested beyond `DEEPEST` levels."""
    if depth > DEEPEST:
        yield Problem(f"more than {DEEPEST} tables and lists are nested here", path)
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from problems_of_data(value, below(path, str(key)), depth + 1)
    elif isinstance(data, (list, tuple)):
        for at, value in enumerate(data):
            yield from problems_of_data(value, below(path, at), depth + 1)
    elif not (data is None or isinstance(data, (str, bool, int)) or (isinstance(data, float) and math.isfinite(data))):
        yield Problem(f"{kind_of(data)} has no place in JSON", path)


def _problems_of_meaning(schema: Mapping[str, Any], path: str) -> Iterator[Problem]:
    from jsonschema_rs import ValidationError

    broken = False
    if "$schema" not in schema or schema["$schema"] == _METASCHEMA:
        for error in _metavalidator().iter_errors(dict(schema)):
            broken = True
            yield Problem(f"not JSON Schema: {error.message}", _at(path, error.instance_path))
    if broken:
        return
    try:
        validator = validator_of(schema)
        defaults = with_defaults(schema, {})
    except ValidationError as error:
        yield Problem(f"not JSON Schema: {error.message}", _at(path, error.instance_path))
        return
    except (ValueError, SchemaTooLarge) as error:
        yield Problem(f"not JSON Schema: {error}", path)
        return
    for fault in validator.iter_errors(defaults):
        if fault.instance_path and fault.kind.name != "required":
            at = _at("$", fault.instance_path)
            yield Problem(f"the default of the setting {at} breaks the schema: {fault.message}", path)


def _at(path: str, keys: list[str | int]) -> str:
    for key in keys:
        path = below(path, key)
    return path


def _weight(node: Any, root: Mapping[str, Any], known: dict[str, int], depth: int) -> int:
    """Count the values of ``node`` with local references written out; a reference into itself counts once."""
    if depth > DEEPEST * _CHAIN // 8:
        return HEAVIEST + 1
    if isinstance(node, list):
        return 1 + sum(_weight(each, root, known, depth + 1) for each in node)
    if not isinstance(node, Mapping):
        return 1
    total = 1 + sum(_weight(each, root, known, depth + 1) for each in node.values())
    reference = node.get("$ref")
    if isinstance(reference, str):
        if reference not in known:
            known[reference] = 1
            known[reference] = _weight(_pointed_at(reference, root), root, known, depth + 1)
        total += known[reference]
    return total


def _pointed_at(reference: str, root: Mapping[str, Any]) -> Any:
    """Return what a local reference (``#/$defs/name``) leads to; None for any other reference."""
    if not reference.startswith("#"):
        return None
    node: Any = root
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``schema`` with its local references followed, what stands beside a reference going first."""
    merged: dict[str, Any] = dict(schema) if isinstance(schema, Mapping) else {}
    for _ in range(_CHAIN):
        reference = merged.pop("$ref", None)
        target = _pointed_at(reference, root) if isinstance(reference, str) else None
        if not isinstance(target, Mapping):
            return merged
        merged = {**target, **merged}
    return merged


def parts_of(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield ``schema`` and all that ``allOf`` adds to it, references followed."""
    whole = resolved(schema, root)
    yield whole
    if depth < DEEPEST:
        for each in whole.get("allOf", ()):
            yield from parts_of(each, root, depth + 1)


def properties_at(schema: Mapping[str, Any], setting: str) -> Mapping[str, Any] | None:
    """Return the schema of a setting by its dotted name; None when ``schema`` has no such property."""
    found = property_of(schema, setting, schema)
    node: Mapping[str, Any] | None = schema
    for name in setting.split("."):
        node = None if node is None else property_of(node, name, schema)
    return node if found is None else found


def property_of(schema: Any, name: str, root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of the property ``name``, references into ``root`` followed; None when there is none."""
    for part in parts_of(schema, root):
        if name in part.get("properties", {}):
            return resolved(part["properties"][name], root)
    return None


def names_if_closed(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the settings that ``schema`` knows; empty when it says itself which others it takes.

    Plain JSON Schema is open where it says nothing. Settings are not: a typing mistake would go unnoticed.
    """
    names: set[str] = set()
    waiting: list[Any] = [schema]
    for _ in range(HEAVIEST):
        if not waiting:
            break
        part = resolved(waiting.pop(), schema)
        if part.get("additionalProperties", False) is not False or part.keys() & {
            "patternProperties",
            "unevaluatedProperties",
        }:
            return frozenset()
        names.update(part.get("properties", {}))
        waiting += [each for key in ("allOf", "anyOf", "oneOf") for each in part.get(key, ())]
        waiting += [part[key] for key in ("if", "then", "else") if key in part]
        waiting += part.get("dependentSchemas", {}).values()
    return frozenset(names)


def problems_of_values(schema: Mapping[str, Any], values: Mapping[str, Any], *, closed: bool) -> Iterator[Problem]:
    """Yield where ``values`` break ``schema``, repeating none of them.

    ``closed``: unknown names on the first level were reported already.
    """
    for error in validator_of(schema).iter_errors(values):
        path = _at("$", error.instance_path)
        match error.kind.name:
            case "required":
                yield Problem("is missing", below(path, str(error.kind.value)))
            case "additionalProperties" if closed and not error.instance_path:
                continue
            case "additionalProperties":
                table = properties_at(schema, ".".join(map(str, error.instance_path))) or {}
                for name in error.kind.value:
                    hint = nearest(name[:60], table.get("properties", {}))
                    yield Problem(f"unknown setting {shown(name)}{f'. {hint}' if hint else ''}", below(path, name))
            case _:
                yield Problem(error.message, path)


_ABSENT = object()


class _Filling:
    """One filling in of defaults: how much of the budget is left."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = HEAVIEST

    def fill(self, schema: Any, value: Any, trail: frozenset[str]) -> Any:
        if isinstance(value, Mapping):
            filled = {key: self.fill({}, each, trail) for key, each in value.items()}
            for part in parts_of(schema, self._root):
                for name, each in part.get("properties", {}).items():
                    now = self.fill(each, filled[name], trail) if name in filled else self.absent(each, trail)
                    if now is not _ABSENT:
                        filled[name] = now
            return filled
        if isinstance(value, (list, tuple)):
            items = resolved(schema, self._root).get("items", {})
            return [self.fill(items, each, trail) for each in value]
        return value

    def absent(self, schema: Any, trail: frozenset[str]) -> Any:
        """Return what a missing property amounts to: its default, or a table that its own defaults make complete."""
        self._left -= 1
        if self._left < 0:
            raise SchemaTooLarge(f"its defaults come to more than {HEAVIEST} values")
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if reference in trail:
            return _ABSENT
        trail = trail | {reference} if reference else trail
        whole = resolved(schema, self._root)
        if "default" in whole:
            return self.fill(whole, whole["default"], trail)
        if "properties" not in whole:
            return _ABSENT
        table = self.fill(whole, {}, trail)
        return table if table and all(name in table for name in whole.get("required", ())) else _ABSENT


def with_defaults(schema: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy of ``value`` with the schema's defaults filled in, tables within tables included.

    A missing table is made when its own defaults complete it. Raises `SchemaTooLarge`.
    """
    filled: dict[str, Any] = _Filling(schema).fill(schema, value, frozenset())
    return filled
