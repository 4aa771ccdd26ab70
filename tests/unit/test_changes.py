"""Changes to a running kernel: in turn, shared, on what stands, and with the settings that go with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hotswap import (
    ConfigInvalid,
    DependencyMissing,
    HotswapError,
    KernelNotRunning,
    ManifestInvalid,
    PlanOutdated,
    PluginInUse,
    PluginLoadFailed,
    PluginNotFound,
    PortUnknown,
    ProviderNotFound,
    State,
)
from hotswap_ports import HookEvent
from tests.plugin_folder import JOURNAL, Greeter, gate, greeter, kernel, probe, probing, reached, write_plugin


async def test_a_change_goes_on_when_whoever_asked_is_cancelled(tmp_path: Path) -> None:
    """Cancelling the task that waits for enable does not cut the change short."""
    probe(tmp_path, "own")
    async with kernel(tmp_path, config=probing(tmp_path, own={"start": "gate"})) as running:
        asked = asyncio.create_task(running.enable("own"))
        await reached(str(tmp_path), "own.start")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        gate(str(tmp_path), "own.start").set()
        await running.enable("own")
        assert running.plugins()["own"].state is State.ACTIVE
        assert JOURNAL[str(tmp_path)].count("own.start") == 1


async def test_a_change_that_fails_unheard_complains_to_nobody(tmp_path: Path) -> None:
    """When whoever asked is gone, a failing change ends quietly, and the next one is carried out."""
    probe(tmp_path, "own")
    async with kernel(tmp_path, config=probing(tmp_path, own={"start": "gate", "health": "raise"})) as running:
        asked = asyncio.create_task(running.enable("own"))
        await reached(str(tmp_path), "own.start")
        asked.cancel()
        gate(str(tmp_path), "own.start").set()
        await running.configure("own", {"health": ""})
        await running.enable("own")


async def test_different_changes_take_turns(tmp_path: Path) -> None:
    """While one change is under way another one waits, and is planned on what the first one left."""
    probe(tmp_path, "own")
    greeter(tmp_path, "english")
    async with kernel(tmp_path, config=probing(tmp_path, own={"start": "gate"})) as running:
        first = asyncio.create_task(running.enable("own"))
        await reached(str(tmp_path), "own.start")
        second = asyncio.create_task(running.enable("english"))
        third = asyncio.create_task(running.disable("own"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not second.done()
        gate(str(tmp_path), "own.start").set()
        assert (await first).subjects("start") == ["own"]
        assert (await second).subjects("start") == ["english"]
        assert (await third).subjects("stop") == ["own"]
        assert running.settings.enabled == ("english",)


async def test_a_change_that_waits_for_its_turn_ends_with_the_kernel(tmp_path: Path) -> None:
    """Leaving the kernel ends what waits for its turn as well, with a clear error."""
    probe(tmp_path, "own")
    greeter(tmp_path, "english")
    async with kernel(tmp_path, config=probing(tmp_path, own={"start": "hang"})) as running:
        asked = [asyncio.create_task(running.enable(each)) for each in ("own", "english")]
        await reached(str(tmp_path), "own.start")
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in results] == [KernelNotRunning] * 2


async def test_leaving_the_kernel_while_calls_drain_closes_old_and_new(tmp_path: Path) -> None:
    """Left after the switch of a change, the kernel closes what was taken out of service, and what replaced it."""
    probe(tmp_path, "own")
    probe(tmp_path, "other", dependencies={"own": ">=1"})
    config = probing(tmp_path, own={"greet": "gate"}, other={})
    async with kernel(tmp_path, "own", config=config) as running:
        call = asyncio.create_task(running.get(Greeter).greet("x"))
        await reached(str(tmp_path), "own.greet")
        change = asyncio.create_task(running.configure("own", {"a": 1}))
        while running.settings.config["own"].get("a") is None:
            await asyncio.sleep(0.001)
        asyncio.get_running_loop().call_later(0.01, gate(str(tmp_path), "own.greet").set)
    assert await call == "own greets x"
    with pytest.raises(KernelNotRunning):
        await change
    assert JOURNAL[str(tmp_path)].count("own.undo") == JOURNAL[str(tmp_path)].count("own.initialize") == 2


async def test_settings_are_in_force_from_the_switch_on(tmp_path: Path) -> None:
    """Settings, plan and revision move on with the switch, while calls still leave what was replaced."""
    probe(tmp_path, "own")
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={"greet": "gate"})) as running:
        call = asyncio.create_task(running.get(Greeter).greet("x"))
        await reached(str(tmp_path), "own.greet")
        plan = await running.plan(disable=["own"])
        change = asyncio.create_task(running.disable("own"))
        while running.plugins()["own"].state is not State.DRAINING:
            await asyncio.sleep(0.001)
        assert running.settings.disabled == ("own",)
        gate(str(tmp_path), "own.greet").set()
        await asyncio.gather(call, change)
        with pytest.raises(PlanOutdated):
            await running.apply(plan)


async def test_two_configurations_with_different_values_are_two_changes(tmp_path: Path) -> None:
    """Concurrent configurations of the same setting are both carried out; equal ones are shared."""
    probe(tmp_path, "own")
    seen: list[Any] = []
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={})) as running:
        running.on("on_config_change", lambda event: seen.append(event.data["keys"]))
        await asyncio.gather(*(running.configure("own", {"a": each}) for each in (1, 2, 2)))
        assert running.settings.config["own"]["a"] == 2
        assert JOURNAL[str(tmp_path)].count("own.init") == 3
        assert seen == [("a",), ("a",)]


async def test_no_secret_stands_in_the_name_of_a_task(tmp_path: Path) -> None:
    """Settings do not show in the names of tasks."""
    probe(tmp_path, "own")
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={})) as running:
        change = asyncio.create_task(running.configure("own", {"password": "hunter2", "start": "gate"}))
        while JOURNAL[str(tmp_path)].count("own.start") < 2:
            await asyncio.sleep(0.001)
        assert "hunter2" not in repr([each.get_name() for each in asyncio.all_tasks()])
        gate(str(tmp_path), "own.start").set()
        await change


async def test_a_plugin_that_watches_its_settings_is_told(tmp_path: Path) -> None:
    """A plugin that follows its settings is told of new ones and goes on; bad ones change nothing."""
    code = """
        from hotswap_ports import Plugin
        from tests.plugin_folder import JOURNAL

        class Own(Plugin):
            async def initialize(self, context):
                key = context.config.get("journal")
                context.config.watch(lambda values: JOURNAL.setdefault(key, []).append(values["size"]))
    """
    schema = {"type": "object", "properties": {"size": {"type": "integer"}, "journal": {"type": "string"}}}
    write_plugin(
        tmp_path,
        "own",
        code,
        python={"class_name": "Own"},
        capabilities={"config_access": True},
        config={"schema": schema},
    )
    async with kernel(tmp_path, "own", config={"own": {"journal": str(tmp_path), "size": 1}}) as running:
        plan = await running.configure("own", {"size": 2})
        assert not plan
        assert JOURNAL[str(tmp_path)] == [2]
        with pytest.raises(ConfigInvalid):
            await running.configure("own", {"size": "large"})
        assert running.settings.config["own"]["size"] == 2
        with pytest.raises(PluginNotFound):
            await running.configure("owl", {})


WATCHER = """
    import asyncio
    from hotswap_ports import Plugin
    from tests.plugin_folder import Greeter, JOURNAL, Mine

    ERRORS = {
        "exit": SystemExit(3), "cancelled": asyncio.CancelledError(), "base": Mine(), "interrupt": KeyboardInterrupt(),
    }

    class Hello(Greeter):
        async def greet(self, name, *, loud=False):
            return "watcher " + name

    class Own(Plugin):
        async def initialize(self, context):
            key = context.config.get("journal")
            context.config.watch(self.fail)
            context.config.watch(lambda values: JOURNAL.setdefault(key, []).append(values["what"]))

        def fail(self, values):
            raise ERRORS[values["what"]]
"""


def watcher(root: Path) -> None:
    """Write a plugin whose first watcher of its settings raises what they say, and whose second notes it."""
    write_plugin(
        root,
        "watcher",
        WATCHER,
        python={"class_name": "Own"},
        provides={"greeter": "Hello"},
        capabilities={"config_access": True},
    )


@pytest.mark.parametrize("what", ["exit", "cancelled", "base"])
async def test_a_watcher_cannot_cut_a_switch_short(tmp_path: Path, what: str) -> None:
    """Whatever a watcher of settings raises is its plugin's failure: the change is done, all of it, and others told."""
    watcher(tmp_path)
    greeter(tmp_path, "other", "hallo")
    start = {"watcher": {"journal": str(tmp_path)}, "other": {"a": 1}}
    async with kernel(tmp_path, "watcher", "other", config=start, ports={"greeter": ("watcher",)}) as running:
        handle = running.get(Greeter)
        new = {"watcher": {"what": what}, "other": {"a": 2}}
        plan = await running.change(configure=new, select={Greeter: "other"})
        assert JOURNAL[str(tmp_path)] == [what]
        assert plan.subjects("replace", "select") == ["other", "greeter"]
        assert running.settings.config == {"watcher": {"journal": str(tmp_path), "what": what}, "other": {"a": 2}}
        assert {await handle.greet("x"), await running.get(Greeter, "other").greet("x")} == {"hallo x"}
        await running.select(Greeter, "watcher")
        assert await handle.greet("x") == "watcher x"


def test_an_interrupt_in_a_watcher_ends_the_program_after_the_switch(tmp_path: Path) -> None:
    """A KeyboardInterrupt within a watcher comes out of the event loop, and finds the change done and all closed."""
    watcher(tmp_path)
    greeter(tmp_path, "other", "hallo")
    start = {"watcher": {"journal": str(tmp_path)}}
    seen: list[Any] = []

    async def main() -> None:
        async with kernel(tmp_path, "watcher", "other", config=start, ports={"greeter": ("watcher",)}) as running:
            try:
                await running.change(configure={"watcher": {"what": "interrupt"}}, select={Greeter: "other"})
                await asyncio.Event().wait()
            finally:
                seen.append((running.settings.ports["greeter"], await running.get(Greeter).greet("x")))

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert seen[0] == (("other",), "hallo x")
    assert JOURNAL[str(tmp_path)] == ["interrupt"]


async def test_settings_are_held_against_the_version_that_runs(tmp_path: Path) -> None:
    """With two versions in the catalog, the schema of the active one decides."""
    for version, kind in (("1.0.0", "integer"), ("2.0.0", "string")):
        schema = {"type": "object", "properties": {"size": {"type": kind}}}
        greeter(tmp_path, "own", version, version=version, folder=version, config={"schema": schema})
    async with kernel(tmp_path, "own<2") as running:
        await running.configure("own", {"size": 3})
        assert running.plugins()["own"].version == "1.0.0"
        assert await running.get(Greeter).greet("x") == "1.0.0 x"


async def test_what_is_asked_for_must_exist(tmp_path: Path) -> None:
    """Names that lead nowhere are refused with what is known, and nothing is changed."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        with pytest.raises(PluginNotFound):
            await running.enable("not a plugin!")
        with pytest.raises(PluginNotFound):
            await running.disable("german")
        with pytest.raises(PortUnknown):
            await running.select("greetings", "english")
        with pytest.raises(ProviderNotFound, match="'french'"):
            await running.select(Greeter, "french")
        with pytest.raises(ProviderNotFound, match="'french'"):
            await running.select(Greeter, "english", "french")
        with pytest.raises(HotswapError, match="3"):
            await running.enable("english>=3")
        with pytest.raises(PluginNotFound, match="the active plugins"):
            await running.reload("german")
        assert running.settings.enabled == ("english",)
        assert (await running.plan(enable="english", disable=())).steps == ()  # type: ignore[arg-type]
        assert not (await running.plan(disable="english")).subjects("start")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "code", "sentence", "hint"),
    [
        (lambda it: it.apply(None), "PLUG-044", "kernel.apply takes a plan", "await kernel.plan(...)"),
        (lambda it: it.disable(["english"]), "PLUG-044", "kernel.disable takes the id of a plugin", "kernel.change"),
        (lambda it: it.enable(5), "PLUG-044", "kernel.enable takes the id", "kernel.change"),
        (lambda it: it.reload(None), "PLUG-044", "kernel.reload takes the id", "kernel.change"),
        (lambda it: it.configure(5, {}), "PLUG-044", "kernel.configure takes the id", "kernel.change"),
        (lambda it: it.configure("english", 5), "PLUG-044", "takes values by their names", '{"name": value}'),
        (lambda it: it.select(Greeter, 5), "PLUG-044", "takes names of providers", "kernel.ports()"),
        (lambda it: it.change(select={Greeter: 5}), "PLUG-044", "takes names of providers", "kernel.ports()"),
        (lambda it: it.select(int, "english"), "PLUG-018", "no port 'int'", "Known ports: "),
        (lambda it: it.plan(select={None: "english"}), "PLUG-018", "no port 'None'", "Known ports: "),
        (lambda it: it.enable("english>=9"), "PLUG-001", "'english >=9'", "Allow english 2.0.0: it was asked for"),
        (lambda it: it.disable("german"), "PLUG-001", "'german' is not among the enabled plugins", "It was found"),
        (lambda it: it.disable("germann"), "PLUG-001", "No plugin 'germann' was found", "Did you mean 'german'?"),
    ],
)
async def test_a_call_that_makes_no_sense_says_what_would(
    tmp_path: Path, call: Any, code: str, sentence: str, hint: str
) -> None:
    """What the kernel cannot take is an error of its own, with a hint, and nothing is changed."""
    for version in ("1.0.0", "2.0.0"):
        greeter(tmp_path, "english", version=version, folder=version)
    greeter(tmp_path, "german", "hallo")
    async with kernel(tmp_path, "english<2") as running:
        before = running.settings
        with pytest.raises(HotswapError) as refused:
            await call(running)
        assert refused.value.code == code
        assert sentence in str(refused.value)
        assert hint in refused.value.hint
        assert running.settings is before
        assert running.plugins()["english"].version == "1.0.0"


async def test_selecting_a_provider_that_is_closed_opens_it(tmp_path: Path) -> None:
    """Selecting what is not open opens it; selecting nothing takes the choice back."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    async with kernel(tmp_path, "english") as running:
        handle = running.get(Greeter)
        plan = await running.select(Greeter, "german", "english")
        assert plan.subjects("start", "select") == ["german", "greeter"]
        assert await handle.greet("x") == "hallo x"
        assert running.ports()["greeter"].selected == ("german", "english")
        await running.select("greeter")
        assert running.settings.ports == {}
        assert (await running.plan(select={Greeter: "german"})).subjects("start") == ["german"]


async def test_disabling_names_those_that_asked_by_name(tmp_path: Path) -> None:
    """Who was given a provider by name cannot go on with another one, and is a dependant."""
    code = """
        from typing import Annotated
        from hotswap_ports import Plugin
        from tests.plugin_folder import Greeter

        class Own(Plugin):
            def __init__(self, english: Annotated[Greeter, "english"]) -> None: ...
    """
    greeter(tmp_path, "english")
    greeter(tmp_path, "german")
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"}, requires={"greeter": ">=1"})
    async with kernel(tmp_path, "english", "german", "own", ports={"greeter": ("english",)}) as running:
        with pytest.raises(PluginInUse, match="own"):
            await running.disable("english")
        await running.disable("german")
        await running.disable("english", cascade=True)
        assert running.plugins()["own"].state is State.DISABLED


async def test_reload_keeps_to_the_versions_that_the_settings_allow(tmp_path: Path) -> None:
    """Reading the catalog anew for a reload does not take a version that the settings exclude."""
    greeter(tmp_path, "english", "one", folder="english-1")
    async with kernel(tmp_path, "english<2") as running:
        greeter(tmp_path, "english", "two", version="2.0.0", folder="english-2")
        greeter(tmp_path, "english", "one point one", version="1.1.0", folder="english-1")
        plan = await running.reload("english")
        assert [str(each) for each in plan.steps] == ["replace english 1.0.0 -> 1.1.0 (reloaded)"]
        assert await running.get(Greeter).greet("x") == "one point one x"


@pytest.mark.parametrize("activation", ["lazy", "eager"])
async def test_reload_says_what_is_wrong_with_the_manifest(tmp_path: Path, activation: str) -> None:
    """A manifest that was broken by an edit is the error; the old generation goes on, and other versions stay away."""
    greeter(tmp_path, "english", "old", folder="old")
    greeter(tmp_path, "english", "new", version="2.0.0", folder="new")
    async with kernel(tmp_path, "english", activation=activation) as running:
        handle = running.get(Greeter)
        greeter(tmp_path, "english", "new", version="2.0", folder="new")
        for _ in range(2):
            with pytest.raises(ManifestInvalid, match=r"'2\.0' is not a semantic version") as broken:
                await running.reload("english")
            assert broken.value.path == str(tmp_path / "new" / "plugin.toml")
        assert await handle.greet("x") == "new x"
        greeter(tmp_path, "english", "mended", version="2.0.1", folder="new")
        greeter(tmp_path, "english", "old", version="1", folder="old")
        await running.reload("english")
        assert await handle.greet("x") == "mended x"


async def test_reload_of_what_never_opened_says_what_is_wrong_with_the_manifest(tmp_path: Path) -> None:
    """A plugin whose manifest was broken from the start is found by its folder."""
    greeter(tmp_path, "english", version="one")
    async with kernel(tmp_path, "english") as running:
        with pytest.raises(ManifestInvalid, match="'one' is not a semantic version"):
            await running.reload("english")
        greeter(tmp_path, "english")
        await running.reload("english")
        assert await running.get(Greeter).greet("x") == "hello x"


async def test_reload_opens_what_could_not_be_opened(tmp_path: Path) -> None:
    """After a defect is mended, reload opens the plugin that had failed, and those that waited for it come up."""
    write_plugin(tmp_path, "english", "1 / 0", provides={"greeter": "Hello"})
    write_plugin(tmp_path, "needy", "", dependencies={"english": ">=1"})
    async with kernel(tmp_path, "english", "needy") as running:
        assert running.plugins()["needy"].state is State.WAITING
        with pytest.raises(HotswapError):
            await running.reload("english")
        assert running.plugins()["english"].state is State.FAILED
        greeter(tmp_path, "english")
        await running.reload("english")
        assert await running.get(Greeter).greet("x") == "hello x"
        async with asyncio.timeout(10):
            while running.plugins()["needy"].state is not State.ACTIVE:
                await asyncio.sleep(0.001)


async def test_a_reload_that_fails_keeps_the_catalog(tmp_path: Path) -> None:
    """What a failed reload read from disk is forgotten, also when whoever asked was cancelled."""
    probe(tmp_path, "own")
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={"start2": "gate"})) as running:
        catalog = running.catalog
        probe(tmp_path, "own", version="2.0.0", extra="1 / 0")
        with pytest.raises(HotswapError):
            await running.reload("own")
        assert running.catalog is catalog
        probe(tmp_path, "own", version="2.0.0")
        (tmp_path / "own" / "code.py").write_text(
            (tmp_path / "own" / "code.py").read_text().replace('"start")', '"start2")').replace("greets", "welcomes")
        )
        asked = asyncio.create_task(running.reload("own"))
        await reached(str(tmp_path), "own.start2")
        asked.cancel()
        gate(str(tmp_path), "own.start2").set()
        async with asyncio.timeout(10):
            while running.plugins()["own"].version != "2.0.0":
                await asyncio.sleep(0.001)
        assert running.catalog is not catalog
        assert await running.get(Greeter).greet("x") == "own welcomes x"


async def test_enabling_what_a_disabled_plugin_provides_names_it(tmp_path: Path) -> None:
    """Where the only provider is disabled, the error says so, and nothing is changed."""
    greeter(tmp_path, "english")
    write_plugin(tmp_path, "needy", "", requires={"greeter": ">=1"})
    async with kernel(tmp_path, disabled=("english",)) as running:
        with pytest.raises((DependencyMissing, HotswapError)) as refused:
            await running.enable("needy")
        assert "english" in f"{refused.value} {refused.value.hint}"
        assert "disabled" in f"{refused.value} {refused.value.hint}"


async def test_a_change_made_by_a_hook_of_a_call(tmp_path: Path) -> None:
    """A hook before a call may switch the provider; the call goes to the new one."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    async with kernel(tmp_path, "english", "german", ports={"greeter": ("english",)}) as running:

        async def switch(event: HookEvent) -> None:
            await running.disable("english")

        running.on("pre_greeter.greet", switch)
        assert await running.get(Greeter).greet("x") == "hallo x"
        assert running.plugins()["english"].state is State.DISABLED


async def test_a_config_change_that_failed_is_not_announced(tmp_path: Path) -> None:
    """on_config_change tells of changes that were made, and of no other."""
    probe(tmp_path, "own")
    seen: list[Any] = []
    async with kernel(tmp_path, "own", config=probing(tmp_path, own={})) as running:
        running.on("on_config_change", lambda event: seen.append(event.data["keys"]))
        with pytest.raises(HotswapError):
            await running.configure("own", {"start": "raise"})
        await running.configure("own", {"b": 1})
        assert seen == [("b",)]


async def test_leaving_at_every_step_of_a_change_closes_each_generation_once(tmp_path: Path) -> None:
    """However far a swap has come when the kernel is left, every generation that was opened is closed once."""
    probe(tmp_path, "own")
    probe(tmp_path, "other", dependencies={"own": ">=1"}, requires={"greeter": {"version": ">=1", "rebind": "rebuild"}})
    finished = 0
    for steps in range(100):
        JOURNAL.pop(str(tmp_path), None)
        config = probing(tmp_path, own={}, other={})
        running = kernel(tmp_path, "own", "other", config=config, ports={"greeter": ("own",)})
        async with running:
            change = asyncio.create_task(running.configure("own", {"a": 1}))
            async with asyncio.timeout(10):
                while JOURNAL[str(tmp_path)].count("own.init") < 2:
                    await asyncio.sleep(0.001)
            for _ in range(steps):
                await asyncio.sleep(0)
            finished += change.done()
        await asyncio.gather(change, return_exceptions=True)
        seen = JOURNAL[str(tmp_path)]
        for plugin in ("own", "other"):
            assert seen.count(f"{plugin}.initialize") == seen.count(f"{plugin}.undo"), (steps, seen)
            assert seen.count(f"{plugin}.enter") == seen.count(f"{plugin}.exit"), (steps, seen)
            assert seen.count(f"{plugin}.start") >= seen.count(f"{plugin}.stop"), (steps, seen)
        assert not running._lifecycle.instances
        assert not running._lifecycle._leaving
        if finished > 2:
            break


async def test_plans_are_shown_and_applied(tmp_path: Path) -> None:
    """A plan reads like what it does; applying it twice is refused the second time."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path) as running:
        plan = await running.plan(enable=["english"])
        assert str(plan) == "start english 1.0.0 (enabled in the settings)"
        await asyncio.gather(running.apply(plan), running.apply(plan))
        with pytest.raises(PlanOutdated):
            await running.apply(plan)
        assert not await running.plan(enable=["english"])


async def test_a_selection_may_change_what_is_rebuilt_and_nothing_else(tmp_path: Path) -> None:
    """Selecting what is in use already has no steps; the choice is remembered."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german")
    async with kernel(tmp_path, "english", "german", ports={"greeter": ("english",)}) as running:
        assert not await running.select("greeter", "english", "german")
        assert running.settings.ports["greeter"] == ("english", "german")


async def test_what_could_not_be_opened_is_no_burden_on_other_changes(tmp_path: Path) -> None:
    """A selected provider that failed at the start, with another behind it, does not fail what is enabled later."""
    write_plugin(tmp_path, "broken", "1 / 0", provides={"greeter": "Hello"})
    greeter(tmp_path, "english")
    write_plugin(tmp_path, "ticker", "", requires={"greeter": ">=1"})
    write_plugin(tmp_path, "other", "")
    enabled = ("english", "ticker")
    async with kernel(tmp_path, *enabled, ports={"greeter": ("broken", "english")}) as running:
        assert running.plugins()["broken"].state is State.FAILED
        assert await running.get(Greeter).greet("x") == "hello x"
        plan = await running.enable("other")
        assert [str(each) for each in plan.steps] == ["start other 1.0.0 (enabled in the settings)"]
        with pytest.raises(PluginLoadFailed):
            await running.enable("broken")
        greeter(tmp_path, "broken", "mended")
        await running.enable("broken")
        assert await running.get(Greeter).greet("x") == "mended x"
