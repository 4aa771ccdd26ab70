"""``plugin.toml`` -> `Manifest`: read, check by the rules, structure. No plugin code is imported."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.errors import ManifestInvalid
from hotswap.manifest.checks import across
from hotswap.manifest.model import Dependency, Manifest, Provide, Require
from hotswap.manifest.problems import Problem
from hotswap.manifest.rules import MANIFEST
from hotswap.manifest.values import licence_of
from hotswap.manifest.versions import specifier_of, version_of

if TYPE_CHECKING:
    from cattrs import Converter

LARGEST_FILE = 1024 * 1024
"""Bytes that a manifest may have; the largest known is under 10 KiB."""
MOST_PROBLEMS = 50
"""Problems listed of one file; a hostile one could have a hundred thousand."""

_LONG_KEY = re.compile(r"""(?<![\w"'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){40}""")
"""A key of more than 40 parts: tomllib takes an hour for one of half a million."""


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in the file ``path``. Raises ``ManifestInvalid`` with every problem of the file at once."""
    try:
        data = _bytes(path)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise ManifestInvalid(str(path), [str(Problem(f"cannot be read: {reason}", "$"))]) from error
    if data is None:
        raise ManifestInvalid(str(path), [str(Problem("it is not an ordinary file", "$"))])
    return parse_manifest(data, str(path), path)


def _bytes(path: Path) -> bytes | None:
    """Return the file's first bytes, one more than it may have; None for what is no ordinary file."""
    # Opening a named pipe would wait for ever without O_NONBLOCK, and reading a few files under /proc, too.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(LARGEST_FILE + 1)


def parse_manifest(text: str | bytes, source: str = "plugin.toml", path: Path | None = None) -> Manifest:
    """Return the manifest that ``text`` holds.

    ``source`` is what errors call it; ``path`` becomes ``Manifest.path``. Raises ``ManifestInvalid`` with all problems.
    """
    document = _document(text, source)
    problems = [str(problem) for problem in islice(_problems(document), MOST_PROBLEMS + 1)]
    if len(problems) > MOST_PROBLEMS:
        problems[MOST_PROBLEMS:] = [str(Problem(f"more than {MOST_PROBLEMS} problems: the rest is not listed", "$"))]
    if problems:
        raise ManifestInvalid(source, problems)
    return _converter().structure(_shaped(document, path), Manifest)


def _document(text: str | bytes, source: str) -> dict[str, Any]:
    try:
        if len(text) > LARGEST_FILE:
            raise ValueError(f"more than {LARGEST_FILE // 1024} KiB")
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        for number, line in enumerate(decoded.split("\n"), 1):
            if line.count(".") >= 40 and _LONG_KEY.search(line):
                raise ValueError(f"a key of more than 40 parts (at line {number})")
        return tomllib.loads(decoded)
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: the byte at position {error.start} belongs to no character"
    except tomllib.TOMLDecodeError as error:
        reason = f"not TOML: {error}"
    except ValueError as error:
        reason = str(error).partition(";")[0]
    except RecursionError:
        reason = "tables and lists are nested too deeply"
    raise ManifestInvalid(source, [str(Problem(reason, "$"))])


def _problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    wrong: set[str] = set()
    for problem in MANIFEST.problems(document, "$"):
        wrong.add(problem.path.removeprefix("$.plugin."))
        yield problem
    if isinstance(plugin := document.get("plugin"), dict):
        yield from across(plugin, wrong)


def _shaped(document: Mapping[str, Any], path: Path | None) -> dict[str, Any]:
    """Return a checked document in the shape of `Manifest`: short forms written out, moved keys in their place."""
    plugin = dict(document["plugin"])
    dialect = "hotswap" if "hotswap" in plugin else "reasonkit"
    addresses = {key: plugin.pop(key) for key in ("homepage", "repository", "documentation") if key in plugin}
    ports = plugin.get("provides", {})
    shape = {
        **plugin,
        "raw_version": plugin["version"],
        "license": licence_of(plugin["license"]) if "license" in plugin else "",
        "dialect": dialect,
        "host": plugin.pop(dialect),
        "provides": [_provide(port, each, plugin["id"]) for port, given in ports.items() for each in _many(given)],
        "requires": [{"port": port, **_ranged(given)} for port, given in plugin.get("requires", {}).items()],
        "dependencies": [{"id": name, **_ranged(given)} for name, given in plugin.get("dependencies", {}).items()],
        "conflicts": [{"id": name, "version": given} for name, given in plugin.get("conflicts", {}).items()],
        "metadata": {**plugin.get("metadata", {}), **addresses},
        **{key: document[key] for key in ("build", "test") if key in document},
        **({} if path is None else {"path": str(path)}),
    }
    shape.pop(dialect)
    return shape


def _many(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _ranged(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {"version": given}


def _provide(port: str, given: Any, name: str) -> dict[str, Any]:
    return {"port": port, "name": name, **(given if isinstance(given, dict) else {"class": given})}


@cache
def _converter() -> Converter:
    """Return the one converter for manifests; it is made at the first of them, for cattrs takes 0.15 s to import."""
    from hotswap.manifest.converter import strict_converter

    renamed = {
        Provide: {"class_name": "class"},
        Require: {"specifier": "version"},
        Dependency: {"specifier": "version"},
    }
    converter = strict_converter(detailed=False, renamed=renamed)
    converter.register_structure_hook(Version, lambda value, _: version_of(value))
    converter.register_structure_hook(SpecifierSet, lambda value, _: specifier_of(value))
    return converter
