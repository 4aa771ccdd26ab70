"""Many changes at once, and the way back."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from hotswap import NothingToRollBack, PluginInitFailed, PluginNotFound, State
from hotswap.changes import KEPT
from tests.plugin_folder import Clock, Greeter, greeter, kernel, probe, probing, write_plugin

TICKS = """
    from tests.plugin_folder import Clock

    class Ticks(Clock):
        async def now(self):
            return VALUE
"""


async def test_a_change_of_many_plugins_is_switched_together(tmp_path: Path) -> None:
    """Enabling, disabling, selecting and configuring in one change: one failure, and all of it is as it was."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    probe(tmp_path, "own")
    write_plugin(tmp_path, "ticks", TICKS.replace("VALUE", "1.0"), provides={"clock": "Ticks"})
    config = probing(tmp_path, own={"start": "raise"})
    async with kernel(tmp_path, "english", config=config, ports={"greeter": ("english",)}) as running:
        before = running.settings
        with pytest.raises(PluginInitFailed):
            await running.change(
                enable=["german", "ticks", "own"], disable=["english"], select={Greeter: "german"},
                configure={"german": {"a": 1}},
            )  # fmt: skip
        assert running.settings == before
        assert running.history == ()
        assert running.ports()["greeter"].providers == ("english",)
        plan = await running.change(enable=["german", "ticks"], disable=["english"], select={Greeter: "german"})
        assert [str(each).split(" (")[0] for each in plan.steps] == [
            "start german 1.0.0",
            "start ticks 1.0.0",
            "select greeter english -> german",
            "stop english 1.0.0",
        ]
        assert await running.get(Greeter).greet("x") == "hallo x"
        assert await running.get(Clock).now() == 1.0
        assert running.plugins()["english"].state is State.DISABLED


async def test_settings_take_the_place_of_those_in_force(tmp_path: Path) -> None:
    """A change to other settings opens, closes, selects and configures what differs, and nothing else."""
    probe(tmp_path, "own")
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    config = probing(tmp_path, own={})
    async with kernel(tmp_path, "own", "english", config=config, ports={"greeter": ("own",)}) as running:
        new = attrs.evolve(
            running.settings, enabled=("own", "german"), ports={"greeter": ("german",)},
            config={"own": {**config["own"], "b": 2}},
        )  # fmt: skip
        plan = await running.plan(settings=new)
        assert sorted(plan.subjects("start", "replace", "stop")) == ["english", "german", "own"]
        await running.change(settings=new)
        assert running.settings == new
        assert await running.get(Greeter).greet("x") == "hallo x"
        assert not (await running.change(settings=new)).steps


async def test_rolling_back_returns_to_the_solution_before_and_again_forth(tmp_path: Path) -> None:
    """rollback() returns to what stood before the last change, versions and settings; a second one goes forth again."""
    for version, word in (("1.0.0", "old"), ("2.0.0", "new")):
        greeter(tmp_path, "english", word, version=version, folder=f"english-{version}")
    greeter(tmp_path, "german", "hallo")
    async with kernel(tmp_path, "english==1.0.0") as running:
        handle = running.get(Greeter)
        with pytest.raises(NothingToRollBack, match="nothing was changed yet"):
            await running.rollback()
        first = running.settings
        await running.enable("english==2.0.0")
        assert await handle.greet("x") == "new x"
        await running.rollback()
        assert await handle.greet("x") == "old x"
        assert running.settings == first
        await running.rollback()
        assert await handle.greet("x") == "new x"
        await running.enable("german")
        await running.select(Greeter, "german")
        assert await handle.greet("x") == "hallo x"
        await running.rollback(running.history[0].revision)
        assert await handle.greet("x") == "old x"
        assert running.plugins()["german"].state is State.DISABLED
        with pytest.raises(NothingToRollBack, match="revision 999 is not kept"):
            await running.rollback(999)


async def test_the_last_fifty_states_are_kept(tmp_path: Path) -> None:
    """A kernel remembers fifty states, the oldest goes first; what changes nothing is no state."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        for number in range(KEPT + 5):
            await running.configure("english", {"number": number})
        await running.select(Greeter, "english")
        await running.select(Greeter, "english")
        assert len(running.history) == KEPT
        oldest = running.history[0]
        await running.rollback(oldest.revision)
        assert running.settings == oldest.settings


async def test_a_version_that_is_gone_cannot_be_gone_back_to(tmp_path: Path) -> None:
    """Going back to a version that is not on this machine any more is refused, and names it."""
    for version in ("1.0.0", "2.0.0"):
        greeter(tmp_path, "english", version, version=version, folder=f"english-{version}")
    async with kernel(tmp_path, "english==1.0.0") as running:
        await running.enable("english==2.0.0")
        (tmp_path / "english-1.0.0" / "plugin.toml").unlink()
        await running.reload("english")
        with pytest.raises(PluginNotFound, match=r"english 1\.0\.0"):
            await running.rollback(running.history[0].revision)
        assert await running.get(Greeter).greet("x") == "2.0.0 x"


async def test_a_rollback_that_fails_leaves_everything(tmp_path: Path) -> None:
    """When the old version cannot be opened any more the new one goes on."""
    for version in ("1.0.0", "2.0.0"):
        greeter(tmp_path, "english", version, version=version, folder=f"english-{version}")
    async with kernel(tmp_path, "english==1.0.0") as running:
        await running.enable("english==2.0.0")
        (tmp_path / "english-1.0.0" / "code.py").write_text("1 / 0")
        with pytest.raises(Exception, match="ZeroDivisionError"):
            await running.rollback()
        assert await running.get(Greeter).greet("x") == "2.0.0 x"
        assert running.settings.enabled == ("english==2.0.0",)
