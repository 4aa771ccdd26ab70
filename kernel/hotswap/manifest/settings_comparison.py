"""Two schemas of a plugin's settings: what was taken and is not any more, and what is taken besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hotswap.manifest.change import Change, Step
from hotswap.manifest.settings_schema import names_if_closed, resolved


def changes_of_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Compare two schemas of all settings, with what they leave unsaid."""
    if old != new:
        yield from _keywords(_whole(old), _whole(new), "")


def _whole(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema of all settings with its references written out: it is closed where it does not say otherwise."""
    unsaid = {"type": "object", "additionalProperties": not names_if_closed(schema)}
    whole: Mapping[str, Any] = _written_out({**unsaid, **schema}, schema, {})
    return whole


def _written_out(node: Any, root: Mapping[str, Any], known: dict[str, Any]) -> Any:
    """Return a schema with its local references followed, each once: one that leads into itself stays there."""
    if isinstance(node, list | tuple):
        return [_written_out(each, root, known) for each in node]
    if not isinstance(node, Mapping):
        return node
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return {key: _written_out(each, root, known) for key, each in node.items() if key not in _DEFINING}
    beside = _written_out({key: each for key, each in node.items() if key != "$ref"}, root, known)
    if reference not in known:
        known[reference] = {"$ref": reference}
        known[reference] = _written_out(resolved({"$ref": reference}, root), root, known)
    return {**known[reference], **beside}


def _setting(old: Any, new: Any, name: str) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if old.get("default") != new.get("default"):
            yield Change(Step.MINOR, f"the default of {name} is another one")
        yield from _keywords(old, new, name)
    elif old != new:
        takes_more = new in (True, {})
        yield Change(Step.MINOR if takes_more else Step.MAJOR, f"the setting {name} is checked otherwise")


def _keywords(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> Iterator[Change]:
    """Compare two schemas of one setting, or of all; what cannot be compared and differs counts as narrower."""
    for key in sorted((old.keys() | new.keys()) - _DESCRIBING - _HOLDING):
        if old.get(key) != new.get(key):
            takes_more = _WIDER.get(key, _never)(old.get(key), new.get(key))
            yield _taken(f"the setting {name}" if name else "the settings", takes_more, key)
    yield from _properties(old, new, f"{name}." if name else "")
    yield from _others(old, new, name)


def _taken(what: str, takes_more: bool, key: str) -> Change:
    verb = "takes" if what.startswith("the setting ") else "take"
    text = f"{what} {verb} {'more' if takes_more else 'less, or something else'} ({key})"
    return Change(Step.MINOR if takes_more else Step.MAJOR, text)


def _properties(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Change]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(before.keys() - after.keys()):
        yield Change(Step.MAJOR, f"the setting {path}{name} is gone")
    for name in sorted(after.keys() - before.keys()):
        required = name in new.get("required", ())
        text = f"the setting {path}{name} is new{' and required' if required else ''}"
        yield Change(Step.MAJOR if required else Step.MINOR, text)
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ())) - (after.keys() - before.keys())):
        yield Change(Step.MAJOR, f"the setting {path}{name} is required")
    for name in sorted(before.keys() & after.keys()):
        yield from _setting(before[name], after[name], f"{path}{name}")


def _others(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> Iterator[Change]:
    """Compare what is said of settings that are not named: by the pattern of their names, and of all others."""
    what = f"the setting {name}" if name else "the settings"
    rest, then = old.get("additionalProperties", True), new.get("additionalProperties", True)
    before, after = old.get("patternProperties", {}), new.get("patternProperties", {})
    if rest != then:
        yield _taken(what, then in (True, {}) or rest is False, "additionalProperties")
    for pattern in sorted(before.keys() - after.keys()):  # such names are now as free as all others
        yield _taken(what, then in (True, {}), f"patternProperties {pattern}")
    for pattern in sorted(after.keys() - before.keys()):
        yield _taken(what, rest is False or after[pattern] in (True, {}), f"patternProperties {pattern}")
    for pattern in sorted(before.keys() & after.keys()):
        yield from _setting(before[pattern], after[pattern], f"{name}.{pattern}".lstrip("."))


_DESCRIBING = frozenset(
    {"title", "description", "default", "examples", "$comment", "deprecated", "writeOnly", "$schema"}
)
"""Keywords by which nothing is refused; a default is looked at by itself."""
_HOLDING = frozenset({"properties", "required", "patternProperties", "additionalProperties"})
"""Keywords of a table, which are compared by what it holds."""
_DEFINING = frozenset({"$defs", "definitions"})
"""Keywords that say nothing until a reference leads there."""


def _never(old: Any, new: Any) -> bool:
    return False


def _types(given: Any) -> set[Any]:
    return set(given) if isinstance(given, list | tuple) else {given}


def _has_more(old: Any, new: Any) -> bool:
    if old is None or new is None:
        return new is None
    wider = _types(new)
    return _types(old) <= (wider | {"integer"} if "number" in wider else wider)


def _is_less(old: Any, new: Any) -> bool:
    return new is None or (old is not None and new <= old)


def _is_more(old: Any, new: Any) -> bool:
    return new is None or (old is not None and new >= old)


_WIDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": _has_more, "enum": _has_more,
    "minimum": _is_less, "exclusiveMinimum": _is_less, "minLength": _is_less, "minItems": _is_less,
    "maximum": _is_more, "exclusiveMaximum": _is_more, "maxLength": _is_more, "maxItems": _is_more,
    "pattern": lambda old, new: new is None, "format": lambda old, new: new is None,
}  # fmt: skip
"""Keyword -> whether its new value takes all that the old one did."""
