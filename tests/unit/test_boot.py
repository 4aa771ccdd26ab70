"""Coming up: what can be opened is, what is not ready is tried again, and the rest says why."""

from __future__ import annotations

import asyncio
import gc
import traceback
import weakref
from pathlib import Path
from typing import Any

import pytest

from hotswap import HotswapError, Kernel, KernelInUse, KernelNotRunning, PortInvalid, PortUnfilled, State
from hotswap.boot import Backoff
from hotswap.lock import Lock, write
from hotswap_ports import HookEvent
from tests.plugin_folder import JOURNAL, Greeter, greeter, kernel, probe, probing, write_plugin
from tests.waiting import until

AT_ONCE = Backoff(first=0.0)
NEVER = Backoff(first=3600.0, most=3600.0)


async def comes_to(running: Kernel, plugin: str, state: State) -> None:
    """Wait until a plugin is in a state."""
    await until(lambda: running.plugins()[plugin].state is state)


def test_backoff_grows_up_to_a_bound() -> None:
    """Each attempt waits longer by the factor, and never longer than the bound."""
    backoff = Backoff(first=0.5, factor=2, most=3)
    assert [backoff.wait(each) for each in (1, 2, 3, 4, 5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff.wait(5000) == 3.0


def unready(root: Path, plugin: str = "own") -> Path:
    """Write a plugin that is not ready until a file is there; return that file."""
    code = f"""
        from pathlib import Path
        from hotswap_ports import NotReady, Plugin
        from tests.plugin_folder import Greeter, JOURNAL

        class Own(Plugin):
            async def initialize(self, context):
                JOURNAL.setdefault({str(root)!r}, []).append("tried")
                if not Path({str(root / "flag")!r}).exists():
                    raise NotReady("the flag is not there")

        class Hello(Greeter):
            async def greet(self, name, *, loud=False):
                return "hello " + name
    """
    write_plugin(root / "p", plugin, code, provides={"greeter": "Hello"}, python={"class_name": "Own"})
    return root / "flag"


async def test_what_is_not_ready_is_tried_until_it_is(tmp_path: Path) -> None:
    """A plugin that is not ready is tried again and again, and comes up when it is; then nothing is tried any more."""
    flag = unready(tmp_path)
    write_plugin(tmp_path / "p", "needy", "", dependencies={"own": ">=1"})
    async with kernel(tmp_path / "p", "needy", backoff=AT_ONCE) as running:
        async with asyncio.timeout(10):
            while len(JOURNAL.get(str(tmp_path), [])) < 5:
                await asyncio.sleep(0.001)
        await comes_to(running, "own", State.WAITING)
        assert running.plugins()["needy"].blocked_by == ("own",)
        flag.touch()
        await comes_to(running, "needy", State.ACTIVE)
        assert [each.id for each in running._running.solution.plugins] == ["own", "needy"]
        assert running.plugins()["own"].required_by == ("needy",)


async def test_other_changes_do_not_forget_what_waits(tmp_path: Path) -> None:
    """A plugin that waits goes on waiting, and comes up, though other plugins were enabled and disabled meanwhile."""
    flag = unready(tmp_path)
    greeter(tmp_path / "p", "english")
    async with kernel(tmp_path / "p", "own", backoff=NEVER) as running:
        await running.enable("english")
        await comes_to(running, "own", State.WAITING)
        flag.touch()
        await running.disable("english")
        await comes_to(running, "own", State.ACTIVE)
        assert await running.get(Greeter).greet("x") == "hello x"


async def test_what_waits_may_be_disabled_or_enabled_by_hand(tmp_path: Path) -> None:
    """Disabling what waits ends the waiting; enabling it opens it, and it is not opened twice."""
    flag = unready(tmp_path)
    async with kernel(tmp_path / "p", "own", backoff=AT_ONCE) as running:
        await running.disable("own")
        assert running.plugins()["own"].state is State.DISABLED
        tried = len(JOURNAL[str(tmp_path)])
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(JOURNAL[str(tmp_path)]) <= tried + 1
        flag.touch()
        await running.enable("own")
        assert running.plugins()["own"].state is State.ACTIVE


async def test_one_that_fails_for_good_after_waiting_is_failed(tmp_path: Path) -> None:
    """A plugin that was not ready and then fails is failed, and is not tried again."""
    probe(tmp_path, "own")
    config = probing(tmp_path, own={"start": "not-ready"})
    async with kernel(tmp_path, "own", config=config, backoff=Backoff(first=0.01)) as running:
        (tmp_path / "own" / "code.py").write_text("1 / 0")
        await comes_to(running, "own", State.FAILED)
        assert "ZeroDivisionError" in running.plugins()["own"].reason
        assert running._boot is not None
        assert not running._boot._waiting


async def test_a_plugin_that_failed_is_not_kept_alive_by_its_error(tmp_path: Path) -> None:
    """The error of a plugin that could not be opened says where it was raised, and holds nothing of the plugin."""
    code = """
        from weakref import ref
        from tests.plugin_folder import Greeter, JOURNAL

        class Hello(Greeter):
            def __init__(self):
                JOURNAL["made"] = ref(self)
                raise ValueError("no")
    """
    write_plugin(tmp_path, "own", code, provides={"greeter": "Hello"}, activation="eager")
    async with kernel(tmp_path, "own") as running:
        error = running.plugins()["own"].error
        gc.collect()
        assert JOURNAL["made"]() is None
        assert error is not None
        assert 'raise ValueError("no")' in "".join(traceback.format_exception(error))


async def test_leaving_while_something_waits_ends_the_waiting(tmp_path: Path) -> None:
    """No task is left when a kernel with waiting plugins is left, also in the middle of an attempt."""
    probe(tmp_path, "own")
    before = asyncio.all_tasks()
    config = probing(tmp_path, own={"start": "not-ready"})
    async with kernel(tmp_path, "own", config=config, backoff=AT_ONCE):
        while len(JOURNAL[str(tmp_path)]) < 20:
            await asyncio.sleep(0.001)
    assert asyncio.all_tasks() == before
    assert JOURNAL[str(tmp_path)].count("own.initialize") == JOURNAL[str(tmp_path)].count("own.undo")


async def test_what_fits_into_no_solution_is_blocked(tmp_path: Path) -> None:
    """A plugin that cannot be part of a solution is blocked with the reason; the others are up."""
    greeter(tmp_path, "english")
    write_plugin(tmp_path, "needy", "", dependencies={"nothing": ">=1"})
    async with kernel(tmp_path, "needy", "english", "unknown") as running:
        plugins = running.plugins()
        assert plugins["needy"].state is plugins["unknown"].state is State.BLOCKED
        assert plugins["needy"].reason.startswith("PLUG-")
        assert plugins["unknown"].version == ""
        assert plugins["english"].state is State.ACTIVE
        assert "nothing" in str(running.why("needy"))


async def test_two_that_need_each_other_are_blocked(tmp_path: Path) -> None:
    """A cycle is printed as one, and the host is up."""
    write_plugin(tmp_path, "egg", "", dependencies={"hen": ">=1"})
    write_plugin(tmp_path, "hen", "", dependencies={"egg": ">=1"})
    async with kernel(tmp_path, "egg", "hen") as running:
        assert running.plugins()["egg"].reason.startswith("PLUG-007")


async def test_two_folders_with_one_id_and_version_are_a_problem(tmp_path: Path) -> None:
    """The same id and version twice behind one door is reported, and neither is used."""
    greeter(tmp_path, "english", folder="one")
    greeter(tmp_path, "english", folder="two")
    async with kernel(tmp_path, "english") as running:
        assert [each.code for each in running.problems] == ["PLUG-004"]
        assert running.plugins()["english"].state is State.BLOCKED


async def test_an_optional_port_of_a_provider_that_failed_is_none(tmp_path: Path) -> None:
    """At boot nobody is given a provider that could not be opened."""
    write_plugin(tmp_path, "bad", "1 / 0", provides={"greeter": "Hello"})
    code = """
        from hotswap_ports import Plugin
        from tests.plugin_folder import Greeter

        class Own(Plugin):
            def __init__(self, greeter: Greeter | None) -> None:
                assert greeter is None
    """
    tables: dict[str, Any] = {"requires": {"greeter": {"version": ">=1", "optional": True}}}
    write_plugin(tmp_path, "own", code, python={"class_name": "Own"}, **tables)
    async with kernel(tmp_path, "bad", "own") as running:
        assert running.plugins()["own"].state is State.ACTIVE
        with pytest.raises(PortUnfilled, match="bad is failed: PLUG-002"):
            running.get(Greeter)
        assert "bad is failed" in running.ports()["greeter"].problem
        assert [each.id for each in running._running.solution.plugins] == ["own"]


async def test_a_port_that_nobody_serves_names_who_could(tmp_path: Path) -> None:
    """The error of an unfilled port says which plugin to enable."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path) as running:
        with pytest.raises(PortUnfilled) as unfilled:
            running.get(Greeter)
        assert "hotswap plugin enable english" in unfilled.value.hint


async def test_a_handle_of_a_port_that_nobody_serves_says_what_get_says(tmp_path: Path) -> None:
    """A handle taken while somebody served, and the parameter of a constructor, name who could, and why they do not."""
    greeter(tmp_path, "english")
    write_plugin(tmp_path, "bad", "1 / 0", provides={"greeter": "Hello"})

    def consumer(greeter: Greeter) -> None:
        raise AssertionError(greeter)

    async with kernel(tmp_path, "english", "bad") as running:
        handle = running.get(Greeter)
        await running.disable("english")
        errors = []
        for ask in (lambda: running.get(Greeter), lambda: running.build(consumer)):
            with pytest.raises(HotswapError) as raised:
                ask()
            errors.append(raised.value)
        with pytest.raises(PortUnfilled) as unfilled:
            await handle.greet("x")
        assert (str(unfilled.value), unfilled.value.hint) == (str(errors[0]), errors[0].hint)
        assert str(errors[0]) in str(errors[1])
        assert "bad is failed: PLUG-002" in str(unfilled.value)
        assert unfilled.value.hint == "Enable one: `hotswap plugin enable english`."
    with pytest.raises(KernelNotRunning):
        await handle.greet("x")


async def test_a_lock_that_cannot_be_read_decides_nothing(tmp_path: Path) -> None:
    """A broken hotswap.lock is a problem, and the kernel is up."""
    greeter(tmp_path, "english", "one", folder="one")
    greeter(tmp_path, "english", "two", version="2.0.0", folder="two")
    (tmp_path / "hotswap.lock").write_text("what?")
    async with kernel(tmp_path, "english") as running:
        assert [each.code for each in running.problems] == ["PLUG-023"]
        assert await running.get(Greeter).greet("x") == "two x"


async def test_a_kernel_is_entered_once_at_a_time(tmp_path: Path) -> None:
    """Entering a running kernel again is refused and disturbs nothing; left, it can be entered again."""
    greeter(tmp_path, "english")
    one = kernel(tmp_path, "english")
    async with one:
        handle = one.get(Greeter)
        with pytest.raises(KernelInUse):
            await one.__aenter__()
        assert await handle.greet("x") == "hello x"
    with pytest.raises(KernelNotRunning):
        await handle.greet("x")
    async with one:
        assert one.get(Greeter) is handle
        assert await handle.greet("x") == "hello x"


async def test_a_kernel_that_is_entered_again_begins_anew(tmp_path: Path) -> None:
    """What was enabled, selected and disabled in the last run is forgotten; the settings decide."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    one = kernel(tmp_path, "english", "german", ports={"greeter": ("english",)})
    async with one:
        await one.select(Greeter, "german")
        await one.disable("english")
    async with one:
        assert one.ports()["greeter"].serving == "english"
        assert one.plugins()["german"].state is State.ACTIVE


async def test_two_kernels_share_a_folder_and_nothing_else(tmp_path: Path) -> None:
    """Two kernels over the same plugin folder load its code twice."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as one, kernel(tmp_path, "english") as two:
        adapters = [each._wiring.providers("greeter")["english"].target for each in (one, two)]
        assert type(adapters[0]) is not type(adapters[1])
        await one.disable("english")
        assert await two.get(Greeter).greet("x") == "hello x"


async def test_hooks_of_startup_and_loading_may_change_the_kernel(tmp_path: Path) -> None:
    """Handlers at on_plugin_load and on_startup may enable more; at on_plugin_load everything wanted was opened."""
    greeter(tmp_path, "english")
    for each in ("one", "two", "three"):
        write_plugin(tmp_path, each, "")
    running = kernel(tmp_path, "one", "two")
    seen: list[str] = []

    async def loaded(event: HookEvent) -> None:
        seen.append(event.data["plugin"])
        async with asyncio.timeout(5):
            await running.enable("three")

    async def started(event: HookEvent) -> None:
        await running.enable("english")

    running.on("on_plugin_load", loaded)
    running.on("on_startup", started)
    async with running:
        assert {each for each, status in running.plugins().items() if status.state is State.ACTIVE} >= {
            "one",
            "two",
            "three",
            "english",
        }
        assert seen[:2] == ["one", "two"]


async def test_a_handler_that_aborts_the_start_closes_everything(tmp_path: Path) -> None:
    """Abort at on_startup ends the start with that error; what was open is closed."""
    from hotswap import HookAborted
    from hotswap_ports import Abort

    probe(tmp_path, "own")
    running = kernel(tmp_path, "own", config=probing(tmp_path, own={"stop": "raise"}))
    running.on("on_startup", lambda event: Abort("not today"))
    with pytest.raises(HookAborted, match="not today") as aborted:
        await running.__aenter__()
    assert JOURNAL[str(tmp_path)][-1] == "own.undo"
    assert "no luck" in aborted.value.__notes__[0]


async def test_a_handler_that_aborts_the_end_does_not_keep_anything_open(tmp_path: Path) -> None:
    """Abort at on_shutdown is raised when everything is closed."""
    from hotswap import HookAborted
    from hotswap_ports import Abort

    probe(tmp_path, "own")
    running = kernel(tmp_path, "own", config=probing(tmp_path, own={}))
    with pytest.raises(HookAborted, match="never"):
        async with running:
            running.on("on_shutdown", lambda event: Abort("never"))
    assert JOURNAL[str(tmp_path)][-1] == "own.undo"


def test_what_is_no_port_is_refused(tmp_path: Path) -> None:
    """Kernel(ports=...) takes port classes with names of their own."""
    from tests.plugin_folder import settings

    class Other(Greeter):
        PORT = "greeter"
        VERSION = "3.0.0"

    class Adapter(Greeter):
        pass

    for ports in ([Greeter, Other], [Adapter], [int], ["greeter"]):
        with pytest.raises(PortInvalid):
            Kernel(settings(tmp_path), ports=ports)  # type: ignore[arg-type]
    Kernel(settings(tmp_path), ports=[Greeter, Greeter])


async def test_a_name_under_ports_that_leads_nowhere_is_a_problem(tmp_path: Path) -> None:
    """A provider that no plugin has is named as a problem, and the port is served by whoever is there."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english", ports={"greeter": ("french",)}) as running:
        assert [each.code for each in running.problems] == ["PLUG-025"]
        assert await running.get(Greeter).greet("x") == "hello x"


async def test_an_error_of_the_catalog_ends_the_start_and_the_kernel_can_be_entered_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nothing can be found at all, entering fails with that error and leaves nothing behind."""
    greeter(tmp_path, "english")
    one = kernel(tmp_path, "english")

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr("hotswap.host.discover", fail)
        with pytest.raises(OSError, match="no disk"):
            await one.__aenter__()
    async with one:
        assert await one.get(Greeter).greet("x") == "hello x"


async def test_a_lock_that_fits_decides_the_versions(tmp_path: Path) -> None:
    """With a lock, a newer version that came along is not taken."""
    greeter(tmp_path, "english", "one", folder="one")
    async with kernel(tmp_path, "english") as running:
        changes = running._running
        request = changes.planner.request(running.settings, changes.planner.wanted(running.settings))
        write(tmp_path / "hotswap.lock", Lock.from_solution(changes.solution, request))
    greeter(tmp_path, "english", "two", version="2.0.0", folder="two")
    async with kernel(tmp_path, "english") as running:
        assert await running.get(Greeter).greet("x") == "one x"
        assert running.problems == ()


async def test_what_failed_at_the_start_keeps_nothing_of_the_others(tmp_path: Path) -> None:
    """The error of a plugin stays with its state, and others that came up beside it are gone when they are closed."""
    greeter(tmp_path, "own", activation="eager")
    wrong = {"config": {"schema": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    greeter(tmp_path, "misconfigured", activation="eager", **wrong)
    code = """
        from tests.plugin_folder import Clock, Greeter

        class Hello(Greeter):
            def __init__(self, clock: Clock) -> None: ...
            async def greet(self, name, *, loud=False): ...
    """
    write_plugin(tmp_path, "unfillable", code, activation="eager", provides={"greeter": "Hello"})
    enabled = ("misconfigured", "own", "unfillable")
    async with kernel(tmp_path, *enabled, config={"misconfigured": {"size": "large"}}) as running:
        module = weakref.ref(running._lifecycle.instances["own"].prepared.loaded.module)  # type: ignore[arg-type]
        await running.disable("own")
        await asyncio.sleep(0)
        gc.collect()
        assert module() is None
        errors = {each: running.plugins()[each].error for each in enabled}
        assert {each: type(error).__name__ for each, error in errors.items()} == {
            "misconfigured": "ConfigInvalid",
            "own": "NoneType",
            "unfillable": "InjectionFailed",
        }
