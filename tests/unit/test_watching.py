"""Following hotswap.toml while the kernel runs."""

from __future__ import annotations

import asyncio
import os
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from hotswap import (
    Kernel,
    NothingToWatch,
    Plan,
    PluginInitFailed,
    ProviderNotFound,
    Settings,
    SettingsGone,
    SettingsInvalid,
    TeardownFailed,
)
from hotswap.lock import Lock, write
from hotswap.resolver import resolve
from hotswap.settings import merged
from hotswap_ports import HookEvent
from tests.plugin_folder import Clock, Greeter, greeter, kernel, probe, write_plugin
from tests.waiting import until

QUICK = 0.01


def toml(root: Path, text: str) -> None:
    """Write hotswap.toml as an editor does: beside it, then moved into place."""
    beside = root / "hotswap.toml.new"
    beside.write_text(f'[plugins]\npaths = ["."]\nactivation = "eager"\n{text}', "utf-8")
    os.replace(beside, root / "hotswap.toml")


def loaded(root: Path, text: str) -> Kernel:
    """Return a kernel over settings that were read from a file with this text."""
    toml(root, text)
    return Kernel(Settings.load(root, {}), ports=[Greeter, Clock], environ={"HOTSWAP_CACHE": str(root / "cache")})


def locking(running: Kernel, **versions: str) -> None:
    """Write the lock of what a kernel's settings ask for, with these versions."""
    planner = running._running.planner
    chosen = {each: running.catalog.get(each, version).version for each, version in versions.items()}
    request = planner.request(running.settings, planner.wanted(running.settings), locked=chosen)
    write(running.settings.folder / "hotswap.lock", Lock.from_solution(resolve(request), request))


async def looks(watch: Any, number: int = 3) -> None:
    """Wait until a watch has looked at its files some more times."""
    looked = count(1)
    look, latest = watch._look, 0

    def counting() -> object:
        nonlocal latest
        latest = next(looked)
        return look()

    watch._look = counting
    await until(lambda: latest > number)
    watch._look = look


async def test_an_edit_is_put_in_force(tmp_path: Path) -> None:
    """Changing the file changes the running kernel: what is enabled, selected and configured, in one plan an edit."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    plans: list[Plan] = []
    heard: list[Any] = []
    async with (
        loaded(tmp_path, 'enabled = ["english"]\n') as running,
        running.watch(interval=QUICK, on_change=plans.append) as watch,
    ):
        running.on("on_config_change", lambda event: heard.append(event.data["plugin"]))
        handle = running.get(Greeter)
        toml(tmp_path, 'enabled = ["english", "german"]\n[ports]\ngreeter = "german"\n[config.english]\na = 1\n')
        await until(lambda: plans)
        assert await handle.greet("x") == "hallo x"
        assert sorted(plans[0].subjects("start", "replace", "select")) == ["english", "german", "greeter"]
        assert heard == ["english"]
        toml(tmp_path, 'enabled = ["german"]\n')
        await until(lambda: len(plans) == 2)
        assert set(running.ports()["greeter"].providers) == {"german"}
        assert watch.problem is None
        assert running.settings.config == {}


async def test_an_edit_that_cannot_be_put_in_force_changes_nothing(tmp_path: Path) -> None:
    """A broken file, or a plugin that cannot be opened, is reported, and everything goes on; the next edit counts."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    code = "from hotswap_ports import Plugin\nclass Own(Plugin):\n    async def start(self): 1 / 0\n"
    write_plugin(tmp_path, "bad", code, python={"class_name": "Own"})
    problems: list[Exception] = []
    async with loaded(tmp_path, 'enabled = ["english"]\n') as running:
        watch = running.watch(interval=QUICK, on_problem=problems.append)
        (tmp_path / "hotswap.toml").write_text("[plugins\n", "utf-8")
        await until(lambda: problems)
        assert isinstance(problems[0], SettingsInvalid)
        toml(tmp_path, 'enabled = ["german", "bad"]\n[ports]\ngreeter = "german"\n')
        await until(lambda: len(problems) == 2)
        assert isinstance(watch.problem, PluginInitFailed)
        assert await running.get(Greeter).greet("x") == "hello x"
        assert running.settings.enabled == ("english",)
        toml(tmp_path, 'enabled = ["german"]\n')
        await until(lambda: watch.problem is None)
        assert await running.get(Greeter).greet("x") == "hallo x"
        assert len(problems) == 2


async def test_what_the_application_changed_itself_stays(tmp_path: Path) -> None:
    """An edit speaks for what it touches: what was enabled and configured by call is kept."""
    for name in ("english", "german", "french"):
        greeter(tmp_path, name, name)
    plans: list[Plan] = []
    async with loaded(tmp_path, 'enabled = ["english"]\n[config.english]\na = 1\n') as running:
        await running.enable("french")
        await running.configure("french", {"b": 2})
        running.watch(interval=QUICK, on_change=plans.append)
        toml(tmp_path, 'enabled = ["english", "german"]\n[config.english]\na = 2\n')
        await until(lambda: plans)
        assert set(running.ports()["greeter"].providers) == {"english", "german", "french"}
        assert running.settings.config == {"english": {"a": 2}, "french": {"b": 2}}


async def test_a_file_that_comes_later_is_followed_and_watching_ends(tmp_path: Path) -> None:
    """A hotswap.toml that is not there yet is followed once it is; a watch that was stopped follows nothing."""
    greeter(tmp_path / "plugins", "english")
    environ = {"HOTSWAP_CACHE": str(tmp_path / "cache"), "HOTSWAP_PLUGINS_ENABLED": ""}
    settings = Settings.load(tmp_path, {}, {"plugins.activation": "eager", "plugins.disabled": "research"})
    async with Kernel(settings, ports=[Greeter], environ=environ) as running:
        watch = running.watch(interval=QUICK)
        (tmp_path / "hotswap.toml").write_text('[plugins]\nenabled = ["english"]\n', "utf-8")
        await until(lambda: "greeter" in running.ports() and running.ports()["greeter"].providers)
        await watch.stop()
        (tmp_path / "hotswap.toml").write_text("[plugins]\nenabled = []\n", "utf-8")
        for _ in range(10):
            await asyncio.sleep(QUICK)
        assert running.ports()["greeter"].providers == ("english",)
    assert not [each for each in asyncio.all_tasks() if each.get_name().startswith("hotswap")]


async def test_a_lock_that_changes_is_followed(tmp_path: Path) -> None:
    """A hotswap.lock that another command wrote is what runs, where it fits the settings: so versions go back."""
    for version in ("1.0.0", "2.0.0"):
        greeter(tmp_path, "english", version, version=version, folder=f"english-{version}")
    plans: list[Plan] = []
    async with loaded(tmp_path, 'enabled = ["english"]\n') as running:
        running.watch(interval=QUICK, on_change=plans.append)
        assert await running.get(Greeter).greet("x") == "2.0.0 x"
        locking(running, english="1.0.0")
        await until(lambda: plans)
        assert await running.get(Greeter).greet("x") == "1.0.0 x"


async def test_an_edit_under_load_loses_no_call(tmp_path: Path) -> None:
    """Editing the file back and forth under 32 callers fails no call."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    plans: list[Plan] = []
    async with loaded(tmp_path, 'enabled = ["english"]\n') as running:
        running.watch(interval=QUICK, on_change=plans.append)
        handle, done = running.get(Greeter), asyncio.Event()

        async def caller() -> set[str]:
            seen = set()
            while not done.is_set():
                seen.add(await handle.greet("x"))
                await asyncio.sleep(0)
            return seen

        callers = [asyncio.create_task(caller()) for _ in range(32)]
        for number in range(1, 5):
            name = "german" if number % 2 else "english"
            toml(tmp_path, f'enabled = ["{name}"]\n')
            await until(lambda number=number: len(plans) == number)
        done.set()
        assert set().union(*await asyncio.gather(*callers)) == {"hello x", "hallo x"}


async def test_settings_made_in_code_have_no_file(tmp_path: Path) -> None:
    """Watching what was read from nowhere is an error that says what to do instead."""
    async with kernel(tmp_path) as running:
        with pytest.raises(NothingToWatch, match="made in code") as error:
            running.watch()
        assert "kernel.change(settings=...)" in error.value.hint


async def test_an_edit_is_in_force_though_something_did_not_close(tmp_path: Path) -> None:
    """What fails to close after an edit is reported; the edit counts, and the next one starts from it."""
    probe(tmp_path, "own")
    greeter(tmp_path, "german", "hallo")
    problems: list[Exception] = []
    own = '[config.own]\nstop = "raise"\n'
    async with loaded(tmp_path, f'enabled = ["own"]\n{own}') as running:
        running.watch(interval=QUICK, on_problem=problems.append)
        toml(tmp_path, f'enabled = ["german"]\n{own}')
        await until(lambda: problems)
        assert isinstance(problems[0], TeardownFailed)
        assert await running.get(Greeter).greet("x") == "hallo x"
        toml(tmp_path, f'enabled = ["german"]\n[config.german]\na = 1\n{own}')
        await until(lambda: running.settings.config.get("german"))
        assert running.settings.enabled == ("german",)


def test_merging_takes_what_was_edited() -> None:
    """Three settings: what differs between the two readings of the file goes over what is in force."""
    base = Settings(enabled=["a", "b"], ports={"p": ("a",), "q": ("b",)}, config={"a": {"x": 1}}, drain_timeout=1.0)
    ours = Settings(enabled=["a", "b", "mine"], ports={"p": ("mine",), "q": ("b",)}, config={"mine": {"y": 1}})
    theirs = Settings(enabled=["b", "c"], ports={"p": ("a",), "r": ("c",)}, config={"a": {"x": 2}}, drain_timeout=2.0)
    result = merged(base, ours, theirs)
    assert result.enabled == ("b", "mine", "c")
    assert result.ports == {"p": ("mine",), "r": ("c",)}
    assert result.config == {"mine": {"y": 1}, "a": {"x": 2}}
    assert result.drain_timeout == 2.0


async def test_handlers_may_be_told_of_many(tmp_path: Path) -> None:
    """Every plugin whose settings an edit touches is told of to the hooks."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german")
    heard: list[HookEvent] = []
    async with loaded(tmp_path, 'enabled = ["english", "german"]\n') as running:
        running.on("on_config_change", lambda event: heard.append(event))
        running.watch(interval=QUICK)
        toml(tmp_path, 'enabled = ["english", "german"]\n[config.english]\na = 1\n[config.german]\nb = 1\n')
        await until(lambda: len(heard) == 2)
        assert [each.data["keys"] for each in heard] == [("a",), ("b",)]


@pytest.mark.parametrize("error", [RuntimeError("a bug"), SystemExit(2), asyncio.CancelledError()])
async def test_a_callback_that_raises_does_not_end_the_following(tmp_path: Path, error: BaseException) -> None:
    """What on_change or on_problem raise is logged; the next edits are put in force and told all the same."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    told: list[object] = []
    logged: list[str] = []

    def broken(what: object) -> None:
        told.append(what)
        raise error

    sink = logger.add(lambda message: logged.append(message.record["message"]), level="ERROR")
    logger.enable("hotswap")
    try:
        async with loaded(tmp_path, 'enabled = ["english"]\n') as running:
            running.watch(interval=QUICK, on_change=broken, on_problem=broken)
            (tmp_path / "hotswap.toml").write_text("[plugins\n", "utf-8")
            await until(lambda: len(told) == 1)
            toml(tmp_path, 'enabled = ["german"]\n')
            await until(lambda: len(told) == 2)
            assert await running.get(Greeter).greet("x") == "hallo x"
            (tmp_path / "hotswap.toml").write_text("[plugins\n", "utf-8")
            await until(lambda: len(told) == 3)
    finally:
        logger.remove(sink)
    assert [type(each) for each in told] == [SettingsInvalid, Plan, SettingsInvalid]
    assert logged == [f"A callback of kernel.watch() raised {type(error).__name__}"] * 3


async def test_a_file_that_is_gone_is_a_problem_and_no_edit(tmp_path: Path) -> None:
    """Deleted, hotswap.toml leaves everything as it was, and is told of once; put back, it is read, changed or not."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    problems: list[Exception] = []
    plans: list[Plan] = []
    async with loaded(tmp_path, 'enabled = ["english"]\n') as running:
        watch = running.watch(interval=QUICK, on_change=plans.append, on_problem=problems.append)
        before = running.settings
        (tmp_path / "hotswap.toml").unlink()
        await until(lambda: problems)
        locking(running, english="1.0.0")  # nobody is told again because of another file
        await looks(watch)
        assert running.settings is before
        assert isinstance(watch.problem, SettingsGone)
        toml(tmp_path, 'enabled = ["english"]\n')
        await until(lambda: watch.problem is None)
        assert plans == []
        (tmp_path / "hotswap.toml").unlink()
        await until(lambda: len(problems) == 2)
        toml(tmp_path, 'enabled = ["german"]\n')
        await until(lambda: plans)
        assert await running.get(Greeter).greet("x") == "hallo x"
        assert [type(each) for each in problems] == [SettingsGone, SettingsGone]
        assert str(tmp_path / "hotswap.toml") in str(problems[0])


async def test_a_lock_that_is_gone_leads_nowhere(tmp_path: Path) -> None:
    """Deleted, hotswap.lock changes nothing and is no problem; what is written later is followed."""
    for version in ("1.0.0", "2.0.0"):
        greeter(tmp_path, "english", version, version=version, folder=f"english-{version}")
    told: list[object] = []
    async with loaded(tmp_path, 'enabled = ["english"]\n') as running:
        locking(running, english="1.0.0")
    async with Kernel(Settings.load(tmp_path, {}), ports=[Greeter, Clock], environ={}) as running:
        watch = running.watch(interval=QUICK, on_change=told.append, on_problem=told.append)
        await looks(watch)
        (tmp_path / "hotswap.lock").unlink()
        await looks(watch)
        assert told == []
        assert await running.get(Greeter).greet("x") == "1.0.0 x"
        locking(running, english="2.0.0")
        await until(lambda: told)
        assert await running.get(Greeter).greet("x") == "2.0.0 x"


async def test_a_lock_that_was_there_is_no_change(tmp_path: Path) -> None:
    """Other settings for one run over a lock are no edit: nobody is told of a change when the watch begins."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    told: list[object] = []
    async with loaded(tmp_path, 'enabled = ["english", "german"]\n') as running:
        locking(running, english="1.0.0", german="1.0.0")
    other = Settings.load(tmp_path, {"HOTSWAP_PLUGINS_DISABLED": "german"})
    async with Kernel(other, ports=[Greeter, Clock], environ={}) as running:
        watch = running.watch(interval=QUICK, on_change=told.append, on_problem=told.append)
        revision = running._running.revision
        await looks(watch)
        assert (told, running._running.revision) == ([], revision)


async def test_a_name_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    """A typo under [ports] is told once, with what may have been meant; the rest of the edit is in force."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    problems: list[Exception] = []
    plans: list[Plan] = []
    async with loaded(tmp_path, 'enabled = ["english"]\n') as running:
        watch = running.watch(interval=QUICK, on_change=plans.append, on_problem=problems.append)
        toml(tmp_path, 'enabled = ["english", "german"]\n[ports]\ngreeter = "germann"\n')
        await until(lambda: problems)
        assert isinstance(problems[0], ProviderNotFound)
        assert "'german'" in problems[0].hint
        assert set(running.ports()["greeter"].providers) == {"english", "german"}
        toml(tmp_path, 'enabled = ["german"]\n[ports]\ngreeter = "germann"\n[config.owl]\na = 1\n')
        await until(lambda: len(problems) == 2)
        assert isinstance(problems[1], SettingsInvalid)
        assert watch.problem is problems[1]
        toml(tmp_path, 'enabled = ["german"]\n[ports]\ngreeter = "german"\n')
        await until(lambda: len(plans) == 3)
        assert len(problems) == 2
        assert not watch.problem
