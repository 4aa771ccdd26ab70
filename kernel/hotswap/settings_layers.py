"""Where settings come from: ``hotswap.toml``, variables named ``HOTSWAP_*``, dotted keys from the command line."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from hotswap.errors import SettingsInvalid
from hotswap.settings_tables import Layer

PREFIX = "HOTSWAP_"
MAX_BYTES = 1024 * 1024
"""A hotswap.toml above this size is refused unread: the largest real ones are some ten kilobytes."""
_LONG_KEY = re.compile(rb"""(?<![\w"'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){40}""")
"""tomllib takes quadratic time for a key of many parts: an hour for half a million of them."""
_PARTS = {"grants": (3, 3), "config": (3, 16)}
"""How many parts the path of a setting has, at least and at most; two in every other table."""


def file_layer(path: Path, content: bytes | None = None) -> Layer:
    """Read a ``hotswap.toml`` (or ``content`` in its place).

    SettingsInvalid, with line and column, when it is no TOML or cannot be read.
    """
    content = read_file(path) if content is None else content
    return Layer(str(path), path.absolute().parent, parse_toml(content, str(path)))


def read_file(path: Path) -> bytes:
    """Return a settings file's bytes; SettingsInvalid when it is not an ordinary, readable file of sane size."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a named pipe would wait for ever
            raise SettingsInvalid(str(path), ["it is not an ordinary file"])
        if found.st_size > MAX_BYTES:
            raise SettingsInvalid(str(path), [f"it has {found.st_size} bytes; {MAX_BYTES} are the most"])
        return path.read_bytes()
    except OSError as error:
        raise SettingsInvalid(str(path), [f"it cannot be read: {error.strerror}"]) from error


def parse_toml(content: bytes, source: str) -> dict[str, Any]:
    """Parse TOML in UTF-8; SettingsInvalid, which shows no value, for anything else."""
    import tomllib

    if _LONG_KEY.search(content):
        raise SettingsInvalid(source, ["it is not TOML that can be read: a key has more than 40 parts"])
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SettingsInvalid(source, [f"it is not UTF-8: byte {error.start}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(source, [f"it is not TOML: {error}"]) from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, a thousand brackets
        raise SettingsInvalid(
            source, ["it is not TOML that can be read: a number or a nesting is out of bounds"]
        ) from error


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Collect the variables that set something; an empty one counts as unset."""
    tables: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    problems: list[str] = []
    for name in sorted(environ):
        path = _variable_path(name)
        if not environ[name]:
            continue
        if path is None:
            if meant := _meant(name):
                problems.append(f"sets nothing: write {meant} @ {name}")
        elif not _names_setting(path):
            problems.append(f"names no setting @ {name}")
        elif not _put(tables, path, from_text(path, environ[name])):
            problems.append(f"contradicts a shorter variable that sets the whole @ {name}")
        else:
            origins[path] = name
    if problems:
        raise SettingsInvalid("the environment", problems)
    return Layer("the environment", Path.cwd(), tables, origins)


def command_line_layer(overrides: Mapping[str, Any]) -> Layer:
    """Take dotted keys (``ports.ai``, ``config.sqlite-storage.path``) as the command line gives them.

    A value that is text is read as one from the environment is; any other is taken as it stands.
    """
    tables: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    problems: list[str] = []
    for key, value in overrides.items():
        path = tuple(key.split("."))
        if not _names_setting(path):
            problems.append(f"{key!r} names no setting; write table.key, like ports.ai")
        elif not _put(tables, path, from_text(path, value) if isinstance(value, str) else value):
            problems.append(f"contradicts a shorter key that sets the whole @ {key}")
        else:
            origins[path] = key
    if problems:
        raise SettingsInvalid("the command line", problems)
    return Layer("the command line", Path.cwd(), tables, origins)


def from_text(path: tuple[str, ...], text: str) -> Any:
    """Read a text by the kind of setting it is for.

    Lists are parted by commas (paths as in ``PATH``). A plugin's settings and grants are JSON where they are a JSON
    number, ``true``, ``false``, list or table, and plain text otherwise; ``'"30"'`` forces text.
    """
    if path[:2] == ("plugins", "paths"):
        return [each for each in text.split(os.pathsep) if each]
    if path[0] == "ports" or path[:2] in {("plugins", "enabled"), ("plugins", "disabled")}:
        return _split(text)
    if path[0] == "config" or path[0] == "plugins":
        return _json_or_text(text)
    if path[0] == "grants":
        value = _json_or_text(text)
        return _split(value) if isinstance(value, str) else value
    return text


def merge(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay checked tables over each other, later ones on top: tables are merged, anything else is replaced."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            under = merged.get(key)
            both = isinstance(under, Mapping) and isinstance(value, Mapping)
            merged[key] = merge((under, value)) if both else value  # type: ignore[arg-type]  # `both` says so
    return merged


def _variable_path(name: str) -> tuple[str, ...] | None:
    rest = name.removeprefix(PREFIX)
    if rest == name:
        return None
    for table in ("PLUGINS_", "PORTS_"):
        if rest.startswith(table) and not rest.startswith(f"{table}_"):
            return table[:-1].lower(), rest.removeprefix(table).lower()
    for table in ("CONFIG__", "TRUST__", "GRANTS__"):
        if rest.startswith(table):
            plugin, *keys = rest.removeprefix(table).lower().split("__")
            return table[:-2].lower(), plugin.replace("_", "-"), *keys
    return None


def _meant(name: str) -> str:
    """Return how a variable is written that begins like a setting's and has the wrong number of underscores."""
    if name == "HOTSWAP_CONFIG_FILE":
        return ""
    found = re.fullmatch(rf"{PREFIX}(?:(PLUGINS|PORTS)_+|(CONFIG|TRUST|GRANTS)_(?=[^_]))(.*)", name)
    if found is None:
        return ""
    flat, deep, rest = found.groups()
    if flat:
        return f"{PREFIX}{flat}_{rest}"
    return f"{PREFIX}{deep}__{'ID' if deep == 'TRUST' else 'ID__KEY'}"


def _names_setting(path: tuple[str, ...]) -> bool:
    least, most = _PARTS.get(path[0], (2, 2))
    return all(path) and least <= len(path) <= most


def _put(tables: dict[str, Any], path: tuple[str, ...], value: Any) -> bool:
    for key in path[:-1]:
        tables = tables.setdefault(key, {})
        if not isinstance(tables, dict):
            return False
    return tables.setdefault(path[-1], value) is value


def _split(text: str) -> list[str]:
    # The comma inside a range of versions ("a>=1,<2") parts nothing.
    return [each.strip() for each in re.split(r",(?!\s*[<>=!~])", text) if each.strip()]


def _json_or_text(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    out_of_range = isinstance(value, float) and not isfinite(value)  # "123e4567" is a revision, not infinity
    return text if out_of_range or value is None else value
