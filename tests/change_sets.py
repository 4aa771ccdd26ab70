"""A kernel under random change sets with injected faults, and a model of it that must agree after each.

The model knows the plugins' dependencies and nothing of the kernel: what is open follows from what is enabled, and a
change either happens wholly or not at all. What it does not know is whether a fault was met: that the faults themselves
record.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import hypothesis.strategies as st
from attrs import define, evolve, field
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hotswap import HotswapError, Kernel, State, TeardownFailed
from hotswap_ports import NotReady, Port
from tests.plugin_folder import Clock, Greeter, settings, write_plugin

T = TypeVar("T")

FAULTS: dict[str, str] = {}
"""Plugin -> the step at which it fails next, once."""
MET: list[str] = []
"""Faults that were met: ``plugin.step``."""
OPEN: dict[str, int] = {}
"""Plugin -> how many of its adapters are open."""

OPENING = ("import", "adapter", "initialize", "enter", "start", "health", "restore")
CLOSING = ("stop", "exit", "cleanup")
CODE = """
    from hotswap_ports import Plugin, PluginContext
    from tests import change_sets
    from tests.plugin_folder import Clock, Greeter

    VERSION = "{version}"
    change_sets.meet("{id}", "import")

    class Adapter({port}):
        def __init__(self, context: PluginContext{needs}) -> None:
            change_sets.meet("{id}", "adapter")
            self.closed = False
            self.count = 0
        async def __aenter__(self):
            change_sets.meet("{id}", "enter")
            change_sets.OPEN["{id}"] = change_sets.OPEN.get("{id}", 0) + 1
            assert change_sets.OPEN["{id}"] <= {most}, "opened beside itself"
        async def __aexit__(self, *exc):
            change_sets.OPEN["{id}"] -= 1
            self.closed = True
            change_sets.meet("{id}", "exit")
        async def greet(self, name, *, loud=False):
            assert not self.closed
            self.count += 1
            return "{id} " + VERSION
        async def now(self):
            assert not self.closed
            return float(VERSION[0])
        {state}

    class Own(Plugin):
        async def initialize(self, context):
            change_sets.meet("{id}", "initialize")
        async def start(self):
            change_sets.meet("{id}", "start")
        async def health(self):
            change_sets.meet("{id}", "health")
            return await super().health()
        async def stop(self):
            change_sets.meet("{id}", "stop")
        async def cleanup(self):
            change_sets.meet("{id}", "cleanup")
"""
STATE = """
        async def snapshot(self):
            return self.count
        async def restore(self, state, from_version):
            change_sets.meet("{id}", "restore")
            self.count = state
"""


def meet(plugin: str, step: str) -> None:
    """Fail here if that is what was asked for; once, so that going back meets no fault."""
    if FAULTS.get(plugin) == step:
        del FAULTS[plugin]
        MET.append(f"{plugin}.{step}")
        raise RuntimeError(f"a fault in {step}")


@define
class Kind:
    """What the model knows of a plugin."""

    port: str
    depends: tuple[str, ...] = ()
    exclusive: bool = False
    stateful: bool = False
    requires: dict[str, Any] = field(factory=dict)


PLUGINS = {
    "ann": Kind("greeter"),
    "bob": Kind("greeter", exclusive=True),
    "cleo": Kind("greeter", stateful=True),
    "dora": Kind("greeter", exclusive=True, stateful=True, depends=("ann",)),
    "ernest": Kind("clock", depends=("bob",)),
    "flora": Kind("clock", requires={"greeter": {"version": ">=1", "rebind": "rebuild", "optional": True}}),
}
VERSIONS = ("1.0.0", "2.0.0")
STEPS = st.none() | st.sampled_from((*OPENING, *CLOSING))
"""Where the plugin that is asked for is to fail; None: nowhere."""


def write_all(root: Path) -> None:
    """Write every plugin in every version."""
    for plugin, kind in PLUGINS.items():
        for version in VERSIONS:
            code = CODE.replace("{state}", STATE if kind.stateful else "pass").replace("{id}", plugin)
            code = code.replace("{version}", version).replace("{port}", kind.port.title())
            code = code.replace("{needs}", ", greeter: Greeter | None" if kind.requires else "")
            code = code.replace("{most}", "1" if kind.exclusive else "2")
            provides = {kind.port: {"class": "Adapter", "exclusive": kind.exclusive}}
            write_plugin(
                root, plugin, code, version=version, folder=f"{plugin}-{version}", provides=provides,
                python={"class_name": "Own"}, dependencies=dict.fromkeys(kind.depends, ">=1"), requires=kind.requires,
            )  # fmt: skip


@define
class Model:
    """What should be so."""

    enabled: dict[str, str | None] = field(factory=dict)
    """Plugin -> the version asked for; None for any."""
    disabled: set[str] = field(factory=set)
    ports: dict[str, str] = field(factory=dict)
    """Which provider was selected; it is wanted by that."""
    versions: dict[str, str] = field(factory=dict)
    """What is open."""

    def needed(self) -> set[str]:
        """Return what has to be open: what is enabled, and what that depends on."""
        found: set[str] = set()
        todo = [each for each in (*self.enabled, *self.ports.values()) if each not in self.disabled]
        while todo:
            plugin = todo.pop()
            if plugin not in found:
                found.add(plugin)
                todo += PLUGINS[plugin].depends
        return found

    def dependants(self, plugin: str) -> set[str]:
        """Return the open plugins that cannot go on without one."""
        direct = {each for each in self.versions if plugin in PLUGINS[each].depends}
        return direct | {far for each in direct for far in self.dependants(each)}


class ChangeSets(RuleBasedStateMachine):
    """Random changes, one after another."""

    made: ClassVar[int] = 0
    met: ClassVar[int] = 0
    """How many changes were made, and faults met, by all of them."""

    def __init__(self) -> None:
        super().__init__()
        FAULTS.clear()
        OPEN.clear()
        self.loop = asyncio.new_event_loop()
        self.root = Path(tempfile.mkdtemp(prefix="hotswap-change-sets-"))
        self.model = Model()
        self.numbers = itertools.count()
        write_all(self.root)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the machine's loop."""
        return self.loop.run_until_complete(asyncio.wait_for(work, 30))

    @initialize(first=st.sampled_from(sorted(PLUGINS)))
    def boot(self, first: str) -> None:
        """Start with one plugin."""
        self.kernel = Kernel(settings(self.root, first), ports=[Greeter, Clock], environ={})
        self.model.enabled[first] = None
        self.run(self.kernel.__aenter__())
        self.greeter, self.clock = self._handles()
        self.model.versions = self._open()

    def _handles(self) -> tuple[Greeter, Clock]:
        async def get() -> tuple[Greeter, Clock]:
            wiring = self.kernel._wiring
            found: list[Port] = [wiring.slot(each, None, "").handle() for each in (Greeter, Clock)]
            greeter, clock = found
            assert isinstance(greeter, Greeter)
            assert isinstance(clock, Clock)
            return greeter, clock

        return self.run(get())

    def _open(self) -> dict[str, str]:
        return {key: each.version for key, each in self.kernel.plugins().items() if each.state is State.ACTIVE}

    def _let_fail(self, plugin: str, fault: str | None) -> None:
        if fault is not None:
            FAULTS[plugin] = fault

    def _attempt(self, work: Coroutine[Any, Any, Any], wish: Model, *, solves: bool = True) -> None:
        """Make a change, and hold the kernel to the wish or to what was before.

        One that does not solve leaves open what nobody needs any more, until one does.
        """
        MET.clear()
        before, settings_before = dict(self.model.versions), self.kernel.settings
        failed: Exception | None = None
        try:
            self.run(work)
        except TeardownFailed:
            assert MET
        except (HotswapError, NotReady) as error:
            failed = error
        ChangeSets.made += 1
        ChangeSets.met += len(MET)
        now = self._open()
        if failed is not None:
            assert now == before, f"neither old nor new after {failed!r}"
            assert self.kernel.settings == settings_before
            assert MET, f"refused without a fault: {failed!r}"
        else:
            self.model = evolve(wish, versions=now)
            idle = set() if solves else set(before) - self.model.needed()
            assert set(now) == self.model.needed() | idle
            for plugin, version in wish.enabled.items():
                assert version is None or plugin not in now or now[plugin] == version
        FAULTS.clear()

    @rule(plugin=st.sampled_from(sorted(PLUGINS)), step=st.sampled_from((*OPENING, *CLOSING)))
    def a_fault_waits(self, plugin: str, step: str) -> None:
        """Let a plugin fail at a step of the next change, if it comes there."""
        FAULTS[plugin] = step

    @rule(plugin=st.sampled_from(sorted(PLUGINS)), version=st.sampled_from((None, *VERSIONS)), fault=STEPS)
    def enable(self, plugin: str, version: str | None, fault: str | None) -> None:
        """Enable a plugin, upgrade or downgrade it."""
        self._let_fail(plugin, fault)
        disabled = self.model.disabled - {plugin, *PLUGINS[plugin].depends}
        if set(PLUGINS[plugin].depends) & self.model.disabled:
            return  # refused by the resolver, which other tests hold to account
        wish = evolve(self.model, enabled={**self.model.enabled, plugin: version}, disabled=disabled)
        self._attempt(self.kernel.enable(plugin if version is None else f"{plugin}=={version}"), wish)

    @rule(plugin=st.sampled_from(sorted(PLUGINS)), fault=STEPS)
    def disable(self, plugin: str, fault: str | None) -> None:
        """Disable a plugin with what depends on it."""
        self._let_fail(plugin, fault)
        if plugin not in self.model.versions:
            return
        gone = {plugin, *self.model.dependants(plugin)}
        enabled = {key: each for key, each in self.model.enabled.items() if key not in gone}
        ports = {port: each for port, each in self.model.ports.items() if each not in gone}
        wish = evolve(self.model, enabled=enabled, disabled=self.model.disabled | gone, ports=ports)
        self._attempt(self.kernel.disable(plugin, cascade=True), wish)

    @rule(data=st.data())
    def select(self, data: st.DataObject) -> None:
        """Let a port lead to another open provider."""
        port = data.draw(st.sampled_from(("greeter", "clock")))
        names = sorted(each for each in self.model.versions if PLUGINS[each].port == port)
        if names:
            name = data.draw(st.sampled_from(names))
            wish = evolve(self.model, ports={**self.model.ports, port: name})
            self._attempt(self.kernel.select(port, name), wish, solves=False)
            if not MET:
                assert self.kernel.ports()[port].serving == name

    @rule(plugin=st.sampled_from(sorted(PLUGINS)), reload=st.booleans(), fault=STEPS)
    def renew(self, plugin: str, reload: bool, fault: str | None) -> None:
        """Give an open plugin other settings, or read its code anew."""
        self._let_fail(plugin, fault)
        if plugin in self.model.versions:
            values = {"number": next(self.numbers)}
            work = self.kernel.reload(plugin) if reload else self.kernel.configure(plugin, values)
            self._attempt(work, self.model, solves=reload)

    @rule(
        on=st.lists(st.sampled_from(sorted(PLUGINS)), max_size=3, unique=True),
        configured=st.lists(st.sampled_from(sorted(PLUGINS)), max_size=3, unique=True),
        version=st.sampled_from((None, *VERSIONS)),
        fault=STEPS,
    )
    def many(self, on: list[str], configured: list[str], version: str | None, fault: str | None) -> None:
        """Change many plugins at once; the last of them may fail."""
        for plugin in [*on, *configured][-1:]:
            self._let_fail(plugin, fault)
        depends = {far for each in on for far in PLUGINS[each].depends}
        if (depends - set(on)) & self.model.disabled:
            return
        wish = evolve(
            self.model, enabled={**self.model.enabled, **dict.fromkeys(on, version)},
            disabled=self.model.disabled - set(on),
        )  # fmt: skip
        entries = [each if version is None else f"{each}=={version}" for each in on]
        values = {each: {"number": next(self.numbers)} for each in configured if each in self.model.versions}
        self._attempt(self.kernel.change(enable=entries, configure=values), wish)

    @rule()
    def go_back(self) -> None:
        """Return to what stood before the last change."""
        if not self.kernel.history:
            return
        past = self.kernel.history[-1].settings
        enabled: dict[str, str | None] = {}
        for entry in past.enabled:
            name, _, version = entry.partition("==")
            enabled[name] = version or None
        ports = {port: names[0] for port, names in past.ports.items()}
        wish = evolve(self.model, enabled=enabled, disabled=set(past.disabled), ports=ports)
        self._attempt(self.kernel.rollback(), wish)

    @invariant()
    def calls_are_answered_by_what_is_open(self) -> None:
        """Whoever serves is open, and in the version that the model knows."""
        if not hasattr(self, "kernel"):
            return
        serving = self.kernel.ports()["greeter"].serving
        greeters = {each for each in self.model.versions if PLUGINS[each].port == "greeter"}
        if serving:
            assert self.run(self.greeter.greet("x")) == f"{serving} {self.model.versions[serving]}"
        else:
            assert len(greeters) != 1
        clock = self.kernel.ports()["clock"].serving
        if clock:
            assert self.run(self.clock.now()) == float(self.model.versions[clock][0])

    @invariant()
    def nothing_else_is_open(self) -> None:
        """Each open plugin has one adapter open, and no other has any."""
        if hasattr(self, "kernel"):
            assert {key: count for key, count in OPEN.items() if count} == dict.fromkeys(self.model.versions, 1)

    def teardown(self) -> None:
        """Leave the kernel: everything is closed."""
        FAULTS.clear()
        if hasattr(self, "kernel"):
            self.run(self.kernel.__aexit__(None, None, None))
            assert not any(OPEN.values())
        assert not asyncio.all_tasks(self.loop)
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.root)
