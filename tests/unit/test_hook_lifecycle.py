"""Hooks of plugins in a kernel: at the moments of the host, on every call, and while plugins come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hotswap.errors import DrainTimeout, HookInvalid, TeardownFailed
from hotswap.states import State
from hotswap_ports import AdapterFailed
from hotswap_ports.hooks import HookEvent, Modify, Skip
from tests.plugin_folder import JOURNAL, Greeter, gate, greeter, kernel, probe, probing, reached, write_plugin
from tests.waiting import until

HOOKED = """
    from hotswap_ports import Plugin
    from tests.plugin_folder import JOURNAL, behave

    class Own(Plugin):
        closed = False
        async def initialize(self, context):
            self.context = context
            for point in context.config.get("points", "").split():
                context.events.on(point, self.handle, before=context.config.get("before", "").split())
        async def handle(self, event):
            journal = JOURNAL.setdefault(self.context.config.get("journal"), [])
            journal.append("late" if self.closed else event.point)
            await behave(self.context, "handle")
            if self.closed:
                journal.append("late")
        async def cleanup(self):
            self.closed = True
"""


def hooked(root: Path, plugin: str) -> None:
    """Write a plugin that notes what its handlers are called for, and does there what its settings say."""
    write_plugin(root, plugin, HOOKED, python={"class_name": "Own"}, capabilities={"config_access": True})


@pytest.mark.parametrize("sort", ["application", "plugin"])
async def test_a_handler_that_hangs_holds_up_no_moment_of_the_host(tmp_path: Path, sort: str) -> None:
    """Start, loading, a change of settings, unloading and shutdown go on when the time of a handler is up."""
    points = ["on_startup", "on_plugin_load", "on_config_change", "on_plugin_unload", "on_shutdown"]
    greeter(tmp_path, "english")
    hooked(tmp_path, "slow")
    config = probing(tmp_path, slow={"points": " ".join(points), "handle": "hang"})
    one = kernel(tmp_path, *(["slow"] if sort == "plugin" else []), config=config)
    one.hooks.handler_timeout = 0.01
    if sort == "application":

        async def hang(event: HookEvent) -> None:
            await asyncio.Event().wait()

        for point in points:
            one.on(point, hang)
    async with asyncio.timeout(10):
        async with one as running:
            await running.enable("english")
            await running.configure("english", {"a": 1})
            await running.disable("english")
    failed = [each.point for each in one.hooks.record.failures]
    assert set(failed) == set(points)
    assert {each.error for each in one.hooks.record.failures} == {"TimeoutError: it did not answer within 0.01 s"}


async def test_every_call_of_a_port_of_the_applications_own_is_hooked(tmp_path: Path) -> None:
    """Handlers before, after and on errors of a port that the kernel does not know, of plugins and the application."""
    hooked(tmp_path, "watch")
    probe(tmp_path, "own")
    points = "pre_greeter.greet post_greeter.greet error_greeter.greet"
    config = probing(tmp_path, watch={"points": points}, own={})
    async with kernel(tmp_path, "own", "watch", config=config) as running:
        handle = running.get(Greeter)
        running.on("post_greeter.greet", lambda event: Modify({"result": event.data["result"] + "!"}))
        assert await handle.greet("x", loud=True) == "own greets x!"
        running.on(
            "pre_greeter.greet", lambda event: Skip("skipped") if event.data["arguments"]["name"] == "y" else None
        )
        assert await handle.greet("y") == "skipped!"
        await running.configure("own", {"greet": "raise"})
        with pytest.raises(AdapterFailed, match="no luck"):
            await handle.greet("x")
    heard = [each for each in JOURNAL[str(tmp_path)] if each.endswith("_greeter.greet")]
    assert heard == [*["pre_greeter.greet", "post_greeter.greet"] * 2, "pre_greeter.greet", "error_greeter.greet"]


@pytest.mark.parametrize("together", [False, True])
async def test_an_order_that_contradicts_itself_across_plugins_is_refused(tmp_path: Path, together: bool) -> None:
    """Enabling a plugin whose before contradicts another's names the circle and leaves everything as it was."""
    for plugin in ("a", "b", "c"):
        hooked(tmp_path, plugin)
    wants = {"a": "b", "b": "c", "c": "a"}
    config = probing(tmp_path, **{each: {"points": "on_startup", "before": other} for each, other in wants.items()})
    async with kernel(tmp_path, "a", config=config) as running:
        if not together:
            await running.enable("b")
        active = {plugin for plugin, status in running.plugins().items() if status.state is State.ACTIVE}
        registered, settings = running.hooks.registered(), running.settings
        with pytest.raises(HookInvalid, match="a -> b -> c -> a") as refused:
            await running.apply(await running.plan(enable=["b", "c"] if together else ["c"]))
        assert refused.value.code == "PLUG-026"
        assert {plugin for plugin, status in running.plugins().items() if status.state is State.ACTIVE} == active
        assert (running.hooks.registered(), running.settings) == (registered, settings)
        await running.disable("a")
        await running.enable("c")
        assert running.plugins()["c"].state is State.ACTIVE


@pytest.mark.parametrize("how", ["disable", "configure"])
async def test_a_plugin_is_closed_when_its_handlers_are_done(tmp_path: Path, how: str) -> None:
    """A call that is in a handler of a plugin that leaves ends as it began, and the plugin is closed after that."""
    greeter(tmp_path, "english")
    hooked(tmp_path, "watch")
    config = probing(tmp_path, watch={"points": "pre_greeter.greet post_greeter.greet", "handle": "gate"})
    async with kernel(tmp_path, "english", "watch", config=config) as running:
        handle = running.get(Greeter)
        call = asyncio.ensure_future(handle.greet("x"))
        await reached(str(tmp_path), "watch.handle")
        change = running.disable("watch") if how == "disable" else running.configure("watch", {"points": ""})
        leaving = asyncio.ensure_future(change)
        await until(lambda: not running.hooks.registered("watch"))
        for _ in range(100):  # whatever could go on without the call has gone on
            assert await handle.greet("y") == "hello y"
            await asyncio.sleep(0)
        assert not leaving.done()
        gate(str(tmp_path), "watch.handle").set()
        assert await call == "hello x"
        await leaving
        assert JOURNAL[str(tmp_path)] == ["pre_greeter.greet", "watch.handle", "post_greeter.greet", "watch.handle"]


async def test_a_handler_that_is_stuck_is_reported_by_the_change(tmp_path: Path) -> None:
    """At the drain's deadline the handler is cancelled and named, its call goes on, and the plugin is closed."""
    greeter(tmp_path, "english")
    hooked(tmp_path, "watch")
    config = probing(tmp_path, watch={"points": "pre_greeter.greet", "handle": "hang"})
    async with kernel(tmp_path, "english", "watch", config=config, drain_timeout=0.05) as running:
        call = asyncio.ensure_future(running.get(Greeter).greet("x"))
        await reached(str(tmp_path), "watch.handle")
        with pytest.raises(TeardownFailed) as failed:
            await running.disable("watch")
        (late,) = failed.value.exceptions
        assert isinstance(late, DrainTimeout)
        assert late.calls[0].startswith("pre_greeter.greet in task ")
        assert running.plugins()["watch"].state is State.DISABLED
        assert await call == "hello x"


async def test_plugins_with_hooks_are_replaced_under_load(tmp_path: Path) -> None:
    """64 callers, a plugin with hooks replaced 30 times: no call fails, no handler runs after its plugin's close."""
    greeter(tmp_path, "english")
    code = HOOKED.replace('behave(self.context, "handle")', "asyncio.sleep(0.002)").replace(
        "from hotswap_ports", "import asyncio\n    from hotswap_ports"
    )
    tables: Mapping[str, Any] = {"python": {"class_name": "Own"}, "capabilities": {"config_access": True}}
    write_plugin(tmp_path, "watch", code, **tables)
    config = probing(tmp_path, watch={"points": "pre_greeter.greet post_greeter.greet"})
    async with kernel(tmp_path, "english", "watch", config=config) as running:
        handle = running.get(Greeter)
        stop = False

        async def caller(number: int) -> int:
            calls = 0
            while not stop:
                assert await handle.greet(str(number)) == f"hello {number}"
                calls += 1
            return calls

        callers = [asyncio.ensure_future(caller(number)) for number in range(64)]
        for number in range(30):
            await asyncio.sleep(0.01)
            await running.configure("watch", {"number": number})
        stop = True
        assert min(await asyncio.gather(*callers)) > 0
    assert JOURNAL[str(tmp_path)].count("late") == 0
    assert not running.hooks.record.failures
