"""Plans: steps with their reasons, from what runs to a solution; dependants; selection."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.version import Version

from hotswap import PortAmbiguous, PortUnfilled, Settings, State, Step
from hotswap.dependants import dependants_of
from hotswap.manifest.model import Dependency, HostRange, Manifest, Provide, Require
from hotswap.plan import Reach, Running, make_plan, rebuild_steps
from hotswap.resolver import Solution
from hotswap.resolver.model import Chosen
from hotswap.selection import choose


def manifest(plugin: str, version: str = "1.0.0", **changes: Any) -> Manifest:
    """Return a manifest built in memory."""
    return Manifest(plugin, plugin, Version(version), version, "utility", HostRange(Version("0.1.0")), **changes)


def provider(plugin: str, port: str, version: str = "1.0.0", **changes: Any) -> Manifest:
    """Return the manifest of a provider."""
    return manifest(plugin, version, provides=(Provide(port, "C", plugin),), **changes)


def plan_of(running: list[Manifest], wanted: list[Manifest], serving: dict[str, str], **options: Any) -> list[str]:
    """Return the steps of a plan as text."""
    before = Running({each.id: each for each in running}, serving, 7)
    solution = Solution(tuple(Chosen(each.id, each.version, "wanted") for each in wanted))
    reach = Reach.of_all(before, solution, {each.id: each for each in wanted})
    settings = options.pop("settings", Settings(enabled=()))
    plan = make_plan(before, solution, settings, options.pop("renew", {}), reach)
    assert plan.revision == 7
    assert bool(plan) is bool(plan.steps)
    return str(plan).splitlines()


def test_steps_say_what_starts_stops_and_is_replaced() -> None:
    """Opening in the solution's order, stopping in the reverse of the running one, each with versions and a reason."""
    old, new = manifest("b"), manifest("b", "2.0.0")
    running = [manifest("a"), old, manifest("c"), manifest("d")]
    settings = Settings(enabled=(), disabled=("c",))
    assert plan_of(running, [manifest("a"), new, manifest("e")], {}, settings=settings, renew={"a": "reloaded"}) == [
        "replace a 1.0.0 -> 1.0.0 (reloaded)",
        "replace b 1.0.0 -> 2.0.0 (wanted)",
        "start e 1.0.0 (wanted)",
        "stop d 1.0.0 (nothing asks for it any more)",
        "stop c 1.0.0 (disabled)",
    ]
    assert plan_of([old], [old], {}) == ["Nothing to do."]
    assert str(Step("stop", "x")) == "stop x"


def test_a_port_that_leads_elsewhere_is_a_step() -> None:
    """A changed provider is named with the one before, as is a port that nobody serves any more."""
    one, two = provider("one", "p"), provider("two", "p")
    chosen = Settings(enabled=(), ports={"p": ("two",)})
    assert plan_of([one], [one, two], {"p": "one"}, settings=chosen)[1:] == [
        "select p one -> two (selected in the settings)"
    ]
    assert plan_of([one, two], [two], {"p": "one"})[0] == "select p one -> two (the next one there is)"
    assert plan_of([one], [], {"p": "one"})[0] == "select p one -> nobody (nobody else provides it)"
    assert plan_of([], [one], {}) == ["start one 1.0.0 (wanted)"]


def test_rebuilds_come_once_in_order_and_carry_on() -> None:
    """A consumer is rebuilt once, also for two ports; those that ask for what it provides follow it."""
    require = {name: Require(name, rebind="rebuild") for name in ("p", "q", "r")}
    first = provider("first", "r", requires=(require["p"], require["q"]))
    second = manifest("second", requires=(require["r"],))
    kept = manifest("kept", requires=(Require("p"), Require("r")))
    active = {each.id: each for each in (first, kept, second)}
    assert [str(each) for each in rebuild_steps(active, ["p", "q"])] == [
        "rebuild first (asks to be rebuilt when p, q changes)",
        "rebuild second (asks to be rebuilt when r changes)",
    ]
    assert rebuild_steps(active, ["p"], opened=["first"]) == []
    renewed = provider("base", "p", "2.0.0")
    steps = plan_of([provider("base", "p"), first, second], [renewed, first, second], {"p": "base", "r": "first"})
    assert steps == [
        "replace base 1.0.0 -> 2.0.0 (wanted)",
        "rebuild first (asks to be rebuilt when p changes)",
        "rebuild second (asks to be rebuilt when r changes)",
    ]


def test_dependants_are_all_that_cannot_go_on() -> None:
    """By id, by the last provider of a port, by name, and through one another; optional ones go on."""
    active = {
        each.id: each
        for each in (
            provider("base", "p"),
            provider("other", "q"),
            manifest("by-id", dependencies=(Dependency("base"),)),
            manifest("by-port", requires=(Require("p"),)),
            provider("both", "q", requires=(Require("q"),)),
            manifest("far", dependencies=(Dependency("by-id"),)),
            manifest(
                "easy", requires=(Require("p", optional=True),), dependencies=(Dependency("base", optional=True),)
            ),
            manifest("by-name", requires=(Require("q"),)),
        )
    }
    assert dependants_of({"base"}, active) == ["far", "by-port", "by-id"]
    assert dependants_of({"other"}, active) == ["by-name", "both"]
    assert dependants_of({"both"}, active, {"by-name": {"both"}}) == ["by-name"]
    assert dependants_of({"both"}, active) == []
    assert dependants_of({"unknown"}, active) == []


def test_the_provider_of_a_port() -> None:
    """Selected, else the one in use, else the next after one is gone, else the only one."""
    assert choose("p", ["a", "b"], ["c", "b"], "a") == "b"
    assert choose("p", ["a", "b"], [], "b") == "b"
    assert choose("p", ["a", "b"], [], "gone") == "a"
    assert choose("p", ["a", "b"], ["gone"], "") == "a"
    assert choose("p", ["a"], [], "") == "a"
    assert isinstance(choose("p", ["a", "b"], [], ""), PortAmbiguous)
    assert isinstance(choose("p", [], ["a"], "a"), PortUnfilled)


@pytest.mark.parametrize("state", State)
def test_a_state_says_what_it_means_and_what_may_follow(state: State) -> None:
    """Every state has a meaning and successors; only waiting recovers by itself."""
    assert state.meaning
    assert state not in state.after or state is State.WAITING
    assert state.recoverable is (state is State.WAITING)
