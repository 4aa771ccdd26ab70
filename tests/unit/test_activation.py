"""Plugins that are opened by the first call that needs them."""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hotswap import (
    HoldTimeout,
    HotswapError,
    IsolationRequired,
    Kernel,
    KernelNotRunning,
    NotOpenYet,
    PluginInitFailed,
    PluginLoadFailed,
    PortAmbiguous,
    PortUnfilled,
    ProviderNotFound,
    Settings,
    State,
    Trust,
)  # fmt: skip
from hotswap.boot import Backoff
from hotswap_ports import Port
from tests.plugin_folder import JOURNAL, Clock, Greeter, gate, greeter, kernel, probing, reached, write_plugin

LAZY: dict[str, Any] = {"activation": "lazy"}

NOTING = """
    from hotswap_ports import NotReady, PluginContext
    from tests.plugin_folder import Greeter, behave, behave_now

    class Hello(Greeter):
        features = frozenset({"polite"})

        def __init__(self, context: PluginContext NEEDS) -> None:
            behave_now(context, "adapter")
            self.context = context
            KEEP
        async def __aenter__(self):
            await behave(self.context, "enter")
            ENTER
        async def __aexit__(self, *exc):
            await behave(self.context, "exit")
            EXIT
        async def greet(self, name, *, loud=False):
            await behave(self.context, "greet")
            return self.context.plugin_id + " greets " + name
"""


def noting(
    root: Path, plugin: str, *, needs: str = "", keep: str = "", enter: str = "", leave: str = "", **tables: Any
):  # type: ignore[no-untyped-def]
    """Write a plugin without a lifecycle of its own that notes what happens to its adapter."""
    code = NOTING.replace("NEEDS", needs).replace("KEEP", keep or "pass")
    code = code.replace("ENTER", enter or "pass").replace("EXIT", leave or "pass")
    tables.setdefault("provides", {"greeter": "Hello"})
    tables.setdefault("capabilities", {"config_access": True})
    return write_plugin(root, plugin, code, **tables)


def imported(plugin: str) -> bool:
    """Return whether any code of a plugin is imported."""
    return any(each.startswith(f"hotswap_loaded.{plugin}_") for each in sys.modules)


async def test_a_plugin_is_imported_by_the_first_call_that_needs_it(tmp_path: Path) -> None:
    """Enabled and not asked for, a plugin is not imported; handles and injection ask for nothing, a call does."""
    noting(tmp_path, "rested")
    async with kernel(tmp_path, "rested", config=probing(tmp_path, rested={}), **LAZY) as running:
        handle, named = running.get(Greeter), running.get(Greeter, "rested")

        class Service:
            def __init__(self, greeter: Greeter) -> None:
                self.greeter = greeter

        service = running.build(Service)
        assert not imported("rested")
        status = running.plugins()["rested"]
        assert (status.state, status.reason) == (State.RESOLVED, "it is opened by the first call that needs it")
        assert running.ports()["greeter"].serving == "rested"
        assert await service.greeter.greet("x") == "rested greets x"
        assert running.plugins()["rested"].state is State.ACTIVE
        assert [await each.greet("y") for each in (handle, named)] == ["rested greets y"] * 2
        assert JOURNAL[str(tmp_path)].count("rested.adapter") == 1
    assert JOURNAL[str(tmp_path)][-1] == "rested.exit"


async def test_first_calls_that_arrive_together_share_one_opening(tmp_path: Path) -> None:
    """A hundred first calls open the plugin once, and one that is cancelled meanwhile cancels nobody else's."""
    noting(tmp_path, "rested")
    async with kernel(tmp_path, "rested", config=probing(tmp_path, rested={"enter": "gate"}), **LAZY) as running:
        handles = [running.get(Greeter), running.get(Greeter, "rested")]
        calls = [asyncio.create_task(handles[number % 2].greet("x")) for number in range(100)]
        await reached(str(tmp_path), "rested.enter")
        calls[0].cancel()
        gate(str(tmp_path), "rested.enter").set()
        assert await asyncio.gather(*calls[1:]) == ["rested greets x"] * 99
        assert JOURNAL[str(tmp_path)].count("rested.enter") == 1


async def test_a_failure_is_the_callers_error_and_the_plugins_state(tmp_path: Path) -> None:
    """What cannot be opened is failed, those who called first are told why, later calls that nobody serves the port."""
    noting(tmp_path, "rested")
    write_plugin(tmp_path, "broken", "1 / 0", provides={"clock": "Ticks"})
    config = probing(tmp_path, rested={"enter": "raise"})
    async with kernel(tmp_path, "rested", "broken", config=config, **LAZY) as running:
        results = await asyncio.gather(*(running.get(Greeter).greet("x") for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in results] == [PluginInitFailed] * 3
        clock = running.get(Clock)
        with pytest.raises(PluginLoadFailed, match="ZeroDivisionError"):
            await clock.now()
        assert {running.plugins()[each].state for each in ("rested", "broken")} == {State.FAILED}
        with pytest.raises(PortUnfilled, match="broken is failed: PLUG-002") as unfilled:
            await clock.now()
        assert unfilled.value.hint == "Enable one: `hotswap plugin enable broken`."
        with pytest.raises(ProviderNotFound):
            running.get(Greeter, "rested")
        await running.configure("rested", {"enter": ""})
        await running.enable("rested")
        assert await running.get(Greeter).greet("x") == "rested greets x"


async def test_when_it_fails_the_next_in_order_gets_the_call(tmp_path: Path) -> None:
    """The order of failover holds for the first call too: what cannot be opened leaves the port to the next."""
    noting(tmp_path, "rested")
    greeter(tmp_path, "english")
    config = probing(tmp_path, rested={"adapter": "raise"})
    order = {"greeter": ("rested", "english")}
    async with kernel(tmp_path, "rested", "english", config=config, ports=order, **LAZY) as running:
        assert await running.get(Greeter).greet("x") == "hello x"
        assert running.ports()["greeter"].serving == "english"
        assert running.plugins()["rested"].state is State.FAILED


async def test_one_that_is_not_ready_is_tried_again(tmp_path: Path) -> None:
    """A dormant plugin that is not ready when a call needs it waits, and comes up by itself like any other."""
    noting(tmp_path, "rested", enter="if not READY: raise NotReady('in a moment')")
    code = (tmp_path / "rested" / "code.py").read_text()
    (tmp_path / "rested" / "code.py").write_text(
        "from tests.unit import test_activation\n" + code.replace("READY", "test_activation.READY")
    )
    READY.clear()
    async with kernel(tmp_path, "rested", backoff=Backoff(0.01, 1, 0.01), **LAZY) as running:
        handle = running.get(Greeter)
        with pytest.raises(Exception, match="in a moment"):
            await handle.greet("x")
        assert running.plugins()["rested"].state is State.WAITING
        READY.append(True)
        async with asyncio.timeout(10):
            while running.plugins()["rested"].state is not State.ACTIVE:
                await asyncio.sleep(0.005)
        assert await handle.greet("x") == "rested greets x"


READY: list[bool] = []


async def test_what_a_plugin_calls_while_it_opens_may_be_dormant_too(tmp_path: Path) -> None:
    """A dormant plugin that calls another dormant one while it opens opens both, also within a change."""
    clock = """
        from tests.plugin_folder import Clock, Greeter

        class Ticks(Clock):
            def __init__(self, greeter: Greeter) -> None:
                self.greeter = greeter
            async def __aenter__(self):
                self.value = float(len(await self.greeter.greet("x")))
            async def __aexit__(self, *exc):
                await self.greeter.greet("bye")
            async def now(self):
                return self.value
    """
    own = """
        from hotswap_ports import Plugin
        from tests.plugin_folder import Clock

        class Own(Plugin):
            def __init__(self, clock: Clock) -> None:
                self.clock = clock
            async def start(self):
                self.value = await self.clock.now()
    """
    noting(tmp_path, "rested")
    write_plugin(tmp_path, "ticks", clock, provides={"clock": "Ticks"}, requires={"greeter": ">=1"})
    write_plugin(tmp_path, "own", own, python={"class_name": "Own"}, requires={"clock": ">=2"})
    enabled = ("rested", "ticks")
    async with kernel(tmp_path, *enabled, config=probing(tmp_path, rested={}), open_timeout=5, **LAZY) as running:
        assert await running.get(Clock).now() == 15.0
    async with kernel(tmp_path, *enabled, config=probing(tmp_path, rested={}), open_timeout=5, **LAZY) as running:
        await running.enable("own")
        plugin: Any = running._lifecycle.instances["own"].plugin
        assert plugin.value == 15.0
        assert {running.plugins()[each].state for each in ("rested", "ticks", "own")} == {State.ACTIVE}


async def test_one_that_is_needed_for_the_first_time_while_others_close_is_opened_then(tmp_path: Path) -> None:
    """A plugin that calls a dormant one as it closes is answered; nothing of it stays open."""
    own = """
        from hotswap_ports import Plugin
        from tests.plugin_folder import Greeter

        class Own(Plugin):
            def __init__(self, greeter: Greeter) -> None:
                self.greeter = greeter
            async def stop(self):
                assert await self.greeter.greet("bye") == "rested greets bye"
    """
    noting(tmp_path, "rested")
    write_plugin(tmp_path, "own", own, python={"class_name": "Own"}, requires={"greeter": ">=1"})
    async with kernel(tmp_path, "rested", "own", config=probing(tmp_path, rested={}), **LAZY):
        pass
    assert JOURNAL[str(tmp_path)] == [f"rested.{each}" for each in ("adapter", "enter", "greet", "exit")]


async def test_what_has_a_lifecycle_or_hooks_or_says_so_is_opened_at_the_start(tmp_path: Path) -> None:
    """activation = "eager" in manifest or settings, a class of its own, or no port: those are opened at once."""
    own = "from hotswap_ports import Plugin\nclass Own(Plugin): pass\n"
    noting(tmp_path, "rested")
    noting(tmp_path, "eager", activation="eager")
    write_plugin(tmp_path, "own", own, python={"class_name": "Own"})
    write_plugin(tmp_path, "bare", "")
    enabled = ("rested", "eager", "own", "bare")
    order = {"greeter": ("rested",)}
    async with kernel(tmp_path, *enabled, ports=order, **LAZY) as running:
        states = {each: running.plugins()[each].state for each in enabled}
        assert states == {each: State.RESOLVED if each == "rested" else State.ACTIVE for each in enabled}
    async with kernel(tmp_path, *enabled, ports=order) as running:
        assert running.plugins()["rested"].state is State.ACTIVE


async def test_what_a_plugin_depends_on_is_opened_before_it(tmp_path: Path) -> None:
    """A dependency that is dormant is opened before the plugin that names it: at the start, and when that is woken."""
    noting(tmp_path, "first")
    noting(tmp_path, "second", dependencies={"first": ">=1"})
    own = "from hotswap_ports import Plugin\nclass Own(Plugin): pass\n"
    write_plugin(tmp_path, "own", own, python={"class_name": "Own"}, dependencies={"first": ">=1"})
    config = probing(tmp_path, first={}, second={})
    order = {"greeter": ("second",)}
    async with kernel(tmp_path, "second", config=config, ports=order, **LAZY) as running:
        await running.get(Greeter).greet("x")
        assert [each for each in JOURNAL[str(tmp_path)] if "enter" in each] == ["first.enter", "second.enter"]
        assert running.plugins()["first"].state is State.ACTIVE
    async with kernel(tmp_path, "own", "first", config=config, **LAZY) as running:
        assert running.plugins()["first"].state is State.ACTIVE


async def test_selecting_a_dormant_provider_opens_it_before_the_switch(tmp_path: Path) -> None:
    """select opens what it leads to first: one that fails changes nothing, and callers notice nothing."""
    noting(tmp_path, "rested")
    noting(tmp_path, "bad")
    greeter(tmp_path, "english")
    config = probing(tmp_path, rested={}, bad={"enter": "raise"})
    order = {"greeter": ("english",)}
    async with kernel(tmp_path, "rested", "bad", "english", config=config, ports=order, **LAZY) as running:
        handle = running.get(Greeter)
        assert await handle.greet("x") == "hello x"
        with pytest.raises(PluginInitFailed):
            await running.select(Greeter, "bad")
        assert await handle.greet("x") == "hello x"
        assert running.settings.selected["greeter"] == ("english",)
        plan = await running.select(Greeter, "rested")
        assert [each.kind for each in plan.steps] == ["start", "select"]
        assert running.plugins()["rested"].state is State.ACTIVE
        assert await handle.greet("x") == "rested greets x"


async def test_dormant_plugins_can_be_disabled_upgraded_reloaded_and_configured(tmp_path: Path) -> None:
    """Every change works on a plugin that is not open yet, and calls that come meanwhile are answered."""
    for version in ("1.0.0", "2.0.0"):
        noting(tmp_path, "rested", version=version, folder=f"rested-{version}")
    greeter(tmp_path, "english")
    config = probing(tmp_path, rested={})
    order = {"greeter": ("rested", "english")}
    async with kernel(tmp_path, "rested==1.0.0", "english", config=config, ports=order, **LAZY) as running:
        await running.configure("rested", {"greet": ""})
        assert running.plugins()["rested"].state is State.RESOLVED
        await running.enable("rested==2.0.0")
        assert running.plugins()["rested"].state is State.ACTIVE
        assert await running.get(Greeter).greet("x") == "rested greets x"
    async with kernel(tmp_path, "rested==1.0.0", "english", config=config, ports=order, **LAZY) as running:
        await running.disable("rested")
        assert running.plugins()["rested"].state is State.DISABLED
        assert await running.get(Greeter).greet("x") == "hello x"
    async with kernel(tmp_path, "rested==1.0.0", "english", config=config, ports=order, **LAZY) as running:
        await running.reload("rested")
        assert await running.get(Greeter).greet("x") == "rested greets x"


async def test_a_call_that_comes_while_its_dormant_plugin_is_replaced_is_answered(tmp_path: Path) -> None:
    """A first call during an upgrade waits for it and goes to the new version; the old one is never opened."""
    for version in ("1.0.0", "2.0.0"):
        noting(tmp_path, "rested", version=version, folder=f"rested-{version}")
    config = probing(tmp_path, rested={"enter": "gate"})
    async with kernel(tmp_path, "rested==1.0.0", config=config, **LAZY) as running:
        change = asyncio.create_task(running.enable("rested==2.0.0"))
        await reached(str(tmp_path), "rested.enter")
        call = asyncio.create_task(running.get(Greeter).greet("x"))
        await asyncio.sleep(0)
        gate(str(tmp_path), "rested.enter").set()
        await change
        assert await call == "rested greets x"
        assert JOURNAL[str(tmp_path)].count("rested.enter") == 1
        assert running.plugins()["rested"].version == "2.0.0"


async def test_a_plugin_that_is_just_being_woken_is_stopped_after_that(tmp_path: Path) -> None:
    """A change that takes a plugin away while a call wakes it lets the call be answered first."""
    noting(tmp_path, "rested")
    config = probing(tmp_path, rested={"enter": "gate"})
    async with kernel(tmp_path, "rested", config=config, **LAZY) as running:
        call = asyncio.create_task(running.get(Greeter).greet("x"))
        await reached(str(tmp_path), "rested.enter")
        change = asyncio.create_task(running.disable("rested"))
        await asyncio.sleep(0)
        gate(str(tmp_path), "rested.enter").set()
        assert await call == "rested greets x"
        await change
        assert JOURNAL[str(tmp_path)][-1] == "rested.exit"
        assert running.plugins()["rested"].state is State.DISABLED


async def test_what_stands_on_an_adapters_class_can_be_read_before_it_is_open(tmp_path: Path) -> None:
    """features are read off the class, whose code is imported for it; what an adapter makes itself is not there yet."""
    noting(tmp_path, "rested")
    code = """
        from tests.plugin_folder import Greeter

        class Hello(Greeter):
            def __init__(self) -> None:
                self.features = frozenset({"made"})
            @property
            def mood(self):
                return "good"
            async def greet(self, name, *, loud=False):
                return "made greets"
    """
    write_plugin(tmp_path, "made", code.replace("self.features", "self._features"), provides={"greeter": "Hello"})
    moody = code.replace("mood(self)", "features(self)").replace("self.features =", "self._features =")
    write_plugin(tmp_path, "moody", moody, provides={"greeter": "Hello"})
    enabled = ("rested", "made", "moody")
    config = probing(tmp_path, rested={})
    async with kernel(tmp_path, *enabled, config=config, ports={"greeter": ("rested",)}, **LAZY) as running:
        assert running.get(Greeter).features == {"polite"}
        assert running.plugins()["rested"].state is State.RESOLVED
        assert JOURNAL.get(str(tmp_path), []) == []
        assert running.get(Greeter, "made").features == frozenset()
        with pytest.raises(NotOpenYet, match=r"greeter\.features is not known yet: plugin 'moody'"):
            _ = running.get(Greeter, "moody").features
        await running.get(Greeter, "rested").greet("x")
        loaded = {each.split(".")[1] for each in sys.modules if each.startswith("hotswap_loaded.rested_")}
        assert len(loaded) == 1


async def test_leaving_while_a_plugin_is_woken_undoes_it(tmp_path: Path) -> None:
    """A kernel that is left while calls wake a plugin closes what was begun; the calls say that it is not running."""
    noting(tmp_path, "rested")
    config = probing(tmp_path, rested={"enter": "hang"})
    async with kernel(tmp_path, "rested", config=config, **LAZY) as running:
        calls = [asyncio.create_task(running.get(Greeter).greet("x")) for _ in range(2)]
        await reached(str(tmp_path), "rested.enter")
    for each in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(each, KernelNotRunning), each
        assert str(each) == "The kernel is not running: it was left before 'rested' was open."
    assert not [each for each in asyncio.all_tasks() if each.get_name().startswith("hotswap")]


async def test_boot_does_not_import_a_thousandth_plugin(tmp_path: Path) -> None:
    """However many are enabled, none is imported before it is called."""
    for number in range(50):
        greeter(tmp_path, f"plugin-{number}")
    enabled = [f"plugin-{number}" for number in range(50)]
    order = {"greeter": ("plugin-7",)}
    async with kernel(tmp_path, *enabled, ports=order, **LAZY) as running:
        assert not any(imported(each.replace("-", "_")) for each in enabled)
        assert await running.get(Greeter).greet("x") == "hello x"
        assert [each for each in enabled if imported(each.replace("-", "_"))] == ["plugin-7"]


def test_lazy_is_the_default() -> None:
    """Nobody has to ask for it."""
    assert Settings().activation == "lazy"
    assert issubclass(Clock, Port)
    assert Kernel is not None


@pytest.mark.parametrize("activation", ["lazy", "eager"])
@pytest.mark.parametrize("seed", range(6))
async def test_what_is_in_use_does_not_depend_on_who_has_asked(tmp_path: Path, seed: int, activation: str) -> None:
    """The provider in use stays when others come, whether or not anybody holds a handle or has called it."""
    source = random.Random(seed)
    names = ("ann", "bea", "cid", "dan")
    for each in names:
        greeter(tmp_path, each, each)
    first = source.choice(names)
    async with (
        kernel(tmp_path, first, activation=activation) as held,
        kernel(tmp_path, first, activation=activation) as unseen,
    ):
        handle = held.get(Greeter)
        for _ in range(12):
            plugin, step = source.choice(names), source.choice(("enable", "disable", "select", "select"))
            for each in (held, unseen):
                with suppress(HotswapError):
                    if step == "select":
                        await each.select(Greeter, plugin)
                    else:
                        await (each.enable if step == "enable" else each.disable)(plugin)
            assert held.ports()["greeter"] == unseen.ports()["greeter"]
            assert list(held.all(Greeter)) == list(unseen.all(Greeter))
        serving = held.ports()["greeter"].serving
        for call in (handle.greet("x"), unseen.get(Greeter).greet("x") if serving else handle.greet("x")):
            if serving:
                assert await call == f"{serving} x"
            else:
                with pytest.raises((PortUnfilled, PortAmbiguous)):
                    await call


async def test_nothing_is_made_of_what_rests_before_somebody_asks(tmp_path: Path) -> None:
    """A port that nobody asks for has no handle; the container has a provider for it when somebody looks there."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english", **LAZY) as running:
        assert running._wiring.slots.of_port("greeter") == []
        assert running.ports()["greeter"].serving == "english"
        assert running._wiring.slots.of_port("greeter") == []
        assert set(running.container.providers) >= {"greeter", "greeter__english"}
        assert await running.container.greeter__english().greet("x") == "hello x"
        assert running.get(Greeter) is running.container.greeter()


async def test_what_may_not_run_here_is_failed_and_the_others_rest(tmp_path: Path) -> None:
    """One plugin that asks for isolation is left out with its error; nobody counts on it."""
    for each in ("english", "french", "german"):
        greeter(tmp_path, each)
    trust = {"french": Trust.COMMUNITY}
    async with kernel(tmp_path, "english", "french", "german", trust=trust, **LAZY) as running:
        status = running.plugins()
        assert [status[each].state for each in ("english", "french", "german")] == [
            State.RESOLVED,
            State.FAILED,
            State.RESOLVED,
        ]
        assert isinstance(status["french"].error, IsolationRequired)
        assert sorted(running.all(Greeter)) == ["english", "german"]
        assert "french" not in [each.id for each in running._running.solution.plugins]
        assert running._running.providers == {"greeter": ("english", "german")}


async def test_looking_at_a_plugin_leads_nobody_elsewhere(tmp_path: Path) -> None:
    """Of two that call a provider by one name the later one is reached, whoever was looked at first."""
    for each in ("ann", "bea"):
        greeter(tmp_path, each, each, provides={"greeter": {"class": "Hello", "name": "same"}})
    for order in (("ann", "bea"), ("bea", "ann")):
        async with kernel(tmp_path, "ann", "bea", **LAZY) as running:
            for plugin in order:
                assert running._lifecycle.dormant[plugin].manifest.id == plugin
            assert await running.get(Greeter, "same").greet("x") == "bea x"


async def test_what_opens_reaches_what_comes_in_the_place_of_a_dormant_plugin(tmp_path: Path) -> None:
    """A newcomer's start that comes, by way of others, to a plugin kept asleep by its own change gets the new one."""
    through = """
        from tests.plugin_folder import Clock, Greeter

        class Ticks(Clock):
            def __init__(self, greeter: Greeter) -> None:
                self.greeter = greeter
            async def now(self):
                return await self.greeter.greet("x")
    """
    own = """
        from hotswap_ports import Plugin
        from tests.plugin_folder import Clock

        class Own(Plugin):
            def __init__(self, clock: Clock) -> None:
                self.clock = clock
            async def start(self):
                self.said = await self.clock.now()
    """
    for version in ("1.0.0", "2.0.0"):
        greeter(tmp_path, "rested", version, version=version, folder=version)
    write_plugin(tmp_path, "ticks", through, provides={"clock": "Ticks"}, requires={"greeter": ">=1"})
    write_plugin(tmp_path, "own", own, python={"class_name": "Own"}, requires={"clock": ">=2"})
    async with kernel(tmp_path, "rested<2", "ticks", open_timeout=10.0, **LAZY) as running:
        async with asyncio.timeout(5):
            await running.change(enable=["rested>=2", "own"])
        plugin: Any = running._lifecycle.instances["own"].plugin
        assert plugin.said == "2.0.0 x"


async def test_a_call_waits_only_so_long_for_a_change_that_keeps_its_plugin_asleep(tmp_path: Path) -> None:
    """A call to a dormant plugin that is replaced waits for hold_timeout, and is told what for."""
    noting(tmp_path, "rested")
    noting(tmp_path, "rested", version="2.0.0", folder="2")
    config = probing(tmp_path, rested={"enter": "gate"})
    async with kernel(tmp_path, "rested<2", config=config, hold_timeout=0.05, **LAZY) as running:
        change = asyncio.create_task(running.enable("rested>=2"))
        await reached(str(tmp_path), "rested.enter")
        with pytest.raises(HoldTimeout, match=r"greeter\.greet waited 0\.05 s for rested 1\.0\.0"):
            await running.get(Greeter).greet("x")
        gate(str(tmp_path), "rested.enter").set()
        await change
        assert await running.get(Greeter).greet("x") == "rested greets x"


async def test_what_a_change_wakes_may_need_what_it_replaces(tmp_path: Path) -> None:
    """A change that wakes a plugin, which calls while it opens what the same change replaces, is carried out."""
    clock = """
        from tests.plugin_folder import Clock, Greeter

        class Ticks(Clock):
            def __init__(self, greeter: Greeter) -> None:
                self.greeter = greeter
            async def __aenter__(self):
                self.said = await self.greeter.greet("x")
            async def __aexit__(self, *exc):
                pass
            async def now(self):
                return self.said
    """
    for version in ("1.0.0", "2.0.0"):
        greeter(tmp_path, "rested", version, version=version, folder=version)
    write_plugin(tmp_path, "ticks", clock, provides={"clock": "Ticks"}, requires={"greeter": ">=1"})
    write_plugin(tmp_path, "own", "", dependencies={"ticks": ">=1"})
    async with kernel(tmp_path, "rested<2", "ticks", open_timeout=10.0, **LAZY) as running:
        async with asyncio.timeout(5):
            await running.change(enable=["rested>=2", "own"])
        assert (str(await running.get(Clock).now()), await running.get(Greeter).greet("x")) == ("1.0.0 x", "2.0.0 x")
