"""The start of an application with many plugins, in fresh processes, by what importing their modules alone costs."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.swap.peers import DISTRIBUTIONS
from tests.benchmarks.swap.section import Bound, Section, Table, shown

PLUGINS = 1_000
PORTS = 20
ROUNDS = 7

TITLE = "Booting with 1,000 enabled plugins"
TEXT = """\
1,000 plugins, each a package with one module of some 40 lines: one of 20 ports provided, three dependencies on other
plugins and two ports required on average. CPU time in fresh processes, byte code and caches written before, from the
moment when the library and the application's ports are imported until everything is constructed and wired; by what
importing the same 1,000 packages by name costs, in the same round; medians. The kernel imports parts of itself when
they are first used: it has opened one other plugin before the clock starts. Lazy: until the application could make
its first call, with no plugin imported. stevedore and pluggy load the modules by entry points and know no
dependencies. Naive is tomllib, cattrs, resolvelib, importlib and dependency-injector, put together as their
documentation shows."""

# The quick form boots 100: there what is loaded on first use outweighs all else, and is no measure of a thousand.
EAGER = Bound("boot of {} plugins, eager / importing their modules", 1.3, quick=30.0)
LAZY = Bound("boot of {} plugins, lazy / importing their modules", 0.05, quick=20.0)


def bounds() -> list[Bound]:
    """Return what is promised."""
    return [each.of(f"{PLUGINS:,}") for each in (EAGER, LAZY)]


PORTS_CODE = """
from typing import ClassVar

from hotswap_ports import Port
{classes}

ALL = [{names}]
"""
PORT_CODE = '''

class Port{n}(Port):
    PORT: ClassVar[str] = "port_{n}"
    VERSION: ClassVar[str] = "1.0.0"

    async def fetch(self, key: str, *, fresh: bool = False) -> str:
        """Fetch."""
        raise NotImplementedError
'''
PACKAGE = '''
"""Plugin {n}."""

from .adapter import Adapter

__all__ = ["Adapter"]
'''
MODULE = '''
"""Plugin {n}: answers from what it has kept, or asks another one."""

from __future__ import annotations

import asyncio
import time

from bench_ports import {imported}

LIMIT = 1_000
NAME = "plugin-{n}"


class Entry:
    __slots__ = ("until", "value")

    def __init__(self, value: str, seconds: float) -> None:
        self.value = value
        self.until = time.monotonic() + seconds

    def is_good(self) -> bool:
        return time.monotonic() < self.until


class Adapter(Port{port}):
    def __init__(self{parameters}) -> None:
        self.others = ({others})
        self.kept: dict[str, Entry] = {{}}

    async def fetch(self, key: str, *, fresh: bool = False) -> str:
        found = self.kept.get(key)
        if found is not None and found.is_good() and not fresh:
            return found.value
        await asyncio.sleep(0)
        value = f"{{NAME}} {{key}}"
        if len(self.kept) >= LIMIT:
            self.kept.clear()
        self.kept[key] = Entry(value, 60.0)
        return value
'''
MANIFEST = """
[plugin]
id = "plugin-{n}"
name = "Plugin {n}"
version = "1.0.0"
type = "utility"
description = "Number {n} of a thousand."
author = "Example Author <author@example.org>"
license = "MIT"
activation = "{activation}"

[plugin.hotswap]
min_version = "0.1.0"

[plugin.provides]
port_{port} = "Adapter"

[plugin.requires]
{requires}

[plugin.dependencies]
{dependencies}

[plugin.python]
entry_point = "__init__.py"
"""
TEXTS = ("parameters", "others", "requires", "dependencies")
WARM = "warm"
"""The folder of the one plugin that is opened before the clock starts."""
METADATA = "Metadata-Version: 2.1\nName: bench-plugins\nVersion: 1.0.0\n"


def write(root: Path, plugins: int, activation: str) -> Path:
    """Write ports, plugins and a distribution that names them as entry points, all to be found on ``sys.path``."""
    source = random.Random(1)
    ports = range(PORTS)
    classes = "".join(PORT_CODE.format(n=each) for each in ports)
    _file(root / "bench_ports.py", PORTS_CODE.format(classes=classes, names=", ".join(f"Port{n}" for n in ports)))
    for n in range(plugins):
        port = n % PORTS
        needs = sorted(source.sample(range(port), min(port, source.choice((1, 2, 3)))))
        dependencies = sorted(source.sample(range(n), min(n, source.choice((2, 3, 4)))))
        values = {
            "n": n,
            "port": port,
            "imported": ", ".join(f"Port{each}" for each in sorted({port, *needs})),
            "parameters": "".join(f", p{each}: Port{each}" for each in needs),
            "others": "".join(f"p{each}, " for each in needs),
            "requires": "\n".join(f'port_{each} = ">=1,<2"' for each in needs),
            "dependencies": "\n".join(f'plugin-{each} = ">=1.0"' for each in dependencies),
            "activation": activation,
        }
        _plugin(root / f"plugin_{n}", values)
    lines = "".join(f"plugin-{n} = plugin_{n}:Adapter\n" for n in range(plugins))
    _file(root / "bench_plugins-1.0.0.dist-info" / "METADATA", METADATA)
    _file(root / "bench_plugins-1.0.0.dist-info" / "entry_points.txt", f"[bench.plugins]\n{lines}")
    alone = {"n": plugins, "port": 0, "imported": "Port0", "activation": activation}
    _plugin(root / WARM / f"plugin_{plugins}", {**dict.fromkeys(TEXTS, ""), **alone})
    return root


def _plugin(folder: Path, values: Mapping[str, object]) -> None:
    _file(folder / "__init__.py", PACKAGE.format(**values))
    _file(folder / "adapter.py", MODULE.format(**values))
    _file(folder / "plugin.toml", MANIFEST.format(**values))


def _file(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.lstrip("\n"), "utf-8")
    os.utime(path, (1_700_000_000, 1_700_000_000))  # what was written just now is not trusted to stay as it is


def seconds(kind: str, folder: Path, plugins: int) -> float:
    """Return the CPU seconds of one boot in a process of its own; nan where nothing was as ``kind`` says."""
    places = [str(Path(__file__).parents[3]), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    environ = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "HOTSWAP_HOME": str(folder / "home"),
        "HOTSWAP_CACHE": str(folder / "cache"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    command = [sys.executable, "-m", "tests.benchmarks.swap.boot_once", kind, str(folder), str(plugins)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{kind} did not come up:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found["seconds"]


OWN = {"eager": "hotswap, eager", "lazy": "hotswap, lazy"}
"""The name in ``boot_once`` -> the name in the table."""
NAIVE = {"naive": "naive"}


def kinds() -> dict[str, str]:
    """Return the peers that can be booted here."""
    found = {}
    for module in ("stevedore", "pluggy", "ipopo"):
        if find_spec({"ipopo": "pelix"}.get(module, module)) is not None:
            found[module] = DISTRIBUTIONS[module]
    return found


def _ratios(folders: Mapping[str, Path], names: Mapping[str, str], plugins: int, rounds: int) -> dict[str, float]:
    def once(kind: str) -> float:
        return seconds(kind, folders["lazy" if kind == "lazy" else "eager"], plugins)

    once("imports")
    taken: dict[str, list[float]] = {each: [] for each in names if not math.isnan(once(each))}
    for _ in range(rounds):
        base = once("imports")
        for each, ratios in taken.items():
            ratios.append(once(each) / base)
    return {each: statistics.median(ratios) for each, ratios in taken.items()}


def measure(quick: bool) -> Section:
    """Measure the kernel and the peers that load plugins; a kernel that is not lazy has no row for that."""
    plugins, rounds = (100, 2) if quick else (PLUGINS, ROUNDS)
    names = OWN if quick else {**OWN, **kinds()}
    with tempfile.TemporaryDirectory(prefix="hotswap-boot-") as folder:
        folders = {each: write(Path(folder, each), plugins, each) for each in ("eager", "lazy")}
        found = _ratios(folders, names, plugins, rounds)
        if not quick:  # once is enough for what takes this long
            found |= _ratios(folders, NAIVE, plugins, 1)
    both = (("eager", EAGER), ("lazy", LAZY))
    rows = [bound.of(f"{plugins:,}").row(found[each], quick) for each, bound in both if each in found]
    called = {**names, **NAIVE}
    lines = [["importing the modules", "1"], *([called[each], shown(ratio)] for each, ratio in found.items())]
    return Section(TITLE, TEXT, rows, [Table(("", "CPU time by importing the modules"), lines)])
