"""cattrs without its coercions: a text is neither a number nor a boolean nor a list, a number is no text."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

import attrs
from cattrs import Converter, IterableValidationError, IterableValidationNote
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, override
from cattrs.strategies import configure_union_passthrough

Hook = Callable[[Any, Any], Any]

_WORDS: dict[type, str] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
_LISTS: dict[object, type] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: tuple,
    collections.abc.Collection: tuple,
    collections.abc.Iterable: tuple,
    collections.abc.MutableSequence: list,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}


def strict_converter(*, detailed: bool, renamed: Mapping[type, Mapping[str, str]] | None = None) -> Converter:
    """Return a new converter: strict scalars, lists and tables, no unknown keys.

    ``detailed`` collects every error with its path. ``renamed`` gives, by class, the keys that are called otherwise
    than their fields. What its hooks raise is ``ValueError`` with a sentence that repeats no value, maybe a secret.
    """
    converter = Converter(detailed_validation=detailed, forbid_extra_keys=True)
    configure_union_passthrough(str | int | float | bool | None, converter)
    for scalar in _WORDS:
        converter.register_structure_hook(scalar, _scalar(scalar))
    converter.register_structure_hook(Path, lambda value, _: Path(_scalar(str)(value, str)))
    converter.register_structure_hook_factory(_is_literal, lambda cls: _choice(get_args(cls)))
    converter.register_structure_hook_factory(_is_enum, lambda cls: _choice(tuple(cls)))
    converter.register_structure_hook_factory(_is_list, lambda cls: _listed(converter, cls))
    converter.register_structure_hook_factory(
        lambda cls: isinstance(cls, type) and attrs.has(cls),
        lambda cls: _table(converter, cls, (renamed or {}).get(cls, {})),
    )
    return converter


def _scalar(scalar: Any) -> Hook:
    takes: tuple[type, ...] = (int, float) if scalar is float else (scalar,)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, takes) or (isinstance(value, bool) and scalar is not bool):
            raise ValueError(f"expected {_WORDS[scalar]}")
        return float(value) if scalar is float else value  # type: ignore[arg-type]

    return structure


def _choice(members: tuple[Any, ...]) -> Hook:
    by_value = {(type(raw), raw): each for each in members for raw in [each.value if isinstance(each, Enum) else each]}

    def structure(value: Any, _: Any) -> Any:
        try:
            return by_value[(type(value), value)]
        except (KeyError, TypeError):
            raise ValueError(f"expected one of {', '.join(str(raw) for _, raw in by_value)}") from None

    return structure


def _is_literal(cls: Any) -> bool:
    return bool(get_origin(cls) == Literal)


def _is_enum(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, Enum)


def _is_list(cls: Any) -> bool:
    origin = get_origin(cls) or cls
    return isinstance(origin, type) and origin in _LISTS


def _listed(converter: Converter, cls: Any) -> Hook:
    make = _LISTS[get_origin(cls) or cls]
    of = get_args(cls)
    if make is tuple and of and of[-1] is not Ellipsis and (get_origin(cls) is tuple):
        return _fixed(converter, of)
    items = list_structure_factory(cast("type", list[of[0] if of else Any]), converter)  # type: ignore[misc]

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ValueError("expected a list")
        return make(items(value, None))

    return structure


def _fixed(converter: Converter, of: tuple[Any, ...]) -> Hook:
    """Structure a tuple of so many items, each of its own type."""

    def structure(value: Any, cls: Any) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) != len(of):
            raise ValueError(f"expected a list of {len(of)} items")
        made, errors = [], []
        for at, (item, each) in enumerate(zip(value, of, strict=True)):
            try:
                made.append(converter.structure(item, each))
            except Exception as error:  # noqa: BLE001 - collected and raised together below, as cattrs does for its own lists
                error.add_note(IterableValidationNote(f"item {at}", at, each))
                errors.append(error)
        if errors:
            raise IterableValidationError("in a tuple", errors, tuple)
        return tuple(made)

    return structure


def _table(converter: Converter, cls: type, renamed: Mapping[str, str]) -> Hook:
    structure: Hook = make_dict_structure_fn(
        cls,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=converter.detailed_validation,
        **{name: override(rename=key) for name, key in renamed.items()},  # type: ignore[arg-type]
    )

    def checked(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError("expected a table")
        return structure(value, cls)

    return checked
