"""Plugins that leave: until they are closed they reach what leaves with them, for as long as the settings give them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from loguru import logger

from hotswap import CallEvicted, Kernel, State, TeardownFailed, WouldDeadlock
from hotswap_ports import HookEvent
from tests.plugin_folder import Clock, Greeter, gate, greeter, kernel, probing, reached, write_plugin
from tests.waiting import until

TICKER = """
    from collections.abc import Mapping
    from hotswap_ports import Plugin, PluginContext
    from tests.plugin_folder import Clock, Greeter, behave

    class Ticker(Clock):
        def __init__(self, context: PluginContext, greeters: Mapping[str, Greeter]) -> None:
            self.greeters = greeters
            self.context = context
        async def now(self):
            await behave(self.context, "now")
            return float(await self.found())
        async def found(self):
            raise NotImplementedError
        async def __aenter__(self):
            return self
        async def __aexit__(self, *exc):
            await self.found()
            await behave(self.context, "closed")
"""
MAPPING = """
    class Own(Ticker):
        async def found(self):
            assert list(self.greeters) == ["english", "french"]
            return len([await each.greet("x") for each in self.greeters.values()])
"""
STORAGE = """
    class Own(Ticker):
        async def found(self):
            await self.context.storage.put("seen", b"1")
            return len(self.greeters)
"""


def ticker(root: Path, code: str, **tables: Any) -> None:
    """Write a plugin that provides the port ``clock`` and waits in its method."""
    capabilities = {"config_access": True, **tables.pop("capabilities", {})}
    write_plugin(root, "ticker", TICKER + code, provides={"clock": "Own"}, capabilities=capabilities, **tables)


async def drained(running: Kernel, root: Path, *plugins: str) -> float:
    """Disable plugins while a call is inside the ticker; return what that answers."""
    call = asyncio.create_task(running.get(Clock).now())
    await reached(str(root), "ticker.now")
    change = asyncio.create_task(running.change(disable=plugins, cascade=True))
    await until(lambda: running.plugins()["ticker"].state is State.DRAINING)
    gate(str(root), "ticker.now").set()
    answer = await call
    await change
    return answer


@pytest.mark.parametrize("staying", [False, True])
async def test_a_mapping_has_what_leaves_with_the_plugin_that_it_was_given_to(tmp_path: Path, staying: bool) -> None:
    """Providers that are looked at for the first time after the switch are there until the plugin is closed."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "french", "salut")
    ticker(tmp_path, MAPPING, requires={"greeter": ">=1"})
    config = probing(tmp_path, ticker={"now": "gate"})
    selected = {"greeter": ("english",)}
    async with kernel(tmp_path, "english", "french", "ticker", config=config, ports=selected) as running:
        leaving = ["ticker", "french"] if staying else ["ticker", "english", "french"]
        assert await drained(running, tmp_path, *leaving) == 2.0
        assert list(running.all(Greeter)) == (["english"] if staying else [])


async def test_the_context_hands_out_what_leaves_with_its_plugin(tmp_path: Path) -> None:
    """A storage that is used for the first time after the switch is there until the plugin is closed."""
    ticker(tmp_path, STORAGE, requires={"storage": ">=1", "greeter": ">=1"}, capabilities={"storage_access": True})
    greeter(tmp_path, "english")
    config, selected = probing(tmp_path, ticker={"now": "gate"}), {"storage": ("memory",)}
    async with kernel(tmp_path, "english", "memory", "ticker", config=config, ports=selected) as running:
        assert await drained(running, tmp_path, "memory") == 1.0


async def test_the_drain_timeout_in_force_counts(tmp_path: Path) -> None:
    """It was edited after the plugin was opened, and ends the calls in it all the same."""
    greeter(tmp_path, "english")
    ticker(tmp_path, MAPPING, requires={"greeter": ">=1"})
    config = probing(tmp_path, ticker={"now": "hang"})
    async with kernel(tmp_path, "english", "ticker", config=config, drain_timeout=600.0) as running:
        call = asyncio.create_task(running.get(Clock).now())
        await reached(str(tmp_path), "ticker.now")
        await running.change(settings=evolve(running.settings, drain_timeout=0.01))
        with pytest.raises(TeardownFailed, match=r"did not leave 'ticker 1\.0\.0' within 0\.01 s"):
            await running.disable("ticker")
        with pytest.raises(CallEvicted):
            await call


@pytest.mark.parametrize("closes", ["", "raise"])
async def test_a_change_asked_for_within_a_call_of_what_leaves_does_not_wait_for_it(
    tmp_path: Path, closes: str
) -> None:
    """Whoever asks goes on after the switch, others wait for the end; what goes wrong after the switch is logged."""
    greeter(tmp_path, "english")
    ticker(tmp_path, MAPPING.replace('["english", "french"]', '["english"]'), requires={"greeter": ">=1"})
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="WARNING")
    config = probing(tmp_path, ticker={"closed": closes})
    others: list[asyncio.Task[Any]] = []
    async with kernel(tmp_path, "english", "ticker", config=config) as running:

        async def ask(event: HookEvent) -> None:
            if not others:
                others.append(asyncio.create_task(running.disable("ticker")))
                await asyncio.sleep(0)
                plan = await running.disable("ticker")
                assert plan.subjects("stop") == ["ticker"]
                assert running.plugins()["ticker"].state is State.DRAINING
                assert not others[0].done()

        running.on("pre_greeter.greet", ask)
        async with asyncio.timeout(5):
            assert await running.get(Clock).now() == 1.0
            [outcome] = await asyncio.gather(*others, return_exceptions=True)
        assert [each.error for each in running.hooks.record.failures] == []
        assert isinstance(outcome, TeardownFailed) is bool(closes)
        assert running.plugins()["ticker"].state is State.DISABLED
    logger.remove(sink)
    logged = [each for each in said if each.startswith("A change that a call had asked for ended with an error")]
    assert len(logged) == bool(closes)


async def test_a_consumer_may_ask_for_what_rebuilds_it(tmp_path: Path) -> None:
    """It is rebuilt when the call that asked has left."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "french", "salut")
    ticker(tmp_path, MAPPING, requires={"greeter": {"version": ">=1", "rebind": "rebuild"}})
    asked: list[str] = []
    selected = {"greeter": ("english",)}
    async with kernel(tmp_path, "english", "french", "ticker", ports=selected) as running:
        number = running._lifecycle.instances["ticker"].number

        async def ask(event: HookEvent) -> None:
            if not asked:
                asked.append("once")
                await running.reload("english")

        running.on("pre_greeter.greet", ask)
        async with asyncio.timeout(5):
            await running.get(Clock).now()
            while running._lifecycle.instances["ticker"].number == number:
                await asyncio.sleep(0.01)
            while running._lifecycle._leaving:
                await asyncio.sleep(0.01)


async def test_what_has_to_be_empty_first_is_not_replaced_from_within(tmp_path: Path) -> None:
    """A plugin that cannot be open twice would wait for the call that asks: it is refused, and the call goes on."""
    greeter(tmp_path, "english")
    capabilities = {"config_access": True}
    code = TICKER + MAPPING.replace('["english", "french"]', '["english"]')
    provides = {"clock": {"class": "Own", "exclusive": True}}
    write_plugin(tmp_path, "ticker", code, provides=provides, requires={"greeter": ">=1"}, capabilities=capabilities)
    refused: list[str] = []
    async with kernel(tmp_path, "english", "ticker", config=probing(tmp_path, ticker={})) as running:

        async def ask(event: HookEvent) -> None:
            with pytest.raises(WouldDeadlock, match="'ticker' cannot be replaced while calls are inside") as error:
                await running.reload("ticker")
            refused.append(error.value.hint)

        off = running.on("pre_greeter.greet", ask)
        async with asyncio.timeout(5):
            assert await running.get(Clock).now() == 1.0
            assert len(refused) == 1
            off()
            await running.reload("ticker")
            assert await running.get(Clock).now() == 1.0


@pytest.mark.parametrize("code", [MAPPING, "HANDLE"])
async def test_what_leaves_and_was_never_called_is_reached_as_well(tmp_path: Path, code: str) -> None:
    """A provider that rests is opened when a plugin that leaves with it may still call it."""
    handle = """
        from tests.plugin_folder import Clock, Greeter, behave
        from hotswap_ports import PluginContext

        class Own(Clock):
            def __init__(self, context: PluginContext, greeter: Greeter) -> None:
                self.context, self.greeter = context, greeter
            async def now(self):
                await behave(self.context, "now")
                return float(len(await self.greeter.greet("x")))
    """
    greeter(tmp_path, "english")
    tables: dict[str, Any] = {"provides": {"clock": "Own"}, "requires": {"greeter": ">=1"}}
    source = handle if code == "HANDLE" else TICKER + code.replace('["english", "french"]', '["english"]')
    write_plugin(tmp_path, "ticker", source, capabilities={"config_access": True}, **tables)
    config = probing(tmp_path, ticker={"now": "gate"})
    async with kernel(tmp_path, "english", "ticker", config=config, activation="lazy") as running:
        call = asyncio.create_task(running.get(Clock).now())
        await reached(str(tmp_path), "ticker.now")
        assert running.plugins()["english"].state is State.RESOLVED
        change = asyncio.create_task(running.disable("english", cascade=True))
        await until(lambda: running.plugins()["ticker"].state is State.DRAINING)
        gate(str(tmp_path), "ticker.now").set()
        assert await call == (7.0 if code == "HANDLE" else 1.0)
        await change
        states = {each: running.plugins()[each].state for each in ("english", "ticker")}
        assert set(states.values()) == {State.DISABLED}
