"""The kernel as an application sees it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from attrs import frozen
from dependency_injector.wiring import Provide, inject

from hotswap import (
    ConfigInvalid,
    HotswapError,
    InjectionFailed,
    Kernel,
    KernelNotRunning,
    PlanOutdated,
    PluginInitFailed,
    PluginInUse,
    PluginLoadFailed,
    PluginNotFound,
    PortAmbiguous,
    PortUnfilled,
    ProviderNotFound,
    State,
    TeardownFailed,
)
from hotswap.lifecycle import Lifecycle
from hotswap_ports import AdapterFailed
from tests.plugin_folder import Clock, Greeter, greeter, kernel, write_plugin

CONSUMER = """
    from tests.plugin_folder import Clock, Greeter

    class Ticker(Clock):
        def __init__(self, greeter: Greeter) -> None:
            self.greeter = greeter

        async def now(self):
            return float(len(await self.greeter.greet("x")))
"""


def consumer(root: Path, plugin: str = "ticker", **tables: Any) -> None:
    """Write a plugin that requires ``greeter`` and provides ``clock``."""
    tables = {"provides": {"clock": "Ticker"}, "requires": {"greeter": ">=1"}} | tables
    write_plugin(root, plugin, CONSUMER, **tables)


async def test_get_returns_a_live_handle(tmp_path: Path) -> None:
    """What get returns is an instance of the port, with the port's own signature, and always the same object."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        handle = running.get(Greeter)
        assert isinstance(handle, Greeter)
        assert await handle.greet("you") == "hello you"
        assert running.get(Greeter) is handle
        assert inspect.signature(handle.greet) == inspect.signature(Greeter.greet).replace(
            parameters=list(inspect.signature(Greeter.greet).parameters.values())[1:]
        )
        assert handle.features == frozenset()


async def test_a_handle_follows_a_selection(tmp_path: Path) -> None:
    """A handle taken before a selection leads to the new provider after it."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    async with kernel(tmp_path, "english", "german", ports={"greeter": ("english",)}) as running:
        handle = running.get(Greeter)
        assert await handle.greet("du") == "hello du"
        await running.select(Greeter, "german")
        assert await handle.greet("du") == "hallo du"
        assert await running.get(Greeter, "english").greet("du") == "hello du"
        assert list(running.all(Greeter)) == ["german", "english"]
        assert running.ports()["greeter"].serving == "german"


async def test_two_providers_without_a_choice_are_ambiguous(tmp_path: Path) -> None:
    """Asking for a port with two providers and no selection is an error that names both."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german")
    async with kernel(tmp_path, "english", "german") as running:
        with pytest.raises(PortAmbiguous, match="english, german"):
            running.get(Greeter)


async def test_a_port_without_a_provider_is_unfilled(tmp_path: Path) -> None:
    """Asking for a port that nobody provides is an error that names what could."""
    async with kernel(tmp_path) as running:
        with pytest.raises(PortUnfilled, match="clock"):
            running.get(Clock)
        with pytest.raises(ProviderNotFound, match="nobody"):
            running.get(Clock, "nobody")


async def test_a_provider_that_is_not_open_says_why(tmp_path: Path) -> None:
    """By name, one whose plugin has failed says so, one that is not enabled how to enable it."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "idle")
    write_plugin(tmp_path, "broken", "1 / 0", provides={"greeter": "Hello"})
    async with kernel(tmp_path, "english", "broken", ports={"greeter": ("english",)}) as running:
        await running.health()
        with pytest.raises(ProviderNotFound, match=r"broken is failed: PLUG-002.*division by zero") as failed:
            running.get(Greeter, "broken")
        assert failed.value.hint == "`hotswap why broken` says more."
        with pytest.raises(ProviderNotFound, match=r"called 'idle'\.$") as idle:
            running.get(Greeter, "idle")
        assert idle.value.hint == "Enable it: `hotswap plugin enable idle`."
        handle = running.get(Greeter, "english")
        await running.disable("english")
        with pytest.raises(ProviderNotFound) as disabled:
            await handle.greet("x")
        assert disabled.value.hint == "Enable it: `hotswap plugin enable english`."


async def test_enable_opens_a_plugin_and_its_consumers_get_it(tmp_path: Path) -> None:
    """Enabling a plugin pulls in what it needs, in order, and its handles work at once."""
    greeter(tmp_path, "english")
    consumer(tmp_path)
    async with kernel(tmp_path) as running:
        plan = await running.plan(enable=["ticker"])
        assert [str(each.kind) + " " + each.subject for each in plan.steps] == ["start english", "start ticker"]
        assert running.plugins()["ticker"].state is State.DISCOVERED
        await running.apply(plan)
        assert await running.get(Clock).now() == 7.0
        assert running.plugins()["english"].required_by == ("ticker",)


async def test_a_plan_for_another_revision_is_refused(tmp_path: Path) -> None:
    """A plan made before another change is out of date."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german")
    async with kernel(tmp_path) as running:
        plan = await running.plan(enable=["english"])
        await running.enable("german")
        with pytest.raises(PlanOutdated):
            await running.apply(plan)


@pytest.mark.parametrize("order", [("english", "german"), ("english",)])
async def test_enabling_again_undoes_the_disabling(tmp_path: Path, order: tuple[str, ...]) -> None:
    """A disabled provider keeps its place in the order: the next one serves meanwhile, and it serves again after."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    async with kernel(tmp_path, "english", "german", ports={"greeter": order}) as running:
        handle = running.get(Greeter)
        await running.disable("english")
        assert await handle.greet("du") == "hallo du"
        assert running.ports()["greeter"].selected == order
        plan = await running.enable("english")
        assert [str(each.kind) for each in plan.steps] == ["start", "select"]
        assert await handle.greet("you") == "hello you"


async def test_disable_is_refused_while_others_need_it(tmp_path: Path) -> None:
    """Disabling what others need names them and changes nothing; cascade takes them along."""
    greeter(tmp_path, "english")
    consumer(tmp_path)
    async with kernel(tmp_path, "ticker", "english") as running:
        with pytest.raises(PluginInUse) as refused:
            await running.disable("english")
        assert refused.value.dependants == ("ticker",)
        assert await running.get(Clock).now() == 7.0
        handle = running.get(Greeter)
        await running.disable("english", cascade=True)
        assert running.plugins()["ticker"].state is State.DISABLED
        with pytest.raises(PortUnfilled):
            await handle.greet("x")
        with pytest.raises(HotswapError, match="english"):
            await running.enable("ticker")
        await running.enable("english")
        await running.enable("ticker")
        assert await handle.greet("x") == "hello x"


async def test_disabling_one_of_two_providers_moves_on_to_the_other(tmp_path: Path) -> None:
    """When the provider in use is disabled, its consumers are served by the next one."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "guten tag")
    consumer(tmp_path)
    enabled = ("english", "german", "ticker")
    async with kernel(tmp_path, *enabled, ports={"greeter": ("english", "german")}) as running:
        await running.disable("english")
        assert await running.get(Clock).now() == float(len("guten tag x"))


async def test_a_call_in_flight_survives_the_swap(tmp_path: Path) -> None:
    """A call that is inside the old provider ends there, while new calls go to the new one; then the old one closes."""
    slow = """
        import asyncio
        from tests.plugin_folder import Greeter

        class Slow(Greeter):
            gate = asyncio.Event()
            inside = asyncio.Event()
            closed = False

            async def greet(self, name, *, loud=False):
                type(self).inside.set()
                await type(self).gate.wait()
                assert not type(self).closed
                return "slow " + name

            async def __aenter__(self):
                return self

            async def __aexit__(self, *exc):
                type(self).closed = True
    """
    write_plugin(tmp_path, "slow", slow, provides={"greeter": "Slow"})
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "slow", "english", ports={"greeter": ("slow",)}) as running:
        handle = running.get(Greeter)
        adapter: Any = type(running._wiring.providers("greeter")["slow"].target)
        call = asyncio.create_task(handle.greet("one"))
        await adapter.inside.wait()
        change = asyncio.create_task(running.disable("slow"))
        while running.plugins()["slow"].state is not State.DRAINING:
            await asyncio.sleep(0.001)
        assert await handle.greet("two") == "hello two"
        assert not adapter.closed
        adapter.gate.set()
        assert await call == "slow one"
        await change
        assert adapter.closed


async def test_what_an_adapter_raises_leaves_as_a_port_error(tmp_path: Path) -> None:
    """An adapter's own exception leaves the port as AdapterFailed with the original as its cause."""
    code = """
        from tests.plugin_folder import Greeter

        class Bad(Greeter):
            async def greet(self, name, *, loud=False):
                raise KeyError(name)
    """
    write_plugin(tmp_path, "bad", code, provides={"greeter": "Bad"})
    async with kernel(tmp_path, "bad") as running:
        with pytest.raises(AdapterFailed, match="bad failed in greet: KeyError") as failed:
            await running.get(Greeter).greet("x")
        assert isinstance(failed.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("1 / 0", "PLUG-002"),
        ("import sys; sys.exit(3)", "PLUG-002"),
        ("import nothing_of_that_name", "PLUG-002"),
        ("class Hell: pass", "PLUG-002"),
        ("class Hello: pass", "PLUG-002"),
        ("Hello = 3", "PLUG-002"),
        ("def broken(:", "PLUG-002"),
        (
            """
            from tests.plugin_folder import Greeter
            class Hello(Greeter):
                def __init__(self): raise ValueError("no")
                async def greet(self, name, *, loud=False): ...
            """,
            "PLUG-003",
        ),
        (
            """
            from tests.plugin_folder import Greeter
            class Hello(Greeter):
                def __init__(self, what: int, ever): ...
                async def greet(self, name, *, loud=False): ...
            """,
            "PLUG-017",
        ),
    ],
)
async def test_one_bad_plugin_never_stops_the_host(tmp_path: Path, code: str, expected: str) -> None:
    """A plugin that cannot be opened is failed with its code; its dependants wait; the others work."""
    write_plugin(tmp_path, "bad", code, provides={"greeter": "Hello"})
    consumer(tmp_path)
    write_plugin(tmp_path, "good", "")
    async with kernel(tmp_path, "bad", "ticker", "good") as running:
        plugins = running.plugins()
        assert plugins["bad"].state is State.FAILED
        assert plugins["bad"].reason.startswith(expected)
        assert plugins["ticker"].state is State.WAITING
        assert plugins["good"].state is State.ACTIVE
        assert [each.plugin for each in running.why("ticker").causes] == ["ticker", "bad"]
        with pytest.raises(PortUnfilled):
            running.get(Greeter)


LIFECYCLE = """
    from hotswap_ports import Plugin, PluginContext
    from tests.plugin_folder import Greeter

    log = []

    class Hello(Greeter):
        def __init__(self, context: PluginContext) -> None:
            log.append("adapter")

        async def greet(self, name, *, loud=False):
            return "hello"

        async def __aenter__(self):
            log.append("enter")
            return self

        async def __aexit__(self, *exc):
            log.append("exit")

    class Own(Plugin):
        async def validate_config(self, config):
            log.append("validate")
            if config.get("bad"):
                raise ValueError("bad is set")
        async def initialize(self, context):
            log.append("initialize")
            context.exit_stack.callback(log.append, "undo")
            if context.config.get("fail") == "initialize":
                raise RuntimeError("no luck")
        async def start(self):
            log.append("start")
        async def stop(self):
            log.append("stop")
        async def cleanup(self):
            log.append("cleanup")
"""
LIFECYCLE_TABLES: dict[str, Any] = {
    "provides": {"greeter": "Hello"},
    "python": {"class_name": "Own"},
    "capabilities": {"config_access": True},
}


def log_of(running: Kernel, plugin: str) -> list[str]:
    """Return what a plugin of these tests noted."""
    module: Any = running._lifecycle.instances[plugin].prepared.loaded.module
    log: list[str] = module.log
    return log


async def test_a_plugin_is_closed_in_the_reverse_order_of_its_opening(tmp_path: Path) -> None:
    """What opening did is undone in reverse: stop, the adapter, cleanup, what was pushed on the exit stack."""
    write_plugin(tmp_path, "own", LIFECYCLE, **LIFECYCLE_TABLES)
    async with kernel(tmp_path, "own") as running:
        log = log_of(running, "own")
        assert log == ["validate", "initialize", "adapter", "enter", "start"]
    assert log[5:] == ["stop", "exit", "cleanup", "undo"]


async def test_a_failed_enable_changes_nothing(tmp_path: Path) -> None:
    """When the last of several plugins fails to open, those opened for it are closed and nothing is half enabled."""
    write_plugin(tmp_path, "own", LIFECYCLE, **LIFECYCLE_TABLES)
    write_plugin(tmp_path, "last", "1 / 0", dependencies={"own": ">=1"})
    async with kernel(tmp_path) as running:
        with pytest.raises(PluginLoadFailed):
            await running.enable("last")
        assert running.plugins()["own"].state is State.DISCOVERED
        assert running.plugins()["last"].state is State.DISCOVERED
        with pytest.raises(PortUnfilled):
            running.get(Greeter)
        assert running.settings.enabled == ()


async def test_opening_that_fails_half_way_undoes_what_it_did(tmp_path: Path) -> None:
    """A plugin that raises in initialize has its exit stack undone, and says where it failed."""
    write_plugin(tmp_path, "own", LIFECYCLE, **LIFECYCLE_TABLES)
    async with kernel(tmp_path, config={"own": {"fail": "initialize"}}) as running:
        with pytest.raises(PluginInitFailed, match=r"failed in initialize: RuntimeError: no luck"):
            await running.enable("own")


async def test_configure_opens_the_plugin_anew(tmp_path: Path) -> None:
    """New settings are checked, then a new generation takes over; bad ones change nothing."""
    write_plugin(tmp_path, "own", LIFECYCLE, **LIFECYCLE_TABLES)
    async with kernel(tmp_path, "own") as running:
        first = log_of(running, "own")
        with pytest.raises(ConfigInvalid, match="bad is set"):
            await running.configure("own", {"bad": True})
        assert log_of(running, "own") is first
        await running.configure("own", {"good": True})
        assert first[-4:] == ["stop", "exit", "cleanup", "undo"]
        assert log_of(running, "own") is not first
        assert running.settings.config["own"] == {"good": True}


async def test_reload_takes_new_code_and_keeps_the_old_where_that_fails(tmp_path: Path) -> None:
    """After an edit, reload swaps to the new code; a syntax error leaves the old code serving."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        handle = running.get(Greeter)
        greeter(tmp_path, "english", "good day,")
        await running.reload("english")
        assert await handle.greet("sir") == "good day, sir"
        (tmp_path / "english" / "code.py").write_text("def (")
        with pytest.raises(PluginLoadFailed):
            await running.reload("english")
        assert await handle.greet("sir") == "good day, sir"
        assert running.plugins()["english"].state is State.ACTIVE


async def test_teardown_errors_are_reported_together(tmp_path: Path) -> None:
    """Closing goes on after an error, and all of them are reported in one group at the end."""
    code = """
        from hotswap_ports import Plugin

        class Own(Plugin):
            async def stop(self):
                raise ValueError("stop")
            async def cleanup(self):
                raise KeyError("cleanup")
    """
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"})
    write_plugin(tmp_path, "other", code, python={"class_name": "Own"})
    with pytest.raises(TeardownFailed) as failed:
        async with kernel(tmp_path, "own", "other"):
            pass
    assert sorted(type(each).__name__ for each in failed.value.exceptions) == [
        "KeyError",
        "KeyError",
        *["ValueError"] * 2,
    ]


async def test_not_ready_is_tried_again(tmp_path: Path) -> None:
    """A plugin that is not ready yet waits, with its dependants, and comes up when it is."""
    code = """
        from pathlib import Path
        from hotswap_ports import NotReady, Plugin
        from tests.plugin_folder import Greeter

        class Own(Plugin):
            async def initialize(self, context):
                if not Path(context.config.get("flag")).exists():
                    raise NotReady("the flag is not there")

        class Hello(Greeter):
            async def greet(self, name, *, loud=False):
                return "hello " + name
    """
    flag = tmp_path / "flag"
    write_plugin(tmp_path / "p", "own", code, **LIFECYCLE_TABLES)
    consumer(tmp_path / "p")
    async with kernel(tmp_path / "p", "own", "ticker", config={"own": {"flag": str(flag)}}) as running:
        assert running.plugins()["own"].state is State.WAITING
        assert "the flag is not there" in str(running.why("ticker"))
        flag.touch()
        async with asyncio.timeout(10):
            while running.plugins()["ticker"].state is not State.ACTIVE:
                await asyncio.sleep(0.01)
        assert await running.get(Clock).now() == 7.0


async def test_build_injects_by_annotation(tmp_path: Path) -> None:
    """Ports, named providers and mappings are injected by annotation; a gap names every parameter."""

    @frozen
    class Service:
        greeter: Greeter
        german: Annotated[Greeter, "german"]
        everyone: Mapping[str, Greeter]
        clock: Clock | None
        size: int = 3

    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    async with kernel(tmp_path, "english", "german", ports={"greeter": ("english",)}) as running:
        service = running.build(Service)
        assert await service.greeter.greet("x") == "hello x"
        assert await service.german.greet("x") == "hallo x"
        assert {name: await each.greet("x") for name, each in service.everyone.items()} == {
            "english": "hello x",
            "german": "hallo x",
        }
        assert service.clock is None

        def needy(clock: Clock, other: Annotated[Greeter, "french"], what: int, why) -> None:  # type: ignore[no-untyped-def]
            raise AssertionError("never called")

        with pytest.raises(InjectionFailed) as failed:
            running.build(needy)
        assert len(failed.value.gaps) == 2
        assert [each.split(":")[0] for each in failed.value.gaps] == ["what", "why"]


@inject
async def injected(greeter: Greeter = Provide["greeter"]) -> str:
    """Greet with what the container injects."""
    return await greeter.greet("x")


async def test_the_container_hands_out_live_handles(tmp_path: Path) -> None:
    """@inject with Provide works on kernel.container, and what was injected follows a swap."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    async with kernel(tmp_path, "english", "german", ports={"greeter": ("english",)}) as running:
        running.container.wire(modules=[__name__])
        kept = running.container.greeter()
        assert kept is running.get(Greeter)
        assert running.container.greeter__german() is running.get(Greeter, "german")
        assert await injected() == "hello x"
        await running.select(Greeter, "german")
        assert await kept.greet("x") == await injected() == "hallo x"
        running.container.unwire()


async def test_two_kernels_do_not_see_each_other(tmp_path: Path) -> None:
    """Nothing is global: another kernel in the process has its own plugins and handles."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as one, kernel(tmp_path) as two:
        assert one.get(Greeter)
        with pytest.raises(PortUnfilled):
            two.get(Greeter)


async def test_a_kernel_that_is_not_running_says_so(tmp_path: Path) -> None:
    """Using a kernel before or after its time is a clear error."""
    one = kernel(tmp_path)
    with pytest.raises(KernelNotRunning):
        one.get(Greeter)
    async with one:
        pass
    with pytest.raises(KernelNotRunning):
        await one.enable("x")


async def test_a_handle_that_outlives_its_kernel_says_so(tmp_path: Path) -> None:
    """A call through a handle after the kernel was left is answered with that, and not with a hint to install."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        handle = running.get(Greeter)
    with pytest.raises(KernelNotRunning, match="it was left"):
        await handle.greet("x")


async def test_unknown_plugins_are_named_with_the_nearest(tmp_path: Path) -> None:
    """A typo in an id is answered with the nearest id."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path) as running:
        with pytest.raises(PluginNotFound) as missing:
            await running.enable("englsh")
        assert "'english'" in missing.value.hint
        with pytest.raises(PluginNotFound):
            running.why("englsh")


async def test_an_upgrade_swaps_versions_side_by_side(tmp_path: Path) -> None:
    """Two versions in the catalog: enabling a range upgrades and downgrades, and the handle follows."""
    greeter(tmp_path, "english", "one", folder="english-1")
    greeter(tmp_path, "english", "two", version="2.0.0", folder="english-2")
    async with kernel(tmp_path, "english<2") as running:
        handle = running.get(Greeter)
        assert await handle.greet("x") == "one x"
        plan = await running.enable("english>=2")
        assert [str(each) for each in plan.steps] == ["replace english 1.0.0 -> 2.0.0 (enabled in the settings)"]
        assert await handle.greet("x") == "two x"
        await running.enable("english==1.0.0")
        assert await handle.greet("x") == "one x"


async def test_hooks_of_the_application_see_port_calls(tmp_path: Path) -> None:
    """A hook on a port's method may change the arguments; once removed, calls are plain again."""
    from hotswap_ports import HookEvent, Modify

    def shout(event: HookEvent) -> Modify:
        return Modify({"arguments": {"name": event.data["arguments"]["name"].upper()}})

    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        handle = running.get(Greeter)
        remove = running.on("pre_greeter.greet", shout)
        assert await handle.greet("x") == "hello X"
        remove()
        assert await handle.greet("x") == "hello x"


async def test_concurrent_requests_for_one_change_share_it(tmp_path: Path) -> None:
    """Ten tasks that enable the same plugin at once open it once."""
    write_plugin(tmp_path, "own", LIFECYCLE, **LIFECYCLE_TABLES)
    async with kernel(tmp_path) as running:
        await asyncio.gather(*(running.enable("own") for _ in range(10)))
        assert log_of(running, "own").count("initialize") == 1


async def test_plugins_below_verified_are_refused_with_the_setting_to_change(tmp_path: Path) -> None:
    """A plugin whose trust asks for a worker process is refused, with the reason and what to set."""
    from hotswap import IsolationRequired, Trust

    greeter(tmp_path, "english")
    async with kernel(tmp_path, trust={"english": Trust.COMMUNITY}) as running:
        with pytest.raises(IsolationRequired) as refused:
            await running.enable("english")
        assert "[trust]" in refused.value.hint


async def test_an_error_that_cannot_say_what_it_is(tmp_path: Path) -> None:
    """An exception whose own __str__ raises is a plugin's failure like any other."""
    code = 'raise type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})()'
    write_plugin(tmp_path, "mute", code)
    async with kernel(tmp_path, "mute") as running:
        status = running.plugins()["mute"]
        assert status.state is State.FAILED
        assert "Mute: its message cannot be read" in status.reason


async def test_settings_of_plugins_that_are_not_there_are_a_problem(tmp_path: Path) -> None:
    """A typo in an id under [config], [trust] or [grants] is named with the nearest id, and stops nothing."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english", grants={"englsh": {"network": False}}, config={"other": {}}) as running:
        texts = [str(each) for each in running.problems]
        assert any("'englsh'" in text and "'english'" in text and "@ $.grants.englsh" in text for text in texts)
        assert any("@ $.config.other" in text for text in texts)
        assert running.plugins()["english"].state is State.ACTIVE


async def test_states_follow_each_other_as_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through opening, failing, replacing, disabling and leaving, each state is followed by one that may follow it."""
    seen: list[tuple[State, State]] = []
    note = Lifecycle.note

    def noted(self: Lifecycle, plugin: str, state: State, *rest: Any, **more: Any) -> None:
        before = self.notes.get(plugin)
        if before is not None and before.state is not state:
            seen.append((before.state, state))
        note(self, plugin, state, *rest, **more)

    monkeypatch.setattr(Lifecycle, "note", noted)
    greeter(tmp_path, "english")
    write_plugin(tmp_path, "bad", "1 / 0")
    consumer(tmp_path)
    async with kernel(tmp_path, "english", "bad", "ticker") as running:
        await running.configure("english", {"a": 1})
        with pytest.raises(PluginLoadFailed):
            await running.enable("bad")
        await running.disable("bad")
        await running.disable("english", cascade=True)
        await running.enable("english")
    assert {state for pair in seen for state in pair} >= set(State) - {State.DISCOVERED, State.WAITING, State.BLOCKED}
    assert [pair for pair in seen if pair[1] not in pair[0].after] == []
