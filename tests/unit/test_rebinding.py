"""Consumers that ask to be rebuilt: once, in order, whatever comes together."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from hotswap import Kernel, RebuildFailed, State, TeardownFailed
from tests.plugin_folder import JOURNAL, Clock, Greeter, gate, greeter, kernel, probing, reached, write_plugin
from tests.waiting import until

CHAIN = """
    from hotswap_ports import Plugin, PluginContext
    from tests.plugin_folder import Clock, Greeter, behave

    class Ticker(Clock):
        def __init__(self, context: PluginContext, greeter: Greeter) -> None:
            self.context = context
            self.greeter = greeter
        async def __aenter__(self):
            await behave(self.context, "built")
        async def __aexit__(self, *exc):
            await behave(self.context, "left")
        async def now(self):
            return float(len(await self.greeter.greet("")))

    class Second(Plugin):
        def __init__(self, context: PluginContext, clock: Clock) -> None:
            self.context = context
            self.clock = clock
        async def start(self):
            self.value = await self.clock.now()
            await behave(self.context, "built")
"""
REBUILD = {"version": ">=1", "rebind": "rebuild"}


def chain(root: Path) -> None:
    """Write two providers of greeter, a clock rebuilt with greeter, and a plugin rebuilt with the clock."""
    greeter(root, "english")
    greeter(root, "german", "hallo du")
    grants = {"config_access": True}
    write_plugin(root, "first", CHAIN, provides={"clock": "Ticker"}, requires={"greeter": REBUILD}, capabilities=grants)
    write_plugin(
        root, "second", CHAIN, python={"class_name": "Second"}, requires={"clock": REBUILD}, capabilities=grants
    )


def chained(root: Path, **changes: Any) -> Kernel:
    """Return a kernel over that chain."""
    chain(root)
    config = {**probing(root, first={}, second={}), **changes.pop("config", {})}
    enabled = ("english", "german", "first", "second")
    return kernel(root, *enabled, config=config, ports={"greeter": ("english",)}, **changes)


async def test_ten_swaps_within_a_moment_rebuild_each_consumer_once_and_in_order(tmp_path: Path) -> None:
    """Ten swaps that land together rebuild a chain of consumers once, what is consumed before what consumes it."""
    async with chained(tmp_path) as running:
        JOURNAL[str(tmp_path)].clear()
        names = ["german", "english"] * 4 + ["english", "german"]
        await asyncio.gather(*(running.select(Greeter, each) for each in names))
        built = [each for each in JOURNAL[str(tmp_path)] if each.endswith(".built")]
        assert built == ["first.built", "second.built"]
        second: Any = running._lifecycle.instances["second"].plugin
        assert second.value == 9.0
        assert await running.get(Clock).now() == 9.0


async def test_swaps_one_after_another_are_each_seen_when_they_return(tmp_path: Path) -> None:
    """Who waits for a swap finds its consumers rebuilt."""
    async with chained(tmp_path) as running:
        for name, value in (("german", 9.0), ("english", 6.0)):
            await running.select(Greeter, name)
            second: Any = running._lifecycle.instances["second"].plugin
            assert second.value == value
        assert JOURNAL[str(tmp_path)].count("second.built") == 3


async def test_swaps_go_on_while_consumers_are_rebuilt_and_old_ones_drain(tmp_path: Path) -> None:
    """A call that is long inside what was replaced holds no other swap up."""
    config = {"english": {"journal": str(tmp_path)}}
    async with chained(tmp_path, config=config) as running:
        await running.configure("first", {"left": "gate"})
        swap = asyncio.create_task(running.select(Greeter, "german"))
        await reached(str(tmp_path), "first.left")
        await running.configure("german", {"x": 1})
        assert not swap.done()
        gate(str(tmp_path), "first.left").set()
        await swap


async def test_a_consumer_that_was_opened_anew_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """A consumer that another change opens anew before its rebuild has seen the swap already."""
    async with chained(tmp_path) as running:
        JOURNAL[str(tmp_path)].clear()
        swap = asyncio.create_task(running.select(Greeter, "german"))
        await until(lambda: running.ports()["greeter"].serving == "german")
        await running.change(configure={"first": {"a": 1}, "second": {"a": 1}})
        await swap
        assert JOURNAL[str(tmp_path)].count("first.built") == 1
        assert JOURNAL[str(tmp_path)].count("second.built") == 1
        second: Any = running._lifecycle.instances["second"].plugin
        assert second.value == 9.0
        assert repr(second.clock) == repr(running.get(Clock))


FAILING = """
    from hotswap_ports import PluginContext
    from tests.plugin_folder import Clock, Greeter

    class Ticker(Clock):
        def __init__(self, context: PluginContext, greeter: Greeter) -> None:
            self.context = context
            self.greeter = greeter
        async def __aenter__(self):
            self.length = len(await self.greeter.greet(""))
            if self.length > 6 and FILE.exists():
                raise ValueError("no clock here")
        async def __aexit__(self, *exc):
            pass
        async def now(self):
            return float(self.length)
"""


async def test_a_consumer_that_cannot_be_rebuilt_goes_on_and_says_so(tmp_path: Path) -> None:
    """The error names the consumer, what became of it and why; why() knows it; the next selection tries again."""
    chain(tmp_path)
    trouble = tmp_path / "trouble"
    code = FAILING.replace("FILE", f"__import__('pathlib').Path({str(trouble)!r})")
    write_plugin(tmp_path, "failing", code, provides={"clock": "Ticker"}, requires={"greeter": REBUILD})
    enabled = ("english", "german", "failing", "second")
    chosen = {"greeter": ("english",)}
    async with kernel(tmp_path, *enabled, config=probing(tmp_path, second={}), ports=chosen) as running:
        clock = running.get(Clock)
        trouble.touch()
        with pytest.raises(TeardownFailed, match="The change is in force, with 1 error") as failed:
            await running.select(Greeter, "german")
        (error,) = failed.value.exceptions
        assert isinstance(error, RebuildFailed)
        assert error.plugin == "failing"
        assert "'failing' could not be rebuilt after the swap, and goes on as it was: PLUG-003" in str(error)
        assert "ValueError: no clock here" in str(failed.value)
        assert "next selection" in failed.value.hint
        assert running.ports()["greeter"].serving == "german"
        assert running.plugins()["failing"].state is State.ACTIVE
        assert "could not be rebuilt after a swap, and goes on as it was" in str(running.why("failing"))
        assert await clock.now() == 6.0

        with pytest.raises(TeardownFailed, match="no clock here"):
            await running.select(Greeter, "german")
        trouble.unlink()
        assert "rebuild failing" in str(await running.plan(select={Greeter: "german"}))
        await running.select(Greeter, "german")
        assert await clock.now() == 9.0
        assert "rebuilt" not in str(running.why("failing"))
        second: Any = running._lifecycle.instances["second"].plugin
        assert second.value == 9.0
        assert not await running.select(Greeter, "german")


async def test_nothing_of_an_old_generation_stays_reachable(tmp_path: Path) -> None:
    """After swaps with rebuilt consumers no object of an old generation is alive."""
    async with chained(tmp_path) as running:
        old: list[weakref.ref[Any]] = []
        for plugin in ("english", "first", "second"):
            instance = running._lifecycle.instances[plugin]
            old += [weakref.ref(each) for each in (instance, instance.context, instance.prepared.loaded.module)]
            old += [weakref.ref(each.target) for each in instance.generations]
            old += [weakref.ref(instance.plugin)]
            del instance
        await running.configure("english", {"a": 1})
        await running.change(select={Greeter: "german"}, configure={"german": {"a": 1}})
        for _ in range(3):
            await asyncio.sleep(0)
            gc.collect()
        assert [each() for each in old] == [None] * len(old)


async def test_leaving_ends_a_rebuild_that_waits(tmp_path: Path) -> None:
    """A kernel that is left before its consumers are rebuilt rebuilds none; who waited for the swap is told."""
    async with chained(tmp_path) as running:
        swap = asyncio.create_task(running.select(Greeter, "german"))
        await until(lambda: running.ports()["greeter"].serving == "german")
    results = await asyncio.gather(swap, return_exceptions=True)
    assert "it was left before this change was done" in str(results[0])
    assert JOURNAL[str(tmp_path)].count("first.built") == 1


async def test_a_plugin_that_is_disabled_while_it_drains_can_be_enabled_at_once(tmp_path: Path) -> None:
    """A change does not wait for what an earlier one drains; one that cannot be open twice does."""
    from tests.plugin_folder import probe

    provides = {"greeter": {"class": "Hello", "exclusive": True}}
    probe(tmp_path, "own", provides=provides)
    probe(tmp_path, "shared")
    config = probing(tmp_path, own={"greet": "gate"}, shared={"greet": "gate"})
    async with kernel(tmp_path, "own", "shared", config=config, ports={"greeter": ("own",)}) as running:
        calls = [asyncio.create_task(running.get(Greeter, each).greet("x")) for each in ("own", "shared")]
        await reached(str(tmp_path), "own.greet")
        await reached(str(tmp_path), "shared.greet")
        leaving = [asyncio.create_task(running.disable(each)) for each in ("own", "shared")]
        await until(lambda: State.ACTIVE not in {running.plugins()[each].state for each in ("own", "shared")})
        await running.enable("shared")
        again = asyncio.create_task(running.enable("own"))
        await until(lambda: running.plugins()["own"].state is State.LOADING)
        for _ in range(50):
            await asyncio.sleep(0)
        assert JOURNAL[str(tmp_path)].count("own.initialize") == 1
        gate(str(tmp_path), "own.greet").set()
        gate(str(tmp_path), "shared.greet").set()
        await asyncio.gather(again, *leaving, *calls)
        assert running.plugins()["own"].state is State.ACTIVE
        assert running.plugins()["shared"].state is State.ACTIVE
        order = [each for each in JOURNAL[str(tmp_path)] if each in ("own.undo", "own.initialize")]
        assert order == ["own.initialize", "own.undo", "own.initialize"]
