"""Plans that are worked out from what a change reaches: they say what a plan made from everything says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotswap import Kernel, Plan, PluginInUse, State
from hotswap.known_solution import KnownSolution
from hotswap.planner import Planner
from tests.plugin_folder import GREETER, Clock, Greeter, greeter, kernel, settings, write_plugin

CLOCK = """
    from tests.plugin_folder import Clock, Greeter

    class Own(Clock):
        def __init__(self, greeter: Greeter) -> None: ...
        async def now(self): return 1.0
"""
CONSUMER = """
    from hotswap_ports import Plugin
    from tests.plugin_folder import Clock

    class Own(Plugin):
        def __init__(self, clock: Clock) -> None: ...
"""


def _write(root: Path) -> None:
    greeter(root, "english")
    greeter(root, "german", "hallo")
    greeter(root, "french", "salut", dependencies={"words": ">=1"})
    greeter(root, "polite", "good day", requires={"clock": {"version": ">=2", "optional": True}})
    write_plugin(root, "words", "")
    write_plugin(root, "words", "", version="2.0.0", folder="words-2")
    write_plugin(root, "needy", "", dependencies={"english": ">=1"})
    asks = {"greeter": {"version": ">=1", "rebind": "rebuild"}}
    write_plugin(root, "clock", CLOCK, provides={"clock": "Own"}, requires=asks)
    asks = {"clock": {"version": ">=2", "rebind": "rebuild"}}
    write_plugin(root, "consumer", CONSUMER, python={"class_name": "Own"}, requires=asks)


CHANGES: dict[str, dict[str, Any]] = {
    "enable": {"enable": ["german"]},
    "enable with what it needs": {"enable": ["french"]},
    "enable in another version": {"enable": ["words<2"]},
    "enable what is there": {"enable": ["english>=1"]},
    "enable what would take a port that is there": {"enable": ["polite"]},
    "disable": {"disable": ["consumer"]},
    "disable with dependants": {"disable": ["english"], "cascade": True},
    "disable what serves": {"enable": ["german"], "disable": ["needy"]},
    "select one that is closed": {"select": {Greeter: "german"}},
    "select, enable and configure": {
        "select": {Greeter: "german"}, "enable": ["words"], "configure": {"english": {"a": 1}},
    },
}  # fmt: skip


def _content(plan: Plan) -> list[object]:
    return [
        [str(each) for each in plan.steps], dict(plan.configs), plan.settings, plan.selected, dict(plan.providers),
        plan.solution.versions(), plan.revision,
    ]  # fmt: skip


async def _plans(running: Kernel, change: dict[str, Any]) -> tuple[Plan, Plan]:
    """Return the plan made from what a change reaches, and the one made from everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Planner, "solve", lambda *_, **__: pytest.fail("solved"))
        near = await running.plan(**change)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KnownSolution, "at", lambda *_: None)
        return near, await running.plan(**change)


@pytest.mark.parametrize("activation", ["eager", "lazy"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_plan_made_from_what_it_reaches_is_the_same(
    tmp_path: Path, change: dict[str, Any], activation: str
) -> None:
    """Steps with their order and reasons, settings, selection and providers are those of a plan that was solved for."""
    _write(tmp_path)
    wish = settings(tmp_path, "english", "needy", "clock", "consumer", ports={"greeter": ("english",)})
    async with Kernel(settings(tmp_path, *wish.enabled, ports=wish.ports, activation=activation),
                      ports=[Greeter, Clock], environ={}) as running:  # fmt: skip
        near, anew = await _plans(running, change)
        assert _content(near) == _content(anew)
        await running.apply(near)
        assert {key for key, each in running.plugins().items() if each.state is State.ACTIVE} <= {
            *near.solution.versions()
        }


async def test_changes_one_after_another_are_worked_out_from_each_other(tmp_path: Path) -> None:
    """After changes of every kind, one more is still planned as it would be from everything, and nothing is solved."""
    _write(tmp_path)
    async with kernel(tmp_path, "english", "needy", "clock", "consumer", ports={"greeter": ("english",)}) as running:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Planner, "solve", lambda *_, **__: pytest.fail("solved"))
            await running.enable("german")
            await running.select(Greeter, "german")
            await running.enable("french")
            await running.configure("english", {"a": 1})
            await running.enable("words<2")
            write_plugin(tmp_path, "german", GREETER.replace("{word}", "guten tag"), provides={"greeter": "Hello"},
                         dependencies={"words": ">=1"})  # fmt: skip
            await running.reload("german")
            with pytest.raises(PluginInUse, match="german, french"):
                await running.disable("words")
            await running.select(Greeter, "english")
            await running.disable("french")
            await running.disable("german")
        for change in [each for each in CHANGES.values() if "select" not in each]:  # disabled outweighs selected
            near, anew = await _plans(running, change)
            assert _content(near) == _content(anew)


async def test_a_change_that_reaches_what_could_not_be_opened_is_solved(tmp_path: Path) -> None:
    """What failed at the start is no part of the solution: a change goes on without it, and may ask for it again."""
    _write(tmp_path)
    write_plugin(tmp_path, "broken", "1 / 0")
    async with kernel(tmp_path, "english", "broken") as running:
        assert (await running.enable("german")).subjects("start") == ["german"]
        assert (await running.plan(enable=["broken"])).subjects("start") == ["broken"]
        assert (await running.disable("german")).subjects("stop") == ["german"]
