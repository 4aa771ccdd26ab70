"""Opening, switching, draining, closing: wholly or not at all, whatever plugins do."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from typing import Any

import anyio
import pytest

from hotswap import (
    HotswapError,
    InjectionFailed,
    Kernel,
    PluginInitFailed,
    PluginLoadFailed,
    PortUnfilled,
    State,
    TeardownFailed,
)
from hotswap_ports import AdapterFailed, HookEvent, NotReady
from tests.plugin_folder import JOURNAL, Clock, Greeter, gate, greeter, kernel, probe, probing, reached, write_plugin

OPENING = ["init", "validate", "initialize", "adapter", "enter", "start", "health"]
UNDONE: dict[str, list[str]] = {
    "init": [],
    "validate": [],
    "initialize": ["undo"],
    "adapter": ["cleanup", "undo"],
    "enter": ["cleanup", "undo"],
    "start": ["exit", "cleanup", "undo"],
    "health": ["stop", "exit", "cleanup", "undo"],
}


def journal(root: Path, plugin: str = "own") -> list[str]:
    """Return the steps that a probe came to."""
    return [each.split(".")[1] for each in JOURNAL.get(str(root), []) if each.startswith(f"{plugin}.")]


def nothing_is_left(running: Kernel, *plugins: str) -> None:
    """Assert that nothing of these plugins is in force."""
    assert not set(plugins) & running._lifecycle.instances.keys()
    for port in ("greeter", "clock"):
        assert not any(each.provider.plugin in plugins for each in running._wiring.providers(port).values())
    names = {each.get_name() for each in asyncio.all_tasks()}
    assert not [each for each in names for plugin in plugins if each.startswith(f"hotswap: {plugin} ")]


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (step, what)
        for step in OPENING
        for what in ("raise", "timeout", "exit", "sys-exit", "base", "cancelled", "hang")
        if what != "hang" or step not in ("init", "adapter")  # a constructor is no coroutine: it cannot wait
    ],
)
async def test_a_step_that_fails_is_undone_and_named(tmp_path: Path, step: str, what: str) -> None:
    """Whatever a plugin raises at any step of its opening, or if it hangs, is its failure; what it did is undone."""
    probe(tmp_path, "own")
    config = probing(tmp_path, own={step: what})
    async with kernel(tmp_path, config=config, open_timeout=0.05 if what == "hang" else 30.0) as running:
        with pytest.raises(PluginInitFailed) as failed:
            await running.enable("own")
        names = {
            "init": "__init__",
            "validate": "validate_config",
            "adapter": "Hello.__init__",
            "enter": "Hello.__aenter__",
        }
        assert failed.value.step == names.get(step, step)
        expected = {
            "raise": "RuntimeError: no luck with it",
            "timeout": "TimeoutError: ",
            "exit": "it called sys.exit(3)",
            "sys-exit": "it called sys.exit(4)",
            "base": "it raised Mine, though nobody had asked it to end",
            "cancelled": "it raised CancelledError, though nobody had asked it to end",
            "hang": "it took longer than 0.05 s",
        }[what]
        assert failed.value.reason == expected
        assert journal(tmp_path)[OPENING.index(step) + 1 :] == UNDONE[step]
        nothing_is_left(running, "own")
        assert running.plugins()["own"].state is State.DISCOVERED
        assert running.settings.enabled == ()


@pytest.mark.parametrize("step", OPENING)
async def test_at_boot_a_step_that_fails_stops_that_plugin_alone(tmp_path: Path, step: str) -> None:
    """A plugin that ends the process, or tries to, is failed at boot; the host and the others are up."""
    probe(tmp_path, "own")
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "own", "english", config=probing(tmp_path, own={step: "exit"})) as running:
        assert running.plugins()["own"].state is State.FAILED
        assert "sys.exit(3)" in running.plugins()["own"].reason
        assert await running.get(Greeter).greet("x") == "hello x"


async def test_an_interrupt_goes_through_and_everything_is_closed(tmp_path: Path) -> None:
    """KeyboardInterrupt while a plugin opens ends the boot, and what was open is closed once."""
    probe(tmp_path, "first")
    probe(tmp_path, "second", dependencies={"first": ">=1"})
    config = probing(tmp_path, first={}, second={"start": "interrupt"})
    with pytest.raises(KeyboardInterrupt):
        await kernel(tmp_path, "second", config=config).__aenter__()
    assert journal(tmp_path, "second")[-3:] == ["exit", "cleanup", "undo"]
    assert journal(tmp_path, "first")[-4:] == ["stop", "exit", "cleanup", "undo"]


async def test_a_plugin_that_is_unhealthy_is_not_taken(tmp_path: Path) -> None:
    """A plugin that says it is unhealthy is closed again; one that is degraded is taken."""
    probe(tmp_path, "own")
    config = probing(tmp_path, own={"status": "unhealthy", "message": "no disk for s3cret", "token": "s3cret"})
    async with kernel(tmp_path, config=config) as running:
        with pytest.raises(PluginInitFailed, match=r"it says it is unhealthy: no disk for \*\*\*"):
            await running.enable("own")
        await running.configure("own", {"status": "degraded"})
        await running.enable("own")
        assert (await running.health())["own"].status == "degraded"


async def test_health_that_is_none_is_a_failure(tmp_path: Path) -> None:
    """A plugin whose health() returns something else is told so."""
    code = """
        from hotswap_ports import Plugin

        class Own(Plugin):
            async def health(self):
                return "fine"
    """
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"})
    async with kernel(tmp_path) as running:
        with pytest.raises(PluginInitFailed, match="returned str, which is no Health"):
            await running.enable("own")


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("raise", "health() raised RuntimeError: no luck with ***"),
        ("exit", "health(): it called sys.exit(3)"),
        ("base", "health(): it raised Mine, though nobody had asked it to end"),
        ("cancelled", "health(): it raised CancelledError, though nobody had asked it to end"),
        ("hang", "health() took longer than 0.05 s"),
        ("timeout", "health() raised TimeoutError: "),
    ],
)
async def test_health_that_fails_is_an_answer_too(tmp_path: Path, what: str, expected: str) -> None:
    """A check that raises or hangs is unhealthy, and shows no secret."""
    probe(tmp_path, "own")
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={"token": "s3cret"})) as running:
        instance = running._lifecycle.instances["own"]
        instance.context.replace_config({"journal": str(tmp_path), "token": "s3cret", "health": what})
        health = await instance.health(0.05)
        assert (health.status, health.message) == ("unhealthy", expected)


async def test_health_survives_a_change_meanwhile(tmp_path: Path) -> None:
    """Asking all plugins how they are goes on while one of them is disabled; who is cancelled is cancelled."""
    probe(tmp_path, "own")
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "own", "english", config=probing(tmp_path, own={})) as running:
        instance = running._lifecycle.instances["own"]
        instance.context.replace_config({"journal": str(tmp_path), "health": "gate"})
        JOURNAL[str(tmp_path)].clear()
        asked = asyncio.create_task(running.health())
        await reached(str(tmp_path), "own.health")
        await running.disable("english")
        gate(str(tmp_path), "own.health").set()
        assert set(await asked) == {"own", "english"}
        gate(str(tmp_path), "own.health").clear()
        asked = asyncio.create_task(running.health())
        while JOURNAL[str(tmp_path)].count("own.health") < 2:
            await asyncio.sleep(0.001)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


@pytest.mark.parametrize("what", ["raise", "timeout", "exit", "base", "cancelled", "hang"])
@pytest.mark.parametrize("step", ["stop", "exit", "cleanup", "undo"])
async def test_closing_goes_to_its_end(tmp_path: Path, step: str, what: str) -> None:
    """Whatever a plugin raises while it is closed, everything else of it is closed too, and the error is reported."""
    probe(tmp_path, "own")
    config = probing(tmp_path, own={step: what, "token": "s3cret"})
    async with kernel(tmp_path, "own", config=config, drain_timeout=0.05) as running:
        with pytest.raises(TeardownFailed) as failed:
            await running.disable("own")
        assert journal(tmp_path)[-4:] == ["stop", "exit", "cleanup", "undo"]
        assert len(failed.value.exceptions) == 1
        assert "s3cret" not in str(failed.value)
        assert running.plugins()["own"].state is State.DISABLED
        assert running.settings.disabled == ("own",)


async def test_several_errors_are_reported_in_one_group(tmp_path: Path) -> None:
    """Errors of all plugins that are closed come together; each plugin is closed once."""
    probe(tmp_path, "first")
    probe(tmp_path, "second", dependencies={"first": ">=1"})
    config = probing(tmp_path, first={"stop": "raise", "undo": "exit"}, second={"cleanup": "cancelled"})
    async with kernel(tmp_path, "second", config=config, ports={"greeter": ("first",)}) as running:
        with pytest.raises(TeardownFailed) as failed:
            await running.disable("first", cascade=True)
        assert [str(each) for each in failed.value.exceptions] == [
            "Own.cleanup raised CancelledError",
            "no luck with it",
            "behave called sys.exit(3)",
        ]
    closing = ["stop", "exit", "cleanup", "undo"]
    assert JOURNAL[str(tmp_path)][-8:] == [f"{plugin}.{step}" for plugin in ("second", "first") for step in closing]


@pytest.mark.parametrize("step", ["initialize", "enter", "start", "health"])
async def test_leaving_the_kernel_ends_a_change_and_undoes_it(tmp_path: Path, step: str) -> None:
    """A change under way when the kernel is left is undone; whoever waits for it is told, and is not cancelled."""
    probe(tmp_path, "first")
    probe(tmp_path, "own", dependencies={"first": ">=1"})
    config = probing(tmp_path, first={}, own={step: "hang"})
    running = kernel(tmp_path, config=config)
    async with running:
        asked = asyncio.create_task(running.enable("own"))
        await reached(str(tmp_path), f"own.{step}")
    with pytest.raises(HotswapError, match="it was left before this change was done"):
        await asked
    assert journal(tmp_path)[-len(UNDONE[step]) :] == UNDONE[step]
    assert journal(tmp_path, "first")[-4:] == ["stop", "exit", "cleanup", "undo"]
    nothing_is_left(running, "own", "first")


@pytest.mark.parametrize("step", ["initialize", "enter", "start", "health"])
@pytest.mark.parametrize("times", [1, 3])
async def test_cancelling_the_boot_at_any_step_closes_what_was_open(tmp_path: Path, step: str, times: int) -> None:
    """Ctrl-C (once, or again and again) while a plugin opens: what was opened is closed once, no task is left."""
    probe(tmp_path, "first")
    probe(tmp_path, "own", dependencies={"first": ">=1"})
    config = probing(tmp_path, first={"stop": "gate"}, own={step: "hang"})
    running = kernel(tmp_path, "own", config=config)
    before = asyncio.all_tasks()
    boot = asyncio.create_task(running.__aenter__())
    await reached(str(tmp_path), f"own.{step}")
    for _ in range(times):
        boot.cancel()
        await asyncio.sleep(0.01)
    gate(str(tmp_path), "first.stop").set()
    with pytest.raises(asyncio.CancelledError):
        await boot
    assert journal(tmp_path, "first").count("stop") == 1
    assert journal(tmp_path, "first")[-4:] == ["stop", "exit", "cleanup", "undo"]
    assert journal(tmp_path)[-len(UNDONE[step]) :] == UNDONE[step]
    nothing_is_left(running, "own", "first")
    assert asyncio.all_tasks() - before <= {boot}


async def test_cancelling_at_every_step_of_the_loop_leaves_nothing_half_open(tmp_path: Path) -> None:
    """A boot that is cancelled after any number of steps of the event loop closes exactly what it had opened."""
    probe(tmp_path, "first")
    probe(tmp_path, "own", dependencies={"first": ">=1"})
    finished = 0
    for steps in range(100):
        JOURNAL.pop(str(tmp_path), None)
        running = kernel(tmp_path, "own", config=probing(tmp_path, first={}, own={}))
        boot = asyncio.create_task(running.__aenter__())
        await reached(str(tmp_path), "own.init" if steps % 2 else "first.init")
        for _ in range(steps):
            await asyncio.sleep(0)
        finished += boot.done()
        boot.cancel()
        try:
            await boot
        except asyncio.CancelledError:
            pass
        else:
            await running.__aexit__(None, None, None)
        for plugin in ("first", "own"):
            seen = journal(tmp_path, plugin)
            for opened, closed in (("initialize", "undo"), ("enter", "exit"), ("start", "stop")):
                assert seen.count(closed) <= seen.count(opened) <= 1, (steps, seen)
            assert ("initialize" in seen) == ("undo" in seen), (steps, seen)
        nothing_is_left(running, "own", "first")
        if finished > 4:
            break


async def test_cancelling_whoever_leaves_the_kernel_closes_everything_first(tmp_path: Path) -> None:
    """Cancelled while it closes, the kernel closes to the end; the cancellation takes effect after that."""
    probe(tmp_path, "own")
    probe(tmp_path, "other", provides={"clock": "Ticks"}, extra=TICKS)
    config = probing(tmp_path, own={"stop": "gate"}, other={})

    async def work() -> None:
        async with kernel(tmp_path, "own", "other", config=config):
            pass

    task = asyncio.create_task(work())
    await reached(str(tmp_path), "own.stop")
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
    gate(str(tmp_path), "own.stop").set()
    with pytest.raises(asyncio.CancelledError):
        await task
    for plugin in ("own", "other"):
        assert journal(tmp_path, plugin)[-1] == "undo"


TICKS = """
    class Ticks(Clock):
        async def now(self):
            return 1.0
"""


async def test_an_anyio_scope_that_is_cancelled_closes_everything(tmp_path: Path) -> None:
    """Inside a cancelled anyio scope, where every await is cancelled, the kernel still closes to the end."""
    probe(tmp_path, "own")
    with anyio.CancelScope() as scope:
        async with kernel(tmp_path, "own", config=probing(tmp_path, own={})):
            scope.cancel()
            await anyio.sleep(1)
    assert journal(tmp_path)[-4:] == ["stop", "exit", "cleanup", "undo"]


async def test_a_plugin_may_leave_a_task_group_on_its_exit_stack(tmp_path: Path) -> None:
    """Each plugin is opened and closed in one task, so task groups and cancel scopes may live on its exit stack."""
    code = """
        import anyio
        from hotswap_ports import Plugin

        class Own(Plugin):
            async def initialize(self, context):
                group = await context.exit_stack.enter_async_context(anyio.create_task_group())
                context.exit_stack.callback(group.cancel_scope.cancel)
                group.start_soon(anyio.sleep_forever)
    """
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"})
    async with kernel(tmp_path, "own") as running:
        await asyncio.create_task(running.configure("own", {"a": 1}))
        await asyncio.create_task(running.disable("own"))
        assert running.plugins()["own"].state is State.DISABLED


async def test_a_task_group_that_fails_makes_its_plugin_unhealthy(tmp_path: Path) -> None:
    """When a task of a plugin's own task group fails, its health says so, and closing reports the error itself."""
    code = """
        import asyncio
        from hotswap_ports import Plugin

        async def fail():
            raise ValueError("in the background")

        class Own(Plugin):
            async def initialize(self, context):
                self.group = await context.exit_stack.enter_async_context(asyncio.TaskGroup())
            async def start(self):
                self.group.create_task(fail())
    """
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"})
    async with kernel(tmp_path, "own") as running:
        async with asyncio.timeout(10):
            while (await running.health())["own"].status == "healthy":
                await asyncio.sleep(0.001)
        assert (await running.health())["own"].message == "a task of its own has failed, and ended it"
        with pytest.raises(TeardownFailed, match="ValueError: in the background"):
            await running.disable("own")


async def test_errors_of_a_task_group_are_named_each(tmp_path: Path) -> None:
    """A plugin that raises a group is failed with the errors inside it; without secrets, as ever."""
    code = """
        from hotswap_ports import Plugin

        class Own(Plugin):
            async def start(self):
                raise ExceptionGroup("several", [ValueError("s3cret"), ExceptionGroup("more", [KeyError("b")])])
    """
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"})
    async with kernel(tmp_path, "own", config={"own": {"token": "s3cret"}}) as running:
        assert running.plugins()["own"].reason.endswith(r"failed in start: ValueError: ***; KeyError: 'b'")


async def test_an_error_of_a_port_keeps_its_hint(tmp_path: Path) -> None:
    """A PortError while a plugin opens is its failure, with that error's sentence and hint."""
    code = """
        from hotswap_ports import Plugin, Unavailable

        class Own(Plugin):
            async def validate_config(self, config):
                if config.get("bad"):
                    raise ValueError("no s3cret")
            async def start(self):
                raise Unavailable("no server at s3cret", "Start it.")
    """
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"})
    async with kernel(tmp_path, config={"own": {"token": "s3cret"}}) as running:
        with pytest.raises(PluginInitFailed, match=r"failed in start: no server at \*\*\*") as failed:
            await running.enable("own")
        assert failed.value.hint == "Start it."
        await running.configure("own", {"bad": True})
        with pytest.raises(HotswapError, match=r"no \*\*\*"):
            await running.enable("own")
        assert (await running.health()) == {}


async def test_storage_of_the_context_is_there_until_the_plugin_is_closed(tmp_path: Path) -> None:
    """A plugin that leaves together with the storage it uses may still write when it stops."""
    code = """
        from hotswap_ports import Plugin

        class Own(Plugin):
            async def initialize(self, context):
                self.context = context
                await context.storage.put("a", b"1")
            async def stop(self):
                await self.context.storage.put("b", b"2")
    """
    tables: dict[str, Any] = {"requires": {"storage": ">=1"}, "capabilities": {"storage_access": True}}
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"}, **tables)
    enabled = {"storage": ("memory",)}
    async with kernel(tmp_path, "own", "memory", ports=enabled) as running:
        await running.disable("memory", cascade=True)
        assert running.plugins()["own"].state is State.DISABLED


async def test_an_error_in_the_body_is_not_hidden_by_one_of_closing(tmp_path: Path) -> None:
    """What was raised inside the kernel is what comes out; what failed to close is in its notes."""
    probe(tmp_path, "own")
    with pytest.raises(LookupError) as raised:
        async with kernel(tmp_path, "own", config=probing(tmp_path, own={"stop": "raise"})):
            raise LookupError
    assert "no luck with it" in raised.value.__notes__[0]


async def test_a_failed_change_restores_the_notes_of_before(tmp_path: Path) -> None:
    """A plugin that had failed, and fails again when it is enabled, is failed still, with the first reason."""
    write_plugin(tmp_path, "bad", "1 / 0")
    async with kernel(tmp_path, "bad") as running:
        before = running.plugins()["bad"]
        with pytest.raises(PluginLoadFailed):
            await running.enable("bad")
        assert running.plugins()["bad"] == before
        await running.disable("bad")
        assert running.plugins()["bad"].state is State.DISABLED


async def test_undoing_that_fails_is_in_the_notes_of_the_error(tmp_path: Path) -> None:
    """What fails while a failed change is undone stands beside its error, without secrets."""
    probe(tmp_path, "first")
    probe(tmp_path, "own", dependencies={"first": ">=1"}, provides={"clock": "Ticks"}, extra=TICKS)
    config = probing(
        tmp_path, first={"stop": "raise", "token": "s3cret"}, own={"start": "raise", "undo": "raise", "token": "s3cret"}
    )
    async with kernel(tmp_path, config=config) as running:
        with pytest.raises(PluginInitFailed) as failed:
            await running.enable("own")
    notes = "\n".join(failed.value.__notes__)
    assert "While undoing own: RuntimeError: no luck with ***" in notes
    assert "While undoing first: RuntimeError: no luck with ***" in notes
    assert "Undone: first" in notes
    assert "s3cret" not in notes + str(failed.value)


async def test_secrets_of_one_that_is_not_ready_do_not_show(tmp_path: Path) -> None:
    """NotReady is redacted like every other error of a plugin."""
    probe(tmp_path, "own")
    config = probing(tmp_path, own={"start": "not-ready", "token": "s3cret"})
    async with kernel(tmp_path, "own", config=config) as running:
        status = running.plugins()["own"]
        assert status.state is State.WAITING
        assert "s3cret" not in f"{status} {running.why('own')} {status.error!r}"
        with pytest.raises(NotReady, match=r"not yet: \*\*\*"):
            await running.enable("own")
        assert running.plugins()["own"].state is State.WAITING


SLOW = """
    from hotswap_ports import PluginContext
    from tests.plugin_folder import Clock, Greeter, behave

    class Ticker(Clock):
        def __init__(self, greeter: Greeter, context: PluginContext) -> None:
            self.greeter = greeter
            self.context = context
        async def now(self):
            await behave(self.context, "now")
            return float(len(await self.greeter.greet("x")))
        async def __aenter__(self):
            return self
        async def __aexit__(self, *exc):
            assert await self.greeter.greet("bye")
            await behave(self.context, "closed")
"""


async def test_a_call_in_flight_reaches_what_it_needs_while_both_leave(tmp_path: Path) -> None:
    """A call inside a plugin goes on into the port it was given, though that plugin leaves in the same change."""
    greeter(tmp_path, "english")
    tables: dict[str, Any] = {"provides": {"clock": "Ticker"}, "requires": {"greeter": ">=1"}}
    write_plugin(tmp_path, "ticker", SLOW, capabilities={"config_access": True}, **tables)
    async with kernel(tmp_path, "ticker", "english", config=probing(tmp_path, ticker={"now": "gate"})) as running:
        call = asyncio.create_task(running.get(Clock).now())
        await reached(str(tmp_path), "ticker.now")
        change = asyncio.create_task(running.disable("english", cascade=True))
        while running.plugins()["english"].state is not State.DRAINING:
            await asyncio.sleep(0.001)
        with pytest.raises(PortUnfilled):
            running.get(Greeter)
        gate(str(tmp_path), "ticker.now").set()
        assert await call == 7.0
        await change
        assert journal(tmp_path, "ticker")[-1] == "closed"


async def test_a_stuck_call_is_cancelled_and_has_left_before_the_provider_is_closed(tmp_path: Path) -> None:
    """At the deadline a stuck call is named and cancelled; the provider closes when its last line has run."""
    code = """
        import asyncio
        from hotswap_ports import PluginContext
        from tests.plugin_folder import Greeter, behave

        class Hello(Greeter):
            def __init__(self, context: PluginContext) -> None:
                self.context = context
                self.closed = False
            async def greet(self, name, *, loud=False):
                try:
                    await behave(self.context, "greet")
                finally:
                    await asyncio.sleep(0.01)
                    await behave(self.context, "closed" if self.closed else "open")
            async def __aenter__(self):
                return self
            async def __aexit__(self, *exc):
                self.closed = True
    """
    write_plugin(tmp_path, "own", code, provides={"greeter": "Hello"}, capabilities={"config_access": True})
    config = probing(tmp_path, own={"greet": "hang"})
    async with kernel(tmp_path, "own", config=config, drain_timeout=0.05) as running:
        call = asyncio.create_task(running.get(Greeter).greet("x"), name="the caller")
        await reached(str(tmp_path), "own.greet")
        with pytest.raises(TeardownFailed, match=r"greeter\.greet in task the caller"):
            await running.disable("own")
        assert call.done()
    assert journal(tmp_path) == ["greet", "open"]


@pytest.mark.parametrize(
    ("what", "shown"), [("exit", "SystemExit: 3"), ("cancelled", "CancelledError: "), ("base", "Mine: ")]
)
async def test_a_call_that_would_end_the_host_is_the_adapters_failure(tmp_path: Path, what: str, shown: str) -> None:
    """Whatever an adapter raises leaves a port as AdapterFailed, also what is no Exception."""
    probe(tmp_path, "own")
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={"greet": what})) as running:
        with pytest.raises(AdapterFailed, match=f"own failed in greet: {shown}"):
            await running.get(Greeter).greet("x")


async def test_an_interrupt_within_a_call_goes_through(tmp_path: Path) -> None:
    """KeyboardInterrupt may be a person's, and is nobody's failure."""
    probe(tmp_path, "own")
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={"greet": "interrupt"})) as running:
        call = running.get(Greeter).greet("x")
        with pytest.raises(KeyboardInterrupt):
            call.send(None)  # type: ignore[attr-defined] # by hand: in a task it would end the loop
        [generation] = running._wiring.providers("greeter").values()
        assert generation.leases == 0


async def test_two_plugins_cannot_call_their_providers_the_same(tmp_path: Path) -> None:
    """A provider's name is its own: the second plugin that takes it is refused, within one change as well."""
    provides = {"greeter": {"class": "Hello", "name": "same"}}
    greeter(tmp_path, "english", provides=provides)
    greeter(tmp_path, "german", "hallo", provides=provides)
    greeter(tmp_path, "both", dependencies={"english": ">=1", "german": ">=1"})
    async with kernel(tmp_path, "english") as running:
        with pytest.raises(PluginLoadFailed, match="'same', as plugin 'english' does"):
            await running.enable("german")
        assert await running.get(Greeter, "same").greet("x") == "hello x"
        await running.disable("english")
        with pytest.raises(PluginLoadFailed, match=r"'same', as plugin '(english|german)' does"):
            await running.apply(await running.plan(enable=["both", "english"]))
        assert running.plugins()["german"].state is State.DISCOVERED


async def test_a_plugin_is_not_injected_into_itself(tmp_path: Path) -> None:
    """A plugin that provides a port and requires it is given the other provider, also when it is the selected one."""
    code = """
        from collections.abc import Mapping
        from tests.plugin_folder import Greeter

        class Hello(Greeter):
            def __init__(self, inner: Greeter, everyone: Mapping[str, Greeter]) -> None:
                self.inner = inner
                self.everyone = everyone
            async def greet(self, name, *, loud=False):
                assert list(self.everyone) == ["english"] and len(self.everyone) == 1
                return (await self.inner.greet(name)).upper()
    """
    greeter(tmp_path, "english")
    write_plugin(tmp_path, "loud", code, provides={"greeter": "Hello"}, requires={"greeter": ">=1"})
    async with kernel(tmp_path, "loud", "english", ports={"greeter": ("loud", "english")}) as running:
        handle = running.get(Greeter)
        assert await handle.greet("x") == "HELLO X"
        await running.select(Greeter, "english")
        assert await handle.greet("x") == "hello x"
        await running.select(Greeter, "loud")
        await running.configure("english", {"a": 1})
        assert await handle.greet("x") == "HELLO X"


async def test_a_plugin_that_wraps_a_port_is_given_the_one_in_use(tmp_path: Path) -> None:
    """Among several others with no selection, what wraps a port is given the one that is in use."""
    code = """
        from tests.plugin_folder import Greeter

        class Hello(Greeter):
            def __init__(self, inner: Greeter) -> None:
                self.inner = inner
            async def greet(self, name, *, loud=False):
                return "loud " + await self.inner.greet(name)
    """
    greeter(tmp_path, "english")
    greeter(tmp_path, "another", "aloha")
    write_plugin(tmp_path, "loud", code, provides={"greeter": "Hello"}, requires={"greeter": ">=1"})
    async with kernel(tmp_path, "english") as running:
        await running.enable("another")
        await running.enable("loud")
        assert await running.get(Greeter, "loud").greet("x") == "loud hello x"
        assert await running.get(Greeter).greet("x") == "hello x"
        await running.disable("english")
        assert await running.get(Greeter, "loud").greet("x") == "loud aloha x"
        await running.disable("another", cascade=True)
        assert running.plugins()["loud"].state is State.DISABLED


async def test_an_old_generation_is_garbage_after_a_swap(tmp_path: Path) -> None:
    """After a swap nothing holds the old generation, its adapter or its code; handles stay valid."""
    probe(tmp_path, "own")
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={})) as running:
        handle = running.get(Greeter)
        instance = running._lifecycle.instances["own"]
        old = [weakref.ref(each) for each in (instance, instance.context, instance.prepared.loaded.module)]
        old += [weakref.ref(instance.generations[0].target)]
        del instance
        for number in range(3):
            await running.configure("own", {"number": number})
            assert await handle.greet("x") == "own greets x"
        for _ in range(3):
            await asyncio.sleep(0)
            gc.collect()
        assert [each() for each in old] == [None] * 4


async def test_a_handler_of_loading_may_ask_for_a_change(tmp_path: Path) -> None:
    """A hook that runs when a plugin was loaded may enable others, or ask for the very change it hears of."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    seen: list[str] = []
    async with kernel(tmp_path) as running:

        async def follow(event: HookEvent) -> None:
            seen.append(event.data["plugin"])
            async with asyncio.timeout(5):
                await running.enable("german")
                await running.enable("english")

        running.on("on_plugin_load", follow)
        await running.enable("english")
        assert running.plugins()["german"].state is State.ACTIVE
        assert seen[0] == "english"


async def test_a_handler_that_aborts_loading_comes_too_late(tmp_path: Path) -> None:
    """Abort at on_plugin_load is reported when all is done: after a change as an error, at boot as a problem."""
    from hotswap_ports import Abort

    greeter(tmp_path, "english")
    greeter(tmp_path, "german")
    one = kernel(tmp_path, "english")
    one.on("on_plugin_load", lambda event: Abort("I do not like it"))
    async with one as running:
        assert running.plugins()["english"].state is State.ACTIVE
        assert [each.code for each in running.problems] == ["PLUG-015"]
        with pytest.raises(TeardownFailed, match="I do not like it"):
            await running.enable("german")
        assert running.plugins()["german"].state is State.ACTIVE
        assert running.settings.enabled == ("english", "german")


async def test_hooks_leave_with_their_plugin(tmp_path: Path) -> None:
    """A plugin's handlers are in force from the switch on, and leave in the same switch, also when it fails to open."""
    hook = """
        from hotswap_ports import Modify, Plugin

        class Own(Plugin):
            async def initialize(self, context):
                context.events.on("pre_greeter.greet", lambda event: Modify({"arguments": {"name": "HOOKED"}}))
                if context.config.get("fail"):
                    raise RuntimeError("late")
    """
    greeter(tmp_path, "english")
    write_plugin(tmp_path, "hooked", hook, python={"class_name": "Own"}, capabilities={"config_access": True})
    async with kernel(tmp_path, "english", config={"hooked": {"fail": True}}) as running:
        handle = running.get(Greeter)
        with pytest.raises(PluginInitFailed):
            await running.enable("hooked")
        assert await handle.greet("x") == "hello x"
        await running.configure("hooked", {"fail": False})
        await running.enable("hooked")
        assert await handle.greet("x") == "hello HOOKED"
        await running.configure("hooked", {"other": 1})
        assert await handle.greet("x") == "hello HOOKED"
        assert len(running.hooks.registered("hooked")) == 1
        await running.disable("hooked")
        assert await handle.greet("x") == "hello x"
        assert not running.hooks.registered("hooked")


REBUILT = """
    from tests.plugin_folder import Clock, Greeter, behave_now
    from hotswap_ports import PluginContext

    class Ticker(Clock):
        def __init__(self, context: PluginContext, greeter: Greeter | None = None) -> None:
            behave_now(context, "built")
            self.greeter = greeter
        async def now(self):
            return -1.0 if self.greeter is None else float(len(await self.greeter.greet("")))
"""


def rebuilt(root: Path, plugin: str = "ticker", **require: Any) -> None:
    """Write a consumer of greeter that asks to be rebuilt."""
    requires = {"greeter": {"version": ">=1", "rebind": "rebuild", **require}}
    tables = {"provides": {"clock": "Ticker"}, "capabilities": {"config_access": True}}
    write_plugin(root, plugin, REBUILT, requires=requires, **tables)


async def test_consumers_that_ask_for_it_are_rebuilt_once(tmp_path: Path) -> None:
    """After a port leads elsewhere, a consumer with rebind = "rebuild" is opened anew, once for each change."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo du")
    rebuilt(tmp_path)
    enabled = ("english", "german", "ticker")
    config = probing(tmp_path, ticker={})
    async with kernel(tmp_path, *enabled, config=config, ports={"greeter": ("english",)}) as running:
        clock = running.get(Clock)
        plan = await running.select(Greeter, "german")
        assert plan.subjects("rebuild") == ["ticker"]
        assert journal(tmp_path, "ticker").count("built") == 2
        await running.configure("german", {"a": 1})
        assert journal(tmp_path, "ticker").count("built") == 3
        await running.configure("english", {"a": 1})
        assert journal(tmp_path, "ticker").count("built") == 3
        await running.disable("german")
        assert journal(tmp_path, "ticker").count("built") == 4
        assert await clock.now() == 6.0


async def test_an_optional_port_comes_and_goes(tmp_path: Path) -> None:
    """A consumer whose optional port is filled or emptied is rebuilt with it, and with None or its default."""
    greeter(tmp_path, "english")
    rebuilt(tmp_path, optional=True)
    async with kernel(tmp_path, "ticker", config=probing(tmp_path, ticker={})) as running:
        clock = running.get(Clock)
        assert await clock.now() == -1.0
        await running.enable("english")
        assert await clock.now() == 6.0
        await running.disable("english")
        assert await clock.now() == -1.0
        assert journal(tmp_path, "ticker").count("built") == 3


async def test_a_rebuild_that_fails_leaves_the_consumer_as_it_is(tmp_path: Path) -> None:
    """When a consumer cannot be rebuilt, the change is in force, the consumer goes on, and the error is reported."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    rebuilt(tmp_path)
    enabled = ("english", "german", "ticker")
    async with kernel(tmp_path, *enabled, ports={"greeter": ("english",)}, config=probing(tmp_path, ticker={})) as one:
        (tmp_path / "ticker" / "code.py").write_text("1 / 0")
        with pytest.raises(TeardownFailed, match="ZeroDivisionError"):
            await one.select(Greeter, "german")
        assert one.ports()["greeter"].serving == "german"
        assert await one.get(Clock).now() == 6.0
        assert one.plugins()["ticker"].state is State.ACTIVE


async def test_an_optional_port_within_one_change(tmp_path: Path) -> None:
    """A named provider that opens in the same change is there for whoever opens after it, before the switch too."""
    code = """
        from typing import Annotated
        from hotswap_ports import Plugin
        from tests.plugin_folder import Greeter

        class Own(Plugin):
            def __init__(self, german: Annotated[Greeter, "german"], other: Annotated[Greeter | None, "none"]) -> None:
                self.german = german
                assert other is None
            async def start(self):
                assert await self.german.greet("x") == "hallo x"
    """
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    tables: dict[str, Any] = {"requires": {"greeter": ">=1"}, "dependencies": {"german": ">=1"}}
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"}, **tables)
    async with kernel(tmp_path, "english") as running:
        await running.enable("own")
        assert running.ports()["greeter"].serving == "english"
        with pytest.raises(HotswapError, match="own"):
            await running.disable("german")
        (tmp_path / "own" / "code.py").write_text("from tests.plugin_folder import Greeter\n1 / 0")
        with pytest.raises(PluginLoadFailed):
            await running.reload("own")
        assert await running.get(Greeter, "german").greet("x") == "hallo x"


async def test_gaps_of_all_plugins_are_listed_before_the_first_is_constructed(tmp_path: Path) -> None:
    """What cannot be injected is found before anything is constructed, for every plugin of the plan."""
    probe(tmp_path, "first")
    code = """
        from typing import Annotated
        from hotswap_ports import Plugin
        from tests.plugin_folder import Greeter

        class Own(Plugin):
            def __init__(self, missing: Annotated[Greeter, "french"]) -> None: ...
    """
    tables: dict[str, Any] = {"requires": {"greeter": ">=1"}, "dependencies": {"first": ">=1"}}
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"}, **tables)
    async with kernel(tmp_path, config=probing(tmp_path, first={})) as running:
        with pytest.raises(InjectionFailed, match="own: missing: No enabled provider of 'greeter' is called 'french'"):
            await running.enable("own")
        assert journal(tmp_path, "first") == []


async def test_a_plugin_that_opens_is_led_where_its_own_change_selects(tmp_path: Path) -> None:
    """What a change selects holds for the plugins that it opens from their first call on."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    code = """
        from hotswap_ports import Plugin
        from tests.plugin_folder import Greeter

        class Own(Plugin):
            def __init__(self, greeter: Greeter):
                self.greeter = greeter
            async def start(self):
                self.heard = await self.greeter.greet("you")
    """
    requires = {"greeter": ">=1"}
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"}, requires=requires, dependencies={"german": "*"})
    async with kernel(tmp_path, "english", ports={"greeter": ("english",)}) as running:
        await running.change(enable=["german", "own"], select={"greeter": ("german",)})
        own: Any = running._lifecycle.instances["own"].plugin
        assert own.heard == "hallo you"
