"""The tables of ``hotswap.toml``: which keys there are, of what kind, and the check that each value passes.

The same tables are filled from three layers (the file, the environment, the command line), so a layer carries where
each of its values came from, and a problem ends in ``@ $.plugins.enabled`` or in the name of the variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from hotswap.errors import nearest
from hotswap.manifest.model import Limits
from hotswap.trust import CAPABILITIES, LIMITS, LISTABLE, Trust

TABLES: tuple[str, ...] = ("plugins", "ports", "config", "trust", "grants")
ID = re.compile(r"[a-z][a-z0-9-]*")
PORT = re.compile(r"[a-z][a-z0-9_]*")
_ID = re.compile(r"[a-z][a-z0-9-]*")
_REQUIREMENT = re.compile(r"([a-z][a-z0-9-]*)\s*(.*)", re.DOTALL)
WHOLE_LIMITS = frozenset(each.name for each in attrs.fields(Limits) if "int" in str(each.type))
"""Limits that count something, so that a fraction makes no sense."""


def split_requirement(entry: str) -> tuple[str, str]:
    """Split ``"id>=1.2"`` into id and specifier (empty when there is none); ValueError when it is neither."""
    if _ID.fullmatch(entry):
        return entry, ""
    match = _REQUIREMENT.fullmatch(entry.strip())
    if match is None:
        raise ValueError(
            "must be a plugin's id (small letters, digits, dashes), with a version range after it or without"
        )
    plugin, specifier = match[1], match[2].strip()
    if specifier:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet  # only an entry with a range needs it

        try:
            SpecifierSet(specifier)
        except InvalidSpecifier:
            raise ValueError(
                f"has no version range that can be read: {specifier!r}; write one like '>=1.2,<2'"
            ) from None
    return plugin, specifier


@frozen
class Layer:
    """Values from one place, in the shape of the file."""

    name: str
    """What the place is called in an error."""
    base: Path
    """The folder from which relative paths count."""
    tables: Mapping[str, Any]
    origins: Mapping[tuple[str, ...], str] = field(factory=dict)
    """Where a value came from, by its path; a path that is not here is shown as ``$.table.key``."""

    def origin(self, path: tuple[str, ...]) -> str:
        """Return what to show for ``path``: its own origin, that of the nearest table around it, or the path itself."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        return "$." + ".".join(path)


class TableCheck:
    """Checks one layer: what is sound goes to ``values``, the rest to ``problems``, which quote no plugin setting."""

    def __init__(self, layer: Layer) -> None:
        self.problems: list[str] = []
        self.values: dict[str, dict[str, Any]] = {}
        self._layer = layer
        for name, table in layer.tables.items():
            if name not in TABLES:
                self._unknown("table", name, TABLES, (name,))
            elif not isinstance(table, Mapping):
                self._refuse("must be a table", name)
            else:
                self.values[name] = dict(getattr(self, f"_{name}")(table))

    def _refuse(self, sentence: str, *path: str) -> None:
        self.problems.append(f"{sentence} @ {self._layer.origin(path)}")

    def _unknown(self, what: str, name: str, known: Iterable[str], path: tuple[str, ...]) -> None:
        hint = nearest(name, known) or f"Known: {', '.join(known)}."
        self._refuse(f"unknown {what} {name!r}. {hint}", *path)

    def _plugins(self, table: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        checks: dict[str, Callable[[str, Any], Any]] = {
            "enabled": self._requirements,
            "disabled": self._requirements,
            "paths": self._paths,
            "drain_timeout": self._seconds,
            "open_timeout": self._seconds,
            "hold_timeout": self._seconds,
            "activation": self._activation,
            "health_interval": self._seconds,
            "fail_back_after": self._seconds,
        }
        for key, value in table.items():
            if key not in checks:
                self._unknown("key", key, checks, ("plugins", key))
            elif (checked := checks[key](key, value)) is not None:
                yield key, checked

    def _activation(self, key: str, value: Any) -> str | None:
        if value in ("lazy", "eager"):
            return str(value)
        self._refuse('"lazy" or "eager" was expected', "plugins", key)
        return None

    def _requirements(self, key: str, value: Any) -> tuple[str, ...] | None:
        entries = self._strings(value, "plugin ids", "plugins", key)
        for entry in entries or ():
            try:
                specifier = split_requirement(entry)[1]
            except ValueError as wrong:
                self._refuse(f"{entry!r} {wrong}", "plugins", key)
            else:
                if specifier and key == "disabled":
                    self._refuse(
                        f"{entry!r} must be an id alone: a plugin is disabled in every version", "plugins", key
                    )
        return entries

    def _paths(self, key: str, value: Any) -> tuple[Path, ...] | None:
        entries = self._strings(value, "paths", "plugins", key)
        return None if entries is None else tuple(self._layer.base / os.path.expanduser(each) for each in entries)

    def _seconds(self, key: str, value: Any) -> float | None:
        if not _is_number(value) or value < 0 or (value == 0 and key == "open_timeout"):
            least = "above 0" if key == "open_timeout" else "0 or more"
            self._refuse(f"must be a number of seconds, {least}", "plugins", key)
            return None
        return float(value)

    def _ports(self, table: Mapping[str, Any]) -> Iterable[tuple[str, tuple[str, ...]]]:
        for port, value in table.items():
            if not PORT.fullmatch(port):
                self._refuse(f"{port!r} is no name of a port (small letters, digits, underscores)", "ports", port)
                continue
            names = (value,) if isinstance(value, str) else self._strings(value, "provider names", "ports", port)
            if names is not None and (not names or not all(each.strip() for each in names)):
                self._refuse("must name a provider, or several in order of failover", "ports", port)
            elif names is not None and len(set(names)) < len(names):
                self._refuse("names a provider twice", "ports", port)
            elif names is not None:
                yield port, names

    def _config(self, table: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
        for plugin, value in self._by_plugin("config", table):
            if isinstance(value, Mapping):
                yield plugin, dict(value)
            else:
                self._refuse("must be a table of the plugin's settings", "config", plugin)

    def _trust(self, table: Mapping[str, Any]) -> Iterable[tuple[str, Trust]]:
        for plugin, value in self._by_plugin("trust", table):
            if isinstance(value, Trust):
                yield plugin, value
                continue
            try:
                yield plugin, Trust.parse(value if isinstance(value, str) else "")
            except ValueError as wrong:
                sentence = str(wrong) if isinstance(value, str) else "must be the name of a trust level"
                self._refuse(sentence, "trust", plugin)

    def _grants(self, table: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
        for plugin, value in self._by_plugin("grants", table):
            if isinstance(value, Mapping):
                yield plugin, dict(self._grants_of(plugin, value))
            else:
                self._refuse("must be a table of capabilities and limits", "grants", plugin)

    def _grants_of(self, plugin: str, table: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        for key, value in table.items():
            path = ("grants", plugin, key)
            if key in LIMITS:
                if not _is_number(value) or value <= 0 or (key in WHOLE_LIMITS and not isinstance(value, int)):
                    self._refuse(f"must be a {'whole ' if key in WHOLE_LIMITS else ''}number above 0", *path)
                else:
                    yield key, value
            elif key not in CAPABILITIES:
                self._unknown("capability or limit", key, (*CAPABILITIES, *LIMITS), path)
            elif isinstance(value, bool):
                yield key, value
            elif key not in LISTABLE:
                self._refuse("must be true or false", *path)
            elif (names := self._strings(value, "hosts or paths, or true or false", *path)) is not None:
                yield key, names

    def _by_plugin(self, name: str, table: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        for plugin, value in table.items():
            if ID.fullmatch(plugin):
                yield plugin, value
            else:
                self._refuse(f"{plugin!r} is no plugin's id (small letters, digits, dashes)", name, plugin)

    def _strings(self, value: Any, what: str, *path: str) -> tuple[str, ...] | None:
        if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self._refuse(f"must be a list of {what}", *path)
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
