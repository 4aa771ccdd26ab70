"""Writes plugins that leave something when they are closed, and puts away what they left."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from hotswap import Kernel
from hotswap.residue import Finding, Kind, Place, Residue, watching
from tests.plugin_folder import Greeter, write_plugin

LEFT: list[Any] = []
"""What plugins leave on purpose, to be put away when the test is over."""

LEAKY = """
import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from hotswap_ports import Plugin, PluginContext
from tests import leaky_plugin
from tests.plugin_folder import Greeter

LEFT = leaky_plugin.LEFT
BESIDE = Path(__file__).parent

{top}

async def wait():
    await asyncio.Event().wait()

class Hello(Greeter):
    async def greet(self, name, *, loud=False):
{call}
        return "hello " + name

class Own(Plugin):
    def __init__(self, context: PluginContext) -> None:
        self.context = context

    async def start(self):
        global LEFT
{start}

    async def stop(self):
{stop}

{methods}
"""


def leaky(
    root: Path,
    plugin: str = "leaky",
    *,
    start: str = "",
    stop: str = "",
    call: str = "",
    methods: str = "",
    top: str = "",
    **tables: Any,
) -> Path:
    """Write a plugin that does what the arguments say as it is imported, started, called and stopped."""
    start, stop, call = (indent(each or "pass", " " * 8) for each in (start, stop, call))
    code = LEAKY.format(top=top, start=start, stop=stop, call=call, methods=indent(methods, " " * 4))
    python = {"class_name": "Own", **tables.pop("python", {})}
    return write_plugin(root, plugin, code, python=python, provides={"greeter": "Hello"}, **tables)


def marked(path: Path, mark: str = "# here") -> tuple[str, int]:
    """Return file and line of a mark in a plugin's code."""
    for file in sorted(path.rglob("*.py")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.endswith(mark):
                return str(file), number
    raise AssertionError(mark)


def spot(place: Place | None) -> tuple[str, int] | None:
    """Return file and line of a place."""
    return None if place is None else (place.file, place.line)


def kinds(residue: Residue) -> list[Kind]:
    """Return the kind of each finding."""
    return [each.kind for each in residue]


def only(residue: Residue) -> Finding:
    """Return the one finding there is."""
    assert len(residue) == 1, str(residue)
    return residue.findings[0]


async def left_by(kernel: Kernel, *plugins: str, alone: bool = False, patience: float = 0) -> Residue:
    """Open plugins, call one, close them again; return what they left."""
    async with watching(kernel, *plugins, alone=alone, patience=patience) as watch:
        for each in plugins:
            await kernel.enable(each)
        await kernel.get(Greeter).greet("x")
        for each in reversed(plugins):
            await kernel.disable(each)
        await imported()
        return await watch.residue()


async def imported() -> None:
    """Wait until the threads in which plugins were imported have ended: they hold what they imported."""
    async with asyncio.timeout(30):
        while any(each.name.startswith("hotswap: import") for each in threading.enumerate()):
            await asyncio.sleep(0.001)


class Child:
    """A child process that nobody has an object for."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """End it."""
        os.kill(self.number, signal.SIGKILL)
        os.waitpid(self.number, 0)


@asynccontextmanager
async def put_away() -> AsyncIterator[None]:
    """Put away in the end what plugins left, and put back what they changed."""
    loop, logger = asyncio.get_running_loop(), logging.getLogger("own")
    usr1, folder = signal.getsignal(signal.SIGUSR1), os.getcwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr(sys, "meta_path", [*sys.meta_path])
        for owner, name in (
            (json, "dumps"),
            (json, "load"),
            (json, "JSONDecoder"),
            (json.JSONEncoder, "encode"),
            (json.decoder, "NaN"),
            (os, "getloadavg"),
        ):
            patch.setattr(owner, name, getattr(owner, name))
        patch.setenv("HOTSWAP_TEST", "as it was")
        yield
    for name in ("dump_all", "cache"):
        vars(json).pop(name, None)
    sys.modules.pop("own_shim", None)
    os.chdir(folder)
    loop.remove_signal_handler(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, usr1)
    loop.set_exception_handler(None)
    logger.handlers.clear()
    logger.filters.clear()
    for each in LEFT:
        if isinstance(each, threading.Event):  # what waits for it ends, and can be waited for
            each.set()
    while LEFT:
        await _put_away(LEFT.pop())


async def _put_away(thing: Any) -> None:
    match thing:
        case asyncio.Task():
            thing.cancel()
            await asyncio.wait([thing])
        case asyncio.TimerHandle():
            thing.cancel()
        case threading.Thread():
            thing.join()
        case asyncio.subprocess.Process():
            thing.kill()
            await thing.wait()
        case subprocess.Popen():
            thing.kill()
            thing.wait()
        case ThreadPoolExecutor():
            thing.shutdown()
        case int():
            os.close(thing)
        case _ if hasattr(thing, "close"):
            thing.close()
