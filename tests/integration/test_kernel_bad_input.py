"""A real process with a kernel in it, real plugin folders, and everything that can be wrong with them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hotswap import HotswapError, State
from hotswap_ports import PortError
from tests.plugin_folder import Greeter, greeter, kernel, probe, probing, write_plugin

HOST = """
import asyncio, sys
from pathlib import Path
from attrs import evolve
from hotswap import Kernel, Settings, run

root = Path(sys.argv[1])
settings = Settings(folder=root, enabled=tuple(sys.argv[3:]), paths=(root,), open_timeout=60.0)

async def main(kernel):
    print("up", flush=True)
    if sys.argv[2] != "-":
        await kernel.enable(sys.argv[2])
    await asyncio.Event().wait()

run(main, settings)
"""

NOTER = """
    import asyncio, time
    from pathlib import Path
    from hotswap_ports import Plugin

    print("importing", __name__.split(".")[-2].rpartition("_")[0], flush=True)
    {on_import}

    class Own(Plugin):
        async def initialize(self, context):
            print("initialize", context.plugin_id, flush=True)
            self.id = context.plugin_id
        async def start(self):
            print("start", self.id, flush=True)
            {on_start}
        async def stop(self):
            print("stop", self.id, flush=True)
        async def cleanup(self):
            print("cleanup", self.id, flush=True)
"""


def noter(root: Path, plugin: str, on_import: str = "", on_start: str = "", **tables: Any) -> None:
    """Write a plugin that prints what happens to it."""
    code = NOTER.replace("{on_import}", on_import).replace("{on_start}", on_start or "pass")
    write_plugin(root, plugin, code, python={"class_name": "Own"}, **tables)


def interrupted(root: Path, until: str, enable: str, *enabled: str) -> tuple[list[str], float, str]:
    """Run a host, send it Ctrl-C once it printed ``until``; return its lines, the seconds it took to end, stderr."""
    command = [sys.executable, "-c", HOST, str(root), enable, *enabled]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if lines[-1] == until:
                break
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
        return lines + rest.split("\n")[:-1], time.monotonic() - began, errors


@pytest.mark.parametrize("at", ["start second", "importing second", "up"])
@pytest.mark.parametrize("when", ["boot", "change"])
def test_ctrl_c_closes_everything_that_was_open(tmp_path: Path, at: str, when: str) -> None:
    """Ctrl-C while a plugin imports, starts, or runs, at boot or in a change: each open plugin is closed once."""
    noter(tmp_path, "first")
    options = {
        "importing second": {"on_import": "time.sleep(60)"},
        "start second": {"on_start": "await asyncio.sleep(60)"},
    }
    noter(tmp_path, "second", **options.get(at, {}), dependencies={"first": ">=1"})
    asked = ("-", "second") if when == "boot" else ("second", "first")
    until = "start second" if (at, when) == ("up", "change") else at
    lines, seconds, errors = interrupted(tmp_path, until, *asked)
    assert seconds < 15
    for plugin in ("first", "second"):
        assert lines.count(f"initialize {plugin}") <= 1
        assert lines.count(f"stop {plugin}") <= lines.count(f"start {plugin}")
    # At boot the code of all is imported before the first is opened: then there is nothing to close.
    opened = 0 if (at, when) == ("importing second", "boot") else 1
    assert lines.count("start first") == lines.count("stop first") == lines.count("cleanup first") == opened
    if at == "start second":
        assert "stop second" not in lines
        assert lines.count("cleanup second") == 1
        assert lines.index("cleanup second") < lines.index("stop first")
    assert "KeyboardInterrupt" in errors
    assert "never retrieved" not in errors
    assert "destroyed but it is pending" not in errors


BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "raises-on-import": ("1 / 0", {}),
    "exits-on-import": ("import sys; sys.exit()", {}),
    "interrupts-on-import": ("raise KeyboardInterrupt", {}),
    "syntax": ("def (", {}),
    "no-class": ("", {"provides": {"greeter": "Hello"}}),
    "not-the-port": ("class Hello: pass", {"provides": {"greeter": "Hello"}}),
    "unknown-port": ("", {"provides": {"gretter": "Hello"}}),
    "unknown-need": ("", {"requires": {"gretter": ">=1"}}),
    "unsatisfiable": ("", {"dependencies": {"nobody": ">=1"}}),
    "too-new": ("", {"python": {"python_version": ">=4"}}),
    "needs-a-distribution": ("", {"python": {"dependencies": ["no-such-distribution>=1"]}}),
    "cycle-a": ("", {"dependencies": {"cycle-b": ">=1"}}),
    "cycle-b": ("", {"dependencies": {"cycle-a": ">=1"}}),
    "breaks-its-schema": (
        "",
        {"config": {"schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}},
    ),
}


async def test_a_host_full_of_bad_plugins_is_up(tmp_path: Path) -> None:
    """Every kind of bad plugin at once: each has its code and reason, the good ones serve, and enabling says why."""
    for plugin, (code, tables) in BAD.items():
        write_plugin(tmp_path, plugin, code, **tables)
    (tmp_path / "malformed").mkdir()
    (tmp_path / "malformed" / "plugin.toml").write_text("[plugin\nid = 3")
    greeter(tmp_path, "english")
    async with kernel(tmp_path, *BAD, "english", "malformed") as running:
        assert await running.get(Greeter).greet("x") == "hello x"
        plugins = running.plugins()
        for plugin in (*BAD, "malformed"):
            assert plugins[plugin].state in (State.FAILED, State.BLOCKED), plugin
            assert plugins[plugin].reason.startswith("PLUG-"), plugin
            assert running.why(plugin).causes[0].plugin == plugin
            with pytest.raises((HotswapError, PortError)) as refused:
                await running.enable(plugin)
            assert refused.value.hint, plugin
            assert running.plugins()[plugin] == plugins[plugin]
        assert [each.code for each in running.problems] == ["PLUG-005"]
        assert running.settings.enabled == (*BAD, "english", "malformed")
        assert await running.get(Greeter).greet("x") == "hello x"


async def test_a_hundred_swaps_lose_no_call(tmp_path: Path) -> None:
    """While providers are configured, selected, enabled and disabled under load, no call fails."""
    import asyncio

    probe(tmp_path, "one")
    probe(tmp_path, "two")
    config = probing(tmp_path, one={}, two={})
    async with kernel(tmp_path, "one", "two", config=config, ports={"greeter": ("one",)}) as running:
        handle, stop, calls = running.get(Greeter), asyncio.Event(), 0

        async def call() -> None:
            nonlocal calls
            while not stop.is_set():
                assert (await handle.greet("x")).endswith(" greets x")
                await asyncio.sleep(0)
                calls += 1

        callers = [asyncio.create_task(call()) for _ in range(10)]
        for number in range(10):
            await running.configure("one", {"n": number})
            await running.select(Greeter, "two")
            await running.disable("one")
            await running.configure("two", {"n": number})
            await running.enable("one")
            await running.select(Greeter, "one", "two")
        stop.set()
        await asyncio.gather(*callers)
        assert calls > 100
