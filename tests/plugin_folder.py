"""Writes small plugins into folders, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

import tomlkit
from attrs import evolve

from hotswap import Settings
from hotswap_ports import Port


class Greeter(Port):
    """A port of the tests' own: says hello."""

    PORT: ClassVar[str] = "greeter"
    VERSION: ClassVar[str] = "1.0.0"

    features: frozenset[str] = frozenset()

    async def greet(self, name: str, *, loud: bool = False) -> str:
        """Greet somebody."""
        raise NotImplementedError


class Clock(Port):
    """A second port of the tests' own."""

    PORT: ClassVar[str] = "clock"
    VERSION: ClassVar[str] = "2.1.0"

    async def now(self) -> float:
        """Return a time in seconds."""
        raise NotImplementedError


GREETER = """
    from tests.plugin_folder import Greeter

    class Hello(Greeter):
        async def greet(self, name, *, loud=False):
            return "{word} " + name
"""


def write_plugin(
    root: Path,
    plugin: str,
    code: str = "",
    *,
    version: str = "1.0.0",
    folder: str | None = None,
    **tables: Any,
) -> Path:
    """Write ``root/<folder or id>/plugin.toml`` and ``code.py``; ``tables`` are tables below ``[plugin]``."""
    path = root / (folder or plugin)
    path.mkdir(parents=True, exist_ok=True)
    python = {"entry_point": "code", **tables.pop("python", {})}
    head = {"id": plugin, "name": plugin, "version": version, "type": tables.pop("type", "utility")}
    head |= {"description": "A test's plugin.", "author": "Tests <tests@example.org>", "license": "MIT"}
    head |= {key: tables.pop(key) for key in [k for k, v in tables.items() if not isinstance(v, Mapping)]}
    document = {"plugin": {**head, "hotswap": {"min_version": "0.1.0"}, "python": python, **tables}}
    (path / "plugin.toml").write_text(tomlkit.dumps(document), "utf-8")
    (path / "code.py").write_text(dedent(code), "utf-8")
    return path


def greeter(root: Path, plugin: str, word: str = "hello", **tables: Any) -> Path:
    """Write a plugin that provides the port ``greeter``."""
    tables.setdefault("provides", {"greeter": "Hello"})
    return write_plugin(root, plugin, GREETER.replace("{word}", word), **tables)


def settings(root: Path, *enabled: str, **changes: Any) -> Settings:
    """Return settings that find the plugins in ``root`` and enable some of them."""
    return evolve(Settings(folder=root, enabled=enabled, paths=(root,)), **changes)
