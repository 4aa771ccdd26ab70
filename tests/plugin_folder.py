"""Writes small plugins into folders, for tests."""

from __future__ import annotations

import asyncio
import sys
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

import tomlkit
from attrs import evolve

from hotswap import Kernel, Settings
from hotswap_ports import NotReady, PluginContext, Port
from tests.waiting import until


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


class Gauge(Port):
    """A third one, that leaves its method to adapters."""

    PORT: ClassVar[str] = "gauge"
    VERSION: ClassVar[str] = "1.0.0"

    @abstractmethod
    async def level(self) -> float:
        """Return a level in metres."""


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
    """Return settings that find the plugins in ``root`` and enable some of them, open from the start."""
    return evolve(Settings(folder=root, enabled=enabled, paths=(root,), activation="eager"), **changes)


def kernel(root: Path, *enabled: str, **changes: Any) -> Kernel:
    """Return a kernel over the plugins in ``root``."""
    backoff = changes.pop("backoff", None)
    return Kernel(settings(root, *enabled, **changes), ports=[Greeter, Clock], environ={}, backoff=backoff)


JOURNAL: dict[str, list[str]] = {}
"""What probes did, by the journal that their settings name."""
GATES: dict[str, asyncio.Event] = {}
"""What probes wait for, by journal and step: ``<journal>/<plugin>.<step>``."""

PROBE = """
    from hotswap_ports import Health, Plugin, PluginContext
    from tests.plugin_folder import Clock, Greeter, behave, behave_now

    {extra}

    class Hello(Greeter):
        def __init__(self, context: PluginContext{needs}) -> None:
            behave_now(context, "adapter")
            self.context = context
            {keep}
        async def __aenter__(self):
            await behave(self.context, "enter")
        async def __aexit__(self, *exc):
            await behave(self.context, "exit")
        async def greet(self, name, *, loud=False):
            await behave(self.context, "greet")
            return self.context.plugin_id + " greets " + name

    class Own(Plugin):
        def __init__(self, context: PluginContext) -> None:
            self.context = context
            behave_now(context, "init")
        async def validate_config(self, config):
            await behave(self.context, "validate")
        async def initialize(self, context):
            context.exit_stack.push_async_callback(behave, context, "undo")
            await behave(context, "initialize")
        async def start(self):
            await behave(self.context, "start")
        async def stop(self):
            await behave(self.context, "stop")
        async def cleanup(self):
            await behave(self.context, "cleanup")
        async def health(self):
            await behave(self.context, "health")
            return Health(self.context.config.get("status", "healthy"), self.context.config.get("message", ""))
"""


class Mine(BaseException):
    """No Exception, and nothing that anybody knows."""


def behave_now(context: PluginContext, step: str) -> str:
    """Note that a probe came to a step, and raise there what its settings say."""
    journal = context.config.get("journal", "")
    JOURNAL.setdefault(journal, []).append(f"{context.plugin_id}.{step}")
    what: str = context.config.get(step, "")
    errors = {
        "raise": RuntimeError(f"no luck with {context.config.get('token', 'it')}"),
        "timeout": TimeoutError(),
        "cancelled": asyncio.CancelledError(),
        "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt(),
        "base": Mine(),
        "not-ready": NotReady(f"not yet: {context.config.get('token', 'it')}"),
    }
    if what in errors:
        raise errors[what]
    if what == "sys-exit":
        sys.exit(4)
    return what


async def behave(context: PluginContext, step: str) -> None:
    """Do as ``behave_now``, or hang, or wait for the gate of this step."""
    what = behave_now(context, step)
    if what == "hang":
        await asyncio.Event().wait()
    if what == "gate":
        await gate(context.config.get("journal", ""), f"{context.plugin_id}.{step}").wait()


def gate(journal: str, step: str) -> asyncio.Event:
    """Return what a probe waits for at a step."""
    return GATES.setdefault(f"{journal}/{step}", asyncio.Event())


async def reached(journal: str, step: str) -> None:
    """Wait until a probe has come to a step."""
    await until(lambda: step in JOURNAL.get(journal, []))


def probe(root: Path, plugin: str, *, extra: str = "", needs: str = "", keep: str = "pass", **tables: Any) -> Path:
    """Write a plugin that notes what happens to it, and does at each step what its settings say."""
    tables.setdefault("provides", {"greeter": "Hello"})
    tables.setdefault("python", {"class_name": "Own"})
    tables.setdefault("capabilities", {"config_access": True})
    code = PROBE.replace("{extra}", extra).replace("{needs}", needs).replace("{keep}", keep)
    return write_plugin(root, plugin, code, **tables)


def probing(root: Path, **plugins: Mapping[str, str]) -> dict[str, Any]:
    """Return the ``config`` of probes: their behaviour by id (``_`` for ``-``), with a journal of this test's own."""
    return {plugin.replace("_", "-"): {"journal": str(root), **behaviour} for plugin, behaviour in plugins.items()}
