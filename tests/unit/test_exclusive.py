"""Providers that cannot be open twice, and state that is handed over: calls wait, and none fails."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import evolve
from loguru import logger

from hotswap import HoldTimeout, Kernel, PluginInitFailed, State, TeardownFailed
from hotswap_ports import Port, Storage
from tests.plugin_folder import JOURNAL, Clock, Greeter, gate, kernel, probe, probing, reached, settings, write_plugin
from tests.waiting import until

EXCLUSIVE = {"greeter": {"class": "Hello", "exclusive": True}}
CLOSING = ["stop", "exit", "cleanup", "undo"]


def journal(root: Path, plugin: str = "own") -> list[str]:
    """Return the steps that a probe came to."""
    return [each.split(".")[1] for each in JOURNAL.get(str(root), []) if each.startswith(f"{plugin}.")]


async def test_an_exclusive_provider_is_closed_before_the_next_is_opened_and_calls_wait(tmp_path: Path) -> None:
    """A call inside ends in the old generation, one that comes meanwhile waits and is answered by the new one."""
    probe(tmp_path, "own", provides=EXCLUSIVE)
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={"greet": "gate"})) as running:
        handle, by_name = running.get(Greeter), running.get(Greeter, "own")
        inside = asyncio.create_task(handle.greet("x"))
        await reached(str(tmp_path), "own.greet")
        change = asyncio.create_task(running.configure("own", {"greet": "", "start": "gate"}))
        await until(lambda: running.plugins()["own"].state is State.DRAINING)
        waiting = [asyncio.create_task(each.greet("y")) for each in (handle, by_name, handle)]
        JOURNAL[str(tmp_path)].clear()
        gate(str(tmp_path), "own.greet").set()
        assert await inside == "own greets x"
        await reached(str(tmp_path), "own.start")
        assert journal(tmp_path)[:5] == [*CLOSING, "init"]
        assert not any(each.done() for each in waiting)
        gate(str(tmp_path), "own.start").set()
        await change
        assert await asyncio.gather(*waiting) == ["own greets y"] * 3
        assert running.plugins()["own"].state is State.ACTIVE


@pytest.mark.parametrize("step", ["init", "validate", "initialize", "adapter", "enter", "start", "health"])
async def test_when_the_new_one_fails_the_old_is_opened_again_and_gets_the_calls(tmp_path: Path, step: str) -> None:
    """If the new generation of an exclusive provider cannot be opened, the old one is, and waiting calls get it."""
    probe(tmp_path, "own", provides=EXCLUSIVE)
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={"stop": "gate"})) as running:
        handle = running.get(Greeter)
        change = asyncio.create_task(running.configure("own", {step: "raise"}))
        await reached(str(tmp_path), "own.stop")
        waiting = [asyncio.create_task(handle.greet("y")) for _ in range(3)]
        gate(str(tmp_path), "own.stop").set()
        with pytest.raises(PluginInitFailed, match="no luck"):
            await change
        assert await asyncio.gather(*waiting) == ["own greets y"] * 3
        assert running.plugins()["own"].state is State.ACTIVE
        assert step not in running.settings.config["own"]
        assert journal(tmp_path).count("start") >= 2
        await running.configure("own", {"a": 1})
        assert await handle.greet("z") == "own greets z"


async def test_when_the_old_one_cannot_be_opened_again_it_is_failed_and_calls_are_told(tmp_path: Path) -> None:
    """With nothing to go back to the plugin is failed with both reasons, and calls that waited get an error."""
    code = """
        from hotswap_ports import Plugin
        from tests.plugin_folder import Greeter

        opened = []

        class Hello(Greeter):
            async def greet(self, name, *, loud=False):
                return "hello"

        class Own(Plugin):
            async def start(self):
                opened.append(1)
                if len(opened) > 1:
                    raise RuntimeError("the lock is gone")
    """
    write_plugin(tmp_path, "own", code, provides=EXCLUSIVE, python={"class_name": "Own"})
    async with kernel(tmp_path, "own") as running:
        handle = running.get(Greeter)
        (tmp_path / "own" / "code.py").write_text("1 / 0")
        running._lifecycle.instances["own"].prepared.loaded.module.opened.append(1)  # type: ignore[union-attr]
        write_plugin(tmp_path, "own", "raise_on_start = True\n" + code_that_fails(), provides=EXCLUSIVE)
        with pytest.raises(PluginInitFailed, match="not this time") as failed:
            await running.reload("own")
        assert "own could not be opened again" in "\n".join(failed.value.__notes__)
        assert running.plugins()["own"].state is State.FAILED
        assert "the lock is gone" in running.plugins()["own"].reason
        with pytest.raises(Exception, match="No enabled plugin provides the port 'greeter'"):
            await handle.greet("x")


def code_that_fails() -> str:
    """Return the code of a plugin that cannot be opened."""
    return (
        "from tests.plugin_folder import Greeter\n"
        "class Hello(Greeter):\n"
        "    def __init__(self) -> None:\n"
        "        raise RuntimeError('not this time')\n"
        "    async def greet(self, name, *, loud=False):\n"
        "        return ''\n"
    )


async def test_waiting_is_bounded(tmp_path: Path) -> None:
    """A call that waits longer than hold_timeout gets an error that names what it waited for; later ones are served."""
    probe(tmp_path, "own", provides=EXCLUSIVE)
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={"stop": "gate"}), hold_timeout=0.05) as running:
        change = asyncio.create_task(running.configure("own", {"stop": ""}))
        await reached(str(tmp_path), "own.stop")
        with pytest.raises(HoldTimeout, match=r"greeter\.greet waited 0\.05 s for own 1\.0\.0"):
            await running.get(Greeter).greet("x")
        gate(str(tmp_path), "own.stop").set()
        await change
        assert await running.get(Greeter).greet("x") == "own greets x"


async def test_a_call_that_the_draining_plugin_makes_to_itself_goes_through(tmp_path: Path) -> None:
    """A call inside an exclusive provider may lead through another port back to it: it does not wait for itself."""
    code = """
        from hotswap_ports import PluginContext
        from tests.plugin_folder import Clock, Greeter, behave

        class Hello(Greeter):
            def __init__(self, clock: Clock, context: PluginContext) -> None:
                self.clock = clock
                self.context = context
            async def greet(self, name, *, loud=False):
                await behave(self.context, "greet")
                return "inner" if name == "inner" else f"{await self.clock.now()}"
    """
    through = """
        from tests.plugin_folder import Clock, Greeter

        class Ticks(Clock):
            def __init__(self, greeter: Greeter) -> None:
                self.greeter = greeter
            async def now(self):
                return 1.0 if await self.greeter.greet("inner") == "inner" else 0.0
    """
    tables: dict[str, Any] = {"requires": {"clock": {"version": ">=2", "optional": True}}, "provides": EXCLUSIVE}
    code = code.replace("clock: Clock,", "clock: Clock | None,")
    write_plugin(tmp_path, "own", code, capabilities={"config_access": True}, **tables)
    write_plugin(tmp_path, "ticks", through, provides={"clock": "Ticks"}, requires={"greeter": ">=1"})
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={})) as running:
        await running.enable("ticks")
        await running.configure("own", {"greet": "gate"})
        inside = asyncio.create_task(running.get(Greeter).greet("x"))
        await reached(str(tmp_path), "own.greet")
        change = asyncio.create_task(running.configure("own", {"greet": ""}))
        await until(lambda: running.plugins()["own"].state is State.DRAINING)
        gate(str(tmp_path), "own.greet").set()
        assert await inside == "1.0"
        await change


async def test_what_opens_in_the_same_plan_reaches_the_new_exclusive_one(tmp_path: Path) -> None:
    """A plugin that is replaced together with an exclusive one it uses calls the new one while it opens."""
    user = """
        from hotswap_ports import Plugin
        from tests.plugin_folder import Clock, Greeter

        class Ticks(Clock):
            async def now(self):
                return 1.0

        class Own(Plugin):
            def __init__(self, greeter: Greeter) -> None:
                self.greeter = greeter
            async def start(self):
                self.said = await self.greeter.greet("x")
    """
    for version in ("1.0.0", "2.0.0"):
        probe(tmp_path, "own", version=version, folder=f"own-{version}", provides=EXCLUSIVE)
        tables: dict[str, Any] = {"provides": {"clock": "Ticks"}, "requires": {"greeter": ">=1"}}
        tables |= {"python": {"class_name": "Own"}, "dependencies": {"own": f"=={version}"}}
        write_plugin(tmp_path, "user", user, version=version, folder=f"user-{version}", **tables)
    async with kernel(tmp_path, "user==1.0.0", config=probing(tmp_path, own={})) as running:
        plan = await running.enable("user==2.0.0")
        assert plan.subjects("replace") == ["own", "user"]
        plugin: Any = running._lifecycle.instances["user"].plugin
        assert plugin.said == "own greets x"
        assert await running.get(Greeter).greet("y") == "own greets y"
        assert repr(plugin.greeter) == repr(running.get(Greeter))


COUNTING = """
    from hotswap_ports import Plugin, PluginContext
    from tests.plugin_folder import Greeter, behave

    class Counter(Greeter):
        def __init__(self, context: PluginContext) -> None:
            self.context = context
            self.count = 0
        async def greet(self, name, *, loud=False):
            await behave(self.context, "greet")
            self.count += 1
            return f"{VERSION} {self.count}"
        async def snapshot(self):
            await behave(self.context, "snapshot")
            return {self.context.config.get("state", "count"): self.count}
        async def restore(self, state, from_version):
            await behave(self.context, "restore")
            self.count = state["count"]
            self.came_from = from_version
"""


def counting(root: Path, version: str, **tables: Any) -> None:
    """Write a plugin that counts its calls and hands the count over."""
    code = COUNTING.replace("VERSION", repr(version))
    tables.setdefault("provides", {"greeter": "Counter"})
    write_plugin(
        root, "own", code, version=version, folder=f"own-{version}", capabilities={"config_access": True}, **tables
    )


@pytest.mark.parametrize("exclusive", [False, True])
async def test_state_is_carried_across_and_nothing_counted_is_lost(tmp_path: Path, exclusive: bool) -> None:
    """An upgrade under load carries the state of every call across, and so does the way back."""
    for version in ("1.0.0", "2.0.0"):
        counting(tmp_path, version, provides={"greeter": {"class": "Counter", "exclusive": exclusive}})
    async with kernel(tmp_path, "own==1.0.0", config=probing(tmp_path, own={})) as running:
        handle = running.get(Greeter)
        seen: list[str] = []

        async def caller() -> None:
            for _ in range(40):
                seen.append(await handle.greet("x"))
                await asyncio.sleep(0)

        callers = [asyncio.create_task(caller()) for _ in range(5)]
        for version in ("2.0.0", "1.0.0", "2.0.0"):
            await running.enable(f"own=={version}")
        await asyncio.gather(*callers)
        assert sorted(int(each.split()[1]) for each in seen) == list(range(1, 201))
        target: Any = running._lifecycle.instances["own"].generations[0].target
        assert target.came_from == "1.0.0"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"restore": "raise"}, "failed in restore: RuntimeError: no luck"),
        ({"restore": "hang"}, "failed in restore: it took longer than 0.2 s"),
        ({"start": "raise"}, "failed in start"),
    ],
)
@pytest.mark.parametrize("exclusive", [False, True])
async def test_a_restore_that_fails_leaves_the_old_one_with_its_own_state(
    tmp_path: Path, exclusive: bool, config: dict[str, str], reason: str
) -> None:
    """A failed hand-over is a failed opening: the old generation goes on, with its own state, and nothing is lost."""
    own = {"python": {"class_name": "Own"}, "provides": {"greeter": {"class": "Counter", "exclusive": exclusive}}}
    start = """
    class Own(Plugin):
        async def start(self):
            if STARTED:
                raise RuntimeError("not now")
    """
    code = COUNTING.replace("VERSION", "'1.0.0'") + start.replace("STARTED", "False")
    write_plugin(tmp_path, "own", code, version="1.0.0", folder="1", capabilities={"config_access": True}, **own)
    code = COUNTING.replace("VERSION", "'2.0.0'") + start.replace("STARTED", str("start" in config))
    if "restore" in config:
        code = code.replace('"restore")', '"restore-2")')
    write_plugin(tmp_path, "own", code, version="2.0.0", folder="2", capabilities={"config_access": True}, **own)
    settings = probing(tmp_path, own={"restore-2": config.get("restore", "")})
    async with kernel(tmp_path, "own==1.0.0", config=settings, open_timeout=0.2) as running:
        handle = running.get(Greeter)
        assert [await handle.greet("x") for _ in range(3)] == ["1.0.0 1", "1.0.0 2", "1.0.0 3"]
        with pytest.raises(PluginInitFailed, match=reason):
            await running.enable("own==2.0.0")
        assert await handle.greet("x") == "1.0.0 4"
        assert running.plugins()["own"].version == "1.0.0"
        assert running._lifecycle.instances["own"].generations[0].retired is False


async def test_a_snapshot_that_is_no_plain_data_is_refused(tmp_path: Path) -> None:
    """What a plugin hands over must be plain data: an object of an old class is named with its place."""
    for version in ("1.0.0", "2.0.0"):
        code = COUNTING.replace("VERSION", repr(version)).replace(": self.count}", ": [1, {'a': Counter}]}")
        write_plugin(
            tmp_path, "own", code, version=version, folder=version, provides={"greeter": "Counter"},
            capabilities={"config_access": True},
        )  # fmt: skip
    async with kernel(tmp_path, "own==1.0.0", config=probing(tmp_path, own={})) as running:
        with pytest.raises(PluginInitFailed, match=r"ABCMeta is no plain data @ \$\.count\[1\]\.a") as failed:
            await running.enable("own==2.0.0")
        assert failed.value.step == "snapshot"
        assert await running.get(Greeter).greet("x") == "1.0.0 1"


async def test_a_handover_is_a_copy(tmp_path: Path) -> None:
    """State that is handed over shares nothing with the old generation."""
    from hotswap.handover import plain

    state = {"a": [1, (2, {3}), b"4", None, True, 1.5], 7: {"b": frozenset({"c"})}}
    copy = plain(state)
    assert copy == state
    assert copy["a"] is not state["a"]
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TypeError, match="nested more than 100 levels deep"):
        plain(endless)


async def test_leaving_while_an_exclusive_one_is_replaced_closes_everything_once(tmp_path: Path) -> None:
    """A kernel that is left in the middle undoes the change, and waiting calls are told that it is gone."""
    probe(tmp_path, "own", provides=EXCLUSIVE)
    running: Kernel = kernel(tmp_path, "own", config=probing(tmp_path, own={}))
    async with running:
        handle = running.get(Greeter)
        change = asyncio.create_task(running.configure("own", {"start": "hang"}))
        await until(lambda: JOURNAL.get(str(tmp_path), []).count("own.start") == 2)
        waiting = asyncio.create_task(handle.greet("x"))
        await asyncio.sleep(0)
    with pytest.raises(Exception, match="it was left before this change was done"):
        await change
    assert await asyncio.gather(waiting, return_exceptions=True) == ["own greets x"] or waiting.exception() is not None
    assert journal(tmp_path).count("initialize") == journal(tmp_path).count("undo") == 3


async def test_stuck_calls_in_an_exclusive_one_are_reported_when_it_is_done(tmp_path: Path) -> None:
    """A call that does not leave an exclusive provider in time is cancelled, and the change says so in the end."""
    probe(tmp_path, "own", provides=EXCLUSIVE)
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={"greet": "hang"}), drain_timeout=0.05) as running:
        stuck = asyncio.create_task(running.get(Greeter).greet("x"))
        await reached(str(tmp_path), "own.greet")
        with pytest.raises(TeardownFailed, match=r"greeter\.greet in task .* for 0 s") as late:
            await running.configure("own", {"greet": ""})
        assert "`drain_timeout`" in late.value.hint
        assert "defects" not in late.value.hint
        assert stuck.exception() is not None
        assert await running.get(Greeter).greet("x") == "own greets x"


async def test_a_port_may_have_a_method_called_snapshot(tmp_path: Path) -> None:
    """A method of that name which the port itself declares is no hand-over."""
    from hotswap.handover import stateful

    class Camera(Clock):
        async def snapshot(self) -> str:
            return "click"

        async def restore(self, state: Any, from_version: str) -> None:
            raise NotImplementedError

    class Shots(Camera):
        PORT = "camera"
        VERSION = "1.0.0"

    class Adapter(Shots):
        async def now(self) -> float:
            return 0.0

    assert stateful({"camera": Adapter()}) == {}
    assert list(stateful({"clock": Camera()})) == ["clock"]


CHAIN = """
    from tests.plugin_folder import Clock, Greeter, behave, behave_now
    from hotswap_ports import Plugin, PluginContext

    class Hello(Greeter):
        def __init__(self, clock: Clock, context: PluginContext) -> None:
            self.clock, self.context = clock, context
        async def greet(self, name, *, loud=False):
            if name == "inner":
                return "inner"
            await behave(self.context, "greet")
            return f"{await self.clock.now()}"
        {state}

    class Own(Plugin):
        def __init__(self, clock: Clock, context: PluginContext) -> None:
            self.clock, self.context = clock, context
        async def start(self):
            await behave(self.context, "start")
        async def stop(self):
            await behave(self.context, "stop")
            await self.clock.now()
"""
TICKS = """
    from tests.plugin_folder import Clock, behave
    from hotswap_ports import Plugin, PluginContext

    class Ticks(Clock):
        def __init__(self, context: PluginContext) -> None:
            self.context = context
        async def now(self):
            await behave(self.context, "now")
            return 1.0
        {state}

    class Own(Plugin):
        def __init__(self, context: PluginContext) -> None:
            self.context = context
        async def start(self):
            await behave(self.context, "start")
"""
STATE = """
        async def snapshot(self):
            return 1
        async def restore(self, state, from_version):
            await behave(self.context, "restore")
"""


def chain(root: Path, kind: str, stop: bool = True) -> None:
    """Write a greeter that asks a clock, also when it stops; both exclusive or both with state."""
    code = CHAIN if stop else CHAIN.replace("            await self.clock.now()\n", "")
    state = STATE if kind == "stateful" else ""
    greets = {"greeter": {"class": "Hello", "exclusive": kind == "exclusive"}}
    ticks = {"clock": {"class": "Ticks", "exclusive": kind == "exclusive"}}
    common: dict[str, Any] = {"capabilities": {"config_access": True}, "python": {"class_name": "Own"}}
    write_plugin(root, "own", code.replace("{state}", state), provides=greets, requires={"clock": ">=2"}, **common)
    write_plugin(root, "ticks", TICKS.replace("{state}", state), provides=ticks, **common)


@pytest.mark.parametrize("kind", ["exclusive", "stateful"])
async def test_what_is_replaced_together_is_drained_consumers_first(tmp_path: Path, kind: str) -> None:
    """A call inside that has yet to call what is replaced in the same change is answered, and nothing is cut."""
    chain(tmp_path, kind)
    async with kernel(tmp_path, "own", "ticks", config=probing(tmp_path, own={"greet": "gate"}, ticks={})) as running:
        inside = asyncio.create_task(running.get(Greeter).greet("x"))
        await reached(str(tmp_path), "own.greet")
        change = asyncio.create_task(running.change(configure={"own": {"greet": ""}, "ticks": {"a": 1}}))
        await until(lambda: running.plugins()["own"].state is State.DRAINING)
        waiting = asyncio.create_task(running.get(Clock).now()) if kind == "exclusive" else None
        gate(str(tmp_path), "own.greet").set()
        async with asyncio.timeout(5):
            assert await inside == "1.0"
            await change
            assert waiting is None or await waiting == 1.0
        assert await running.get(Greeter).greet("x") == "1.0"


@pytest.mark.parametrize("failing", ["own", "ticks"])
async def test_what_was_replaced_together_is_opened_again_together(tmp_path: Path, failing: str) -> None:
    """If one of several exclusive providers cannot be opened, all of them serve on, and calls that waited get them."""
    chain(tmp_path, "exclusive")
    config = probing(tmp_path, own={"stop": "gate"}, ticks={})
    async with kernel(tmp_path, "own", "ticks", config=config) as running:
        changed: dict[str, dict[str, object]] = {"own": {"stop": ""}, "ticks": {"a": 1}}
        changed[failing]["start"] = "raise"
        change = asyncio.create_task(running.change(configure=changed))
        await reached(str(tmp_path), "own.stop")
        waiting = asyncio.create_task(running.get(Greeter).greet("x"))
        gate(str(tmp_path), "own.stop").set()
        async with asyncio.timeout(5):
            with pytest.raises(PluginInitFailed, match="no luck"):
                await change
            assert await waiting == "1.0"
        assert {running.plugins()[each].state for each in ("own", "ticks")} == {State.ACTIVE}


async def in_gather(call: Any) -> Any:
    return (await asyncio.gather(call))[0]


async def in_wait_for(call: Any) -> Any:
    return await asyncio.wait_for(call, 60)


async def later(call: Any) -> Any:
    """Start a call, let it come to where it has to wait, and only then wait for it."""
    task = asyncio.create_task(call)
    for _ in range(10):
        await asyncio.sleep(0)
    return await task


@pytest.mark.parametrize("how", [in_gather, in_wait_for, later])
@pytest.mark.parametrize("kind", ["exclusive", "stateful"])
async def test_a_call_inside_may_come_back_by_way_of_a_task(tmp_path: Path, kind: str, how: Any) -> None:
    """A call that a call inside waits for goes through, in whatever task, and from whatever moment on it waits."""
    chain(tmp_path, kind, stop=False)
    async with kernel(tmp_path, "own", "ticks", config=probing(tmp_path, own={"greet": "gate"}, ticks={})) as running:
        greeter = running.get(Greeter)
        heard: list[str] = []

        async def handler(event: Any) -> None:
            heard.append(await how(greeter.greet("inner")))

        running.on("pre_clock.now", handler)
        inside = asyncio.create_task(greeter.greet("x"))
        await reached(str(tmp_path), "own.greet")
        change = asyncio.create_task(running.reload("own"))
        await until(lambda: running.plugins()["own"].state is State.DRAINING)
        gate(str(tmp_path), "own.greet").set()
        async with asyncio.timeout(5):
            assert await inside == "1.0"
            await change
        assert heard == ["inner"]


async def test_a_call_that_was_only_started_by_one_inside_waits_like_any_other(tmp_path: Path) -> None:
    """A call that one inside has started and does not wait for is answered by the new generation."""
    chain(tmp_path, "exclusive", stop=False)
    async with kernel(tmp_path, "own", "ticks", config=probing(tmp_path, own={"greet": "gate"}, ticks={})) as running:
        greeter = running.get(Greeter)
        started: list[asyncio.Task[str]] = []
        running.on("pre_clock.now", lambda event: started.append(asyncio.create_task(greeter.greet("inner"))))
        inside = asyncio.create_task(greeter.greet("x"))
        await reached(str(tmp_path), "own.greet")
        change = asyncio.create_task(running.configure("own", {"start": "gate"}))
        await until(lambda: running.plugins()["own"].state is State.DRAINING)
        gate(str(tmp_path), "own.greet").set()
        await until(lambda: journal(tmp_path).count("start") == 2)
        assert (inside.done(), started[0].done()) == (True, False)
        gate(str(tmp_path), "own.start").set()
        await change
        assert await started[0] == "inner"


HOOKED = """
    from tests.plugin_folder import Greeter, behave
    from tests.unit.test_exclusive import Tower
    from hotswap_ports import Plugin, PluginContext

    class Hello(Greeter):
        def __init__(self, tower: Tower, context: PluginContext) -> None:
            self.tower, self.context = tower, context
        async def greet(self, name, *, loud=False):
            await behave(self.context, "greet")
            return f"{await self.tower.ring()}"
        {state}

    class Own(Plugin):
        async def initialize(self, context):
            context.events.on("pre_clock.now", lambda event: None)
"""


@pytest.mark.parametrize("how", ["self.clock.now()", "in_gather(self.clock.now())"])
@pytest.mark.parametrize("kind", ["exclusive", "stateful"])
async def test_a_call_inside_may_come_to_a_hook_of_the_same_plugin(tmp_path: Path, kind: str, how: str) -> None:
    """A call inside that leads through another plugin to a hook of its own goes past that hook: nobody waits."""
    through = f"""
        from tests.plugin_folder import Clock
        from tests.unit.test_exclusive import Tower, in_gather

        class Bells(Tower):
            def __init__(self, clock: Clock) -> None:
                self.clock = clock
            async def ring(self):
                return await {how}
    """
    own = HOOKED.replace("{state}", STATE if kind == "stateful" else "")
    allowed = {"config_access": True}
    greets = {"greeter": {"class": "Hello", "exclusive": kind == "exclusive"}}
    write_plugin(
        tmp_path, "own", own, provides=greets, requires={"tower": ">=1"}, capabilities=allowed,
        python={"class_name": "Own"},
    )  # fmt: skip
    write_plugin(tmp_path, "bells", through, provides={"tower": "Bells"}, requires={"clock": ">=2"})
    write_plugin(tmp_path, "ticks", TICKS.replace("{state}", ""), provides={"clock": "Ticks"}, capabilities=allowed)
    config = probing(tmp_path, own={"greet": "gate"}, ticks={})
    settled = settings(tmp_path, "own", "bells", "ticks", config=config)
    async with Kernel(settled, ports=[Greeter, Clock, Tower], environ={}) as running:
        inside = asyncio.create_task(running.get(Greeter).greet("x"))
        await reached(str(tmp_path), "own.greet")
        change = asyncio.create_task(running.reload("own"))
        await until(lambda: running.plugins()["own"].state is State.DRAINING)
        gate(str(tmp_path), "own.greet").set()
        async with asyncio.timeout(5):
            assert await inside == "1.0"
            await change


class Tower(Port):
    """A third port."""

    PORT: ClassVar[str] = "tower"
    VERSION: ClassVar[str] = "1.0.0"

    async def ring(self) -> float:
        """Return what time it is."""
        raise NotImplementedError

    def height(self) -> str:
        """Return how high it is."""
        raise NotImplementedError

    def strike(self, number: int) -> AsyncIterator[int]:
        """Strike a number of times."""
        raise NotImplementedError


async def test_a_restore_that_spoils_what_it_is_given_spoils_nobody_elses(tmp_path: Path) -> None:
    """An exclusive generation that is opened again has its own state, whatever another one did to the copy it got."""
    code = """
        from tests.plugin_folder import Greeter

        class Hello(Greeter):
            def __init__(self) -> None:
                self.heard = []
            async def greet(self, name, *, loud=False):
                self.heard.append(name)
                return ",".join(self.heard)
            async def snapshot(self):
                return {"heard": self.heard}
            async def restore(self, state, from_version):
                self.heard = state["heard"]
                if SPOILS:
                    self.heard.clear()
                    raise ValueError("no luck")
    """
    for version, spoils in (("1.0.0", False), ("2.0.0", True)):
        write_plugin(
            tmp_path, "own", code.replace("SPOILS", str(spoils)), version=version, folder=version, provides=EXCLUSIVE
        )
    async with kernel(tmp_path, "own==1.0.0") as running:
        await running.get(Greeter).greet("a")
        with pytest.raises(PluginInitFailed, match="no luck"):
            await running.enable("own==2.0.0")
        assert await running.get(Greeter).greet("b") == "a,b"


@pytest.mark.parametrize("restores", [False, True])
async def test_state_that_nobody_takes_over_is_told_of(tmp_path: Path, restores: bool) -> None:
    """An upgrade to a version without ``restore`` loses the state, and a warning names both versions."""
    counting(tmp_path, "1.0.0")
    if restores:
        counting(tmp_path, "2.0.0")
    else:
        probe(tmp_path, "own", version="2.0.0", folder="2")
    logged: list[str] = []
    async with kernel(tmp_path, "own==1.0.0", config=probing(tmp_path, own={})) as running:
        await running.get(Greeter).greet("x")
        sink = logger.add(lambda message: logged.append(message.record["message"]), level="WARNING")
        logger.enable("hotswap")
        try:
            await running.enable("own==2.0.0")
        finally:
            logger.remove(sink)
    lost = "The state of 'own' 1.0.0 is lost: 2.0.0 has nothing that restores it (greeter/own)"
    assert logged == ([] if restores else [lost])


async def test_calls_wait_only_for_what_cannot_be_opened_before(tmp_path: Path) -> None:
    """What has nothing to do with an exclusive provider is open before its calls begin to wait."""
    probe(tmp_path, "own", provides=EXCLUSIVE)
    probe(tmp_path, "slow", provides={"greeter": "Hello"})
    config = probing(tmp_path, own={}, slow={"start": "gate"})
    async with kernel(tmp_path, "own", config=config, ports={"greeter": ("own",)}) as running:
        change = asyncio.create_task(running.change(enable=["slow"], configure={"own": {"a": 1}}))
        await reached(str(tmp_path), "slow.start")
        assert "stop" not in journal(tmp_path)
        assert await running.get(Greeter).greet("x") == "own greets x"
        gate(str(tmp_path), "slow.start").set()
        await change
        assert "stop" in journal(tmp_path)


STARTING = """
    from hotswap_ports import Plugin
    from tests.plugin_folder import Clock, Greeter
    from tests.unit.test_exclusive import Tower, in_gather

    class Bells(Tower):
        async def ring(self):
            return 1.0

    class Own(Plugin):
        def __init__(self, greeter: Greeter, clock: Clock) -> None:
            self.greeter, self.clock = greeter, clock
        async def start(self):
            self.said = [await self.greeter.greet("x"), await in_gather(self.clock.now())]
"""
THROUGH = """
    from tests.plugin_folder import Clock, Greeter

    class Ticks(Clock):
        def __init__(self, greeter: Greeter) -> None:
            self.greeter = greeter
        async def now(self):
            return await self.greeter.greet("y")
"""


async def test_what_opens_reaches_the_new_exclusive_one_through_others(tmp_path: Path) -> None:
    """A newcomer's start that calls, through a plugin that stays, what is held by its own change gets an answer."""
    probe(tmp_path, "own", provides=EXCLUSIVE)
    write_plugin(tmp_path, "ticks", THROUGH, provides={"clock": "Ticks"}, requires={"greeter": ">=1"})
    needs = {"greeter": ">=1", "clock": ">=2"}
    write_plugin(tmp_path, "bells", STARTING, provides={"tower": "Bells"}, requires=needs, python={"class_name": "Own"})
    settled = settings(tmp_path, "own", "ticks", config=probing(tmp_path, own={}), open_timeout=5.0)
    async with Kernel(settled, ports=[Greeter, Clock, Tower], environ={}) as running:
        async with asyncio.timeout(4):
            await running.change(enable=["bells"], configure={"own": {"a": 1}})
        plugin: Any = running._lifecycle.instances["bells"].plugin
        assert plugin.said == ["own greets x", "own greets y"]


async def test_what_opens_is_told_at_once_that_it_would_wait_for_itself(tmp_path: Path) -> None:
    """A start that needs what its own change has closed and not opened again yet fails without waiting."""
    probe(tmp_path, "own", provides=EXCLUSIVE)
    config = probing(tmp_path, own={})
    async with kernel(tmp_path, "own", config=config) as running:
        handle = running.get(Greeter)

        async def call() -> str:
            return await handle.greet("x")

        module: Any = sys.modules[__name__]
        module.called = call
        code = """
            import tests.unit.test_exclusive as test
            from hotswap_ports import Plugin
            from tests.plugin_folder import Greeter

            class Hello(Greeter):
                async def greet(self, name, *, loud=False):
                    return "new"

            class Own(Plugin):
                async def start(self):
                    await test.called()
        """
        write_plugin(tmp_path, "own", code, provides=EXCLUSIVE, python={"class_name": "Own"})
        async with asyncio.timeout(5):
            with pytest.raises(HoldTimeout, match=r"greeter\.greet cannot wait for own"):
                await running.reload("own")
        assert await handle.greet("x") == "own greets x"


async def test_a_synchronous_call_does_not_come_to_a_closed_adapter(tmp_path: Path) -> None:
    """On the loop, which it must not block, it is told that it would have to wait; in another thread it waits."""
    code = """
        from tests.plugin_folder import behave
        from tests.unit.test_exclusive import Tower
        from hotswap_ports import PluginContext

        class Bells(Tower):
            def __init__(self, context: PluginContext) -> None:
                self.context, self.closed = context, False
            async def __aenter__(self):
                await behave(self.context, "enter")
            async def __aexit__(self, *exc):
                self.closed = True
            async def ring(self):
                await behave(self.context, "ring")
                return 1.0
            def height(self):
                return "closed" if self.closed else self.context.config.get("height")
    """
    exclusive = {"tower": {"class": "Bells", "exclusive": True}}
    write_plugin(tmp_path, "own", code, provides=exclusive, capabilities={"config_access": True})
    settled = settings(tmp_path, "own", config=probing(tmp_path, own={"height": "low", "ring": "gate"}))
    async with Kernel(settled, ports=[Tower], environ={}) as running:
        tower = running.get(Tower)
        inside = asyncio.create_task(tower.ring())
        await reached(str(tmp_path), "own.ring")
        change = asyncio.create_task(running.configure("own", {"height": "high", "enter": "gate"}))
        await until(lambda: running.plugins()["own"].state is State.DRAINING)
        assert tower.height() == "low"
        JOURNAL[str(tmp_path)].clear()
        gate(str(tmp_path), "own.ring").set()
        await inside
        await reached(str(tmp_path), "own.enter")
        with pytest.raises(HoldTimeout, match=r"tower\.height cannot wait for own 1\.0\.0"):
            tower.height()
        waiting = asyncio.create_task(asyncio.to_thread(tower.height))
        gate(str(tmp_path), "own.enter").set()
        await change
        assert (await waiting, tower.height()) == ("high", "high")


KEEPING = """
    from hotswap_ports import PluginContext
    from tests.plugin_folder import Greeter, behave

    class Hello(Greeter):
        def __init__(self, context: PluginContext) -> None:
            self.context = context
        async def greet(self, name, *, loud=False):
            await behave(self.context, "greet")
            return f"{await self.context.storage.exists(name)}"
"""
KEPT = """
    from hotswap_ports.testing import MemoryStorage

    class Kept(MemoryStorage):
        pass
"""


@pytest.mark.parametrize("storage", ["kept", "zkept"])
async def test_the_storage_of_a_plugins_context_counts_as_used(tmp_path: Path, storage: str) -> None:
    """A plugin that calls the storage by its context is drained before that, wherever it stands in the start order."""
    allowed = {"config_access": True, "storage_access": True}
    write_plugin(tmp_path, "own", KEEPING, provides=EXCLUSIVE, capabilities=allowed)
    write_plugin(tmp_path, storage, KEPT, provides={"storage": {"class": "Kept", "exclusive": True}})
    settled = settings(tmp_path, "own", storage, config=probing(tmp_path, own={"greet": "gate"}))
    async with Kernel(evolve(settled, ports={"storage": (storage,)}), ports=[Greeter, Storage], environ={}) as running:
        inside = asyncio.create_task(running.get(Greeter).greet("x"))
        await reached(str(tmp_path), "own.greet")
        change = asyncio.create_task(running.change(configure={"own": {"greet": ""}, storage: {"a": 1}}))
        await until(lambda: running.plugins()["own"].state is State.DRAINING)
        gate(str(tmp_path), "own.greet").set()
        async with asyncio.timeout(5):
            assert await inside == "False"
            await change


async def test_consumers_by_way_of_one_that_stays_are_drained_first(tmp_path: Path) -> None:
    """Two exclusive providers, one of which calls the other through a plugin that stays, are replaced under load."""
    through = """
        from tests.plugin_folder import Clock
        from tests.unit.test_exclusive import Tower

        class Bells(Tower):
            def __init__(self, clock: Clock) -> None:
                self.clock = clock
            async def ring(self):
                return await self.clock.now()
    """
    allowed = {"config_access": True}
    hello = HOOKED.replace("{state}", "")
    write_plugin(tmp_path, "own", hello, provides=EXCLUSIVE, requires={"tower": ">=1"}, capabilities=allowed)
    write_plugin(tmp_path, "bells", through, provides={"tower": "Bells"}, requires={"clock": ">=2"})
    ticks = {"clock": {"class": "Ticks", "exclusive": True}}
    write_plugin(tmp_path, "ticks", TICKS.replace("{state}", ""), provides=ticks, capabilities=allowed)
    settled = settings(tmp_path, "own", "bells", "ticks", config=probing(tmp_path, own={}, ticks={}))
    async with Kernel(settled, ports=[Greeter, Clock, Tower], environ={}) as running:
        said: list[str] = []

        async def caller() -> None:
            for _ in range(20):
                said.append(await running.get(Greeter).greet("x"))
                await asyncio.sleep(0)

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(caller())
            for number in range(3):
                await running.change(configure={"own": {"a": number}, "ticks": {"a": number}})
        assert said == ["1.0"] * 100


async def test_what_was_opened_first_is_undone_when_calls_inside_it_can_go_on(tmp_path: Path) -> None:
    """A call in a newcomer that waits for what the same change holds is answered when the change is undone."""
    probe(tmp_path, "own", provides=EXCLUSIVE)
    write_plugin(tmp_path, "ticks", THROUGH, provides={"clock": "Ticks"}, requires={"greeter": ">=1"})
    bells = """
        from tests.plugin_folder import Clock
        from tests.unit.test_exclusive import Tower

        class Bells(Tower):
            def __init__(self, clock: Clock) -> None:
                self.clock = clock
            async def ring(self):
                return await self.clock.now()
    """
    write_plugin(tmp_path, "bells", bells, provides={"tower": "Bells"}, requires={"clock": ">=2"})
    settled = settings(tmp_path, "own", "ticks", config=probing(tmp_path, own={"stop": "gate"}))
    async with Kernel(settled, ports=[Greeter, Clock, Tower], environ={}) as running:
        change = asyncio.create_task(
            running.change(enable=["bells"], configure={"own": {"stop": "", "start": "raise"}})
        )
        await reached(str(tmp_path), "own.stop")
        waiting: asyncio.Task[Any] = asyncio.create_task(running.get(Tower).ring())
        await asyncio.sleep(0)
        gate(str(tmp_path), "own.stop").set()
        async with asyncio.timeout(5):
            with pytest.raises(PluginInitFailed, match="no luck"):
                await change
            assert await waiting == "own greets y"


@pytest.mark.parametrize("activation", ["eager", "lazy"])
async def test_what_stops_is_told_at_once_that_it_would_wait_for_itself(tmp_path: Path, activation: str) -> None:
    """A call to itself that an exclusive plugin makes while it is closed, by way of a hook, fails without waiting."""
    code = """
        from tests.plugin_folder import Clock, Greeter

        class Hello(Greeter):
            def __init__(self, clock: Clock) -> None:
                self.clock = clock
            async def __aenter__(self):
                return self
            async def __aexit__(self, *exc):
                await self.clock.now()
            async def greet(self, name, *, loud=False):
                return name
    """
    write_plugin(tmp_path, "own", code, provides=EXCLUSIVE, requires={"clock": ">=2"})
    ticks = TICKS.replace("{state}", "")
    write_plugin(tmp_path, "ticks", ticks, provides={"clock": "Ticks"}, capabilities={"config_access": True})
    config = probing(tmp_path, ticks={})
    async with kernel(tmp_path, "own", "ticks", config=config, activation=activation) as running:
        greeter = running.get(Greeter)
        assert await greeter.greet("x") == "x"
        said: list[BaseException | str] = []

        async def handler(event: Any) -> None:
            said.extend(await asyncio.gather(greeter.greet("y"), return_exceptions=True))

        remove = running.on("pre_clock.now", handler)
        async with asyncio.timeout(5):
            await running.reload("own")
        remove()
        assert [type(each) for each in said] == [HoldTimeout]
        assert await greeter.greet("z") == "z"


@pytest.mark.parametrize("ask", [in_gather, later])
@pytest.mark.parametrize("exclusive", [False, True])
async def test_who_reads_a_stream_may_call_its_provider_between_two_items(
    tmp_path: Path, ask: Any, exclusive: bool
) -> None:
    """A call that the reader of a stream makes before it reads on does not wait for the stream to end."""
    code = """
        from tests.unit.test_exclusive import Tower

        class Bells(Tower):
            async def ring(self):
                return 1.0
            async def strike(self, number):
                for each in range(number):
                    yield each
            async def snapshot(self):
                return None
            async def restore(self, state, from_version):
                pass
    """
    write_plugin(tmp_path, "own", code, provides={"tower": {"class": "Bells", "exclusive": exclusive}})
    async with Kernel(settings(tmp_path, "own"), ports=[Tower], environ={}) as running:
        tower = running.get(Tower)
        struck = asyncio.Event()
        goes_on = asyncio.Event()

        async def read() -> list[float]:
            heard = []
            async for each in tower.strike(3):
                struck.set()
                await goes_on.wait()
                heard.append(each + await ask(tower.ring()))
            return heard

        reading = asyncio.create_task(read())
        await struck.wait()
        change = asyncio.create_task(running.reload("own"))
        await until(lambda: running.plugins()["own"].state is State.DRAINING)
        goes_on.set()
        async with asyncio.timeout(5):
            assert await reading == [1.0, 2.0, 3.0]
            await change
