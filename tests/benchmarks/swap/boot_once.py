"""One boot in this process: ``python -m tests.benchmarks.swap.boot_once KIND FOLDER PLUGINS`` prints CPU seconds."""

from __future__ import annotations

import asyncio  # what the plugins import themselves is there in every case: it is the application's own
import json
import math
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotswap import Kernel

NOT_SO = -1
"""How many plugins are up where a boot did not do what it is measured for."""
Boot = Callable[[], Callable[[], int]]
"""What is measured. What it returns is not: it says how many plugins are up."""


def imports(folder: Path, plugins: int) -> Boot:
    """Import the modules alone."""
    import_module("bench_ports")  # the application's ports are there before its plugins

    def boot() -> Callable[[], int]:
        modules = [import_module(f"plugin_{n}") for n in range(plugins)]
        return lambda: len(modules)

    return boot


def eager(folder: Path, plugins: int) -> Boot:
    """Open a kernel; every plugin is active when it is up."""

    def up(kernel: Kernel) -> int:
        return sum(each.state.value == "active" for each in kernel.plugins().values())

    return _kernel(folder, plugins, up)


def lazy(folder: Path, plugins: int) -> Boot:
    """Open a kernel whose plugins nobody has asked for."""

    def up(kernel: Kernel) -> int:
        if any(each.startswith("hotswap_loaded.plugin_") for each in sys.modules):
            return NOT_SO
        return sum(each in kernel.settings.enabled for each in kernel.plugins())

    return _kernel(folder, plugins, up)


def _kernel(folder: Path, plugins: int, up: Callable[[Kernel], int]) -> Boot:
    from hotswap import Kernel, Settings

    ports: list[Any] = import_module("bench_ports").ALL
    enabled = tuple(f"plugin-{n}" for n in range(plugins))
    selected = {each.PORT: (f"plugin-{number}",) for number, each in enumerate(ports)}
    runner = asyncio.Runner()
    runner.run(_warm_up(folder / "warm", f"plugin-{plugins}", ports))

    def boot() -> Callable[[], int]:
        settings = Settings(folder, enabled=enabled, paths=(folder,), ports=selected)
        kernel = Kernel(settings, ports=ports, environ=os.environ)
        runner.run(kernel.__aenter__())
        return lambda: up(kernel)

    return boot


async def _warm_up(folder: Path, plugin: str, ports: list[Any]) -> None:
    """Open another kernel, so that what the library imports on its first use is there."""
    from hotswap import Kernel, Settings

    settings = Settings(folder, enabled=(plugin,), paths=(folder,))
    async with Kernel(settings, ports=ports, environ={**os.environ, "HOTSWAP_CACHE": str(folder)}) as kernel:
        await kernel.get(ports[0]).fetch("key")


def naive(folder: Path, plugins: int) -> Boot:
    """Read every manifest, solve, import, wire."""
    import_module("bench_ports")
    from tests.benchmarks.swap.naive import boot

    def run() -> Callable[[], int]:
        constructed = boot(folder, plugins)
        return lambda: len(constructed)

    return run


def peer(kind: str, plugins: int) -> Boot:
    """Boot a peer."""
    import_module("bench_ports")
    made: Boot = import_module(f"tests.benchmarks.swap.peers.{kind}").boot(plugins)
    return made


OWN: dict[str, Callable[[Path, int], Boot]] = {"imports": imports, "eager": eager, "lazy": lazy, "naive": naive}


def main() -> None:
    """Boot, and print what it took."""
    kind, folder, plugins = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    boot = OWN[kind](folder, plugins) if kind in OWN else peer(kind, plugins)
    start = time.process_time()
    count = boot()
    spent = time.process_time() - start
    up = count()
    assert up in (plugins, NOT_SO), f"{up} of {plugins} are up"
    print(json.dumps({"seconds": spent if up == plugins else math.nan}), flush=True)
    os._exit(0)  # what is up is not taken down: that is not measured


if __name__ == "__main__":
    main()
