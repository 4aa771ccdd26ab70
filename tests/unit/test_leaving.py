"""Plugins that leave: until they are closed they reach what leaves with them, for as long as the settings give them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from hotswap import CallEvicted, Kernel, State, TeardownFailed
from tests.plugin_folder import Clock, Greeter, gate, greeter, kernel, probing, reached, write_plugin

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
    while running.plugins()["ticker"].state is not State.DRAINING:
        await asyncio.sleep(0)
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
