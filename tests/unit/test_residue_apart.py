"""Two kernels, shared code and overlapping checks: what is left is told of the plugin that left it, and of no other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from hotswap import Kernel
from hotswap.residue import Kind, cycled, watching
from tests.leaky_plugin import LEFT, imported, kinds, leaky, left_by, marked, only, put_away, spot
from tests.plugin_folder import Clock, Greeter, greeter, kernel, settings

GREETER = (Greeter, Clock)
TASK = "LEFT.append(asyncio.create_task(wait()))  # here"


@pytest.fixture(autouse=True)
async def _put_away() -> AsyncIterator[None]:
    async with put_away():
        yield


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an importable package in whose folder ``leaky`` may be written: a distribution names it."""
    name = "residue_package"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    info = tmp_path / "residue-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: residue\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[hotswap.plugins]\nresidue = {name}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / name
    for each in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[each]


def packaged(package: Path, **code: str) -> Path:
    """Write the plugin ``leaky`` into an importable package."""
    path = leaky(package, **code)
    (path / "__init__.py").write_text("")
    return path


async def both_ways(one: Kernel, two: Kernel) -> None:
    """Assert that of two open kernels with a leaky plugin each check tells of its own."""
    async with watching(one, patience=0) as first, watching(two, patience=0) as second:
        await one.enable("leaky")
        await two.enable("leaky")
        await one.disable("leaky")
        await imported()
        assert kinds(await first.residue()) == [Kind.TASK]
        assert not await second.residue()
        await two.disable("leaky")
        assert kinds(await first.residue()) == [Kind.TASK]
        assert kinds(await second.residue()) == [Kind.TASK]


async def test_two_kernels_with_the_same_plugin(tmp_path: Path) -> None:
    """Two kernels have the same plugin open at once: what one of them left is not told of the other."""
    leaky(tmp_path, start=TASK)
    async with kernel(tmp_path) as one, kernel(tmp_path) as two:
        await both_ways(one, two)


async def test_two_kernels_that_share_the_code_of_a_plugin(package: Path) -> None:
    """Of a plugin in an importable package, two kernels run the very same code, and yet each has its own residue."""
    path = packaged(package, start=TASK)
    async with Kernel(settings(package.parent, paths=()), ports=GREETER) as one:
        async with Kernel(settings(package.parent, paths=()), ports=GREETER) as two:
            await both_ways(one, two)
        residue = await left_by(one, "leaky")
    assert spot(only(residue).made) == marked(path)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ({"start": TASK}, Kind.TASK),
        ({"call": TASK}, Kind.TASK),
        ({"call": "asyncio.get_running_loop().call_later(60, LEFT.clear)  # here"}, Kind.TIMER),
        ({"start": "json.dumps = wait  # here"}, Kind.ATTRIBUTE),
        ({"start": "LEFT.append(open(BESIDE / 'own.log', 'w'))  # here"}, Kind.FILE),
        ({"start": "leaky_plugin.LEFT.append(self)"}, Kind.OBJECT),
    ],
)
async def test_a_plugin_in_an_importable_package(package: Path, code: dict[str, str], kind: Kind) -> None:
    """What a packaged plugin leaves is found; its code stays importable by design, which is no residue."""
    path = packaged(package, **code)
    async with Kernel(settings(package.parent, paths=()), ports=GREETER) as running:
        found = only(await left_by(running, "leaky", alone=True))
    assert found.kind is kind
    assert "residue_package.leaky.code" in sys.modules
    if kind is not Kind.OBJECT:
        assert spot(found.made) == marked(path)


async def test_a_packaged_plugin_that_is_clean(package: Path) -> None:
    """Modules and classes of an importable package that stay, and that others import, are no residue."""
    packaged(package, start="json.cache = None\ndel json.cache")
    one = Kernel(settings(package.parent, paths=()), ports=GREETER)
    async with one as running, watching(running, alone=True, patience=10) as watch:
        await running.enable("leaky")
        __import__("residue_package.leaky.code")
        await running.disable("leaky")
        assert not await watch.residue()


async def test_what_the_application_does_in_a_plugins_stead_is_not_the_plugins(tmp_path: Path) -> None:
    """A handler of the application that runs because a plugin emitted an event makes what it makes for itself."""
    leaky(tmp_path, start='await self.context.events.emit("began")')

    async def hear(event: Any) -> None:
        LEFT.append(asyncio.create_task(asyncio.Event().wait()))

    async with kernel(tmp_path) as running:
        running.on("event.leaky.began", hear)
        assert not await left_by(running, "leaky", patience=10)
        assert len(LEFT) == 1


async def test_the_loop_and_the_process_are_as_before(tmp_path: Path) -> None:
    """Task factory, timers and the function that starts threads are put back; a factory of the host's is still used."""
    loop, made = asyncio.get_running_loop(), []

    def factory(of: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(work)
        return asyncio.Task(work, loop=of, **options)

    starts = vars(sys.modules["threading"]).get("_start_new_thread")
    loop.set_task_factory(factory)
    try:
        leaky(tmp_path, start=TASK)
        async with kernel(tmp_path) as running:
            one, two = watching(running, patience=0), watching(running, patience=0)
            async with one:
                await two.__aenter__()  # they overlap, and neither is inside the other
                await running.enable("leaky")
                await running.disable("leaky")
            await running.enable("leaky")
            await running.disable("leaky")
            await two.__aexit__(None, None, None)
            await imported()
            assert kinds(await one.residue()) == [Kind.TASK]
            assert kinds(await two.residue()) == [Kind.TASK] * 2
        assert loop.get_task_factory() is factory
        assert "call_at" not in vars(loop)
        assert vars(sys.modules["threading"]).get("_start_new_thread") is starts
        assert made
    finally:
        loop.set_task_factory(None)


async def test_a_task_factory_that_a_plugin_sets(tmp_path: Path) -> None:
    """A plugin that puts its own task factory into the loop and leaves it there is named."""
    code = "asyncio.get_running_loop().set_task_factory(lambda loop, work, **of: asyncio.Task(work, loop=loop, **of))"
    path = leaky(tmp_path, start=f"{code}  # here")
    try:
        async with kernel(tmp_path) as running:
            found = next(iter(await left_by(running, "leaky")))
    finally:
        asyncio.get_running_loop().set_task_factory(None)
    assert (found.kind, found.name) == (Kind.LOOP_SETTING, "its task factory")
    assert spot(found.made) == marked(path)


async def test_cycles_of_clean_plugins_leave_nothing(tmp_path: Path) -> None:
    """Opened, called and closed again and again, clean plugins leave nothing, and nothing of theirs grows."""
    greeter(tmp_path, "english")
    leaky(tmp_path, "other", start="self.context.exit_stack.enter_context(open(__file__))")
    calls = []

    async with kernel(tmp_path) as running:

        async def use() -> None:
            calls.append(sorted(each.id for each in running.plugins().values() if each.state.value == "active"))

        cycles = await cycled(running, "english", "other", times=25, use=use, warm_up=3)
    assert not cycles.residue
    assert calls == [["english", "other"]] * (25 + 3 + 3)
    grown = {each for each in cycles.grown_objects if each.startswith(("hotswap.", "hotswap_loaded."))}
    settings = {"hotswap.settings.Settings", "hotswap.entries.Entries", "hotswap.layered.Layered"}
    kept = {"hotswap.proposals.Past", *settings}  # the last 50 states, to go back to
    assert grown <= kept | {"hotswap.resolver.model.Solution", "hotswap.resolver.model.Chosen"}
    assert str(cycles).splitlines()[-1].startswith("25 cycles; ")


async def test_cycles_tell_how_often_something_was_left(tmp_path: Path) -> None:
    """What a plugin leaves each time it is closed is told with its number, and so is what has grown."""
    path = leaky(tmp_path, start=dedent(TASK))
    async with kernel(tmp_path) as running:
        cycles = await cycled(running, "leaky", times=5, warm_up=1)
    file, line = marked(path)
    tasks = [each for each in cycles.residue if each.kind is Kind.TASK]
    assert len(tasks) == 6  # one of them from the warm-up
    assert {spot(each.made) for each in tasks} == {(file, line)}
    assert cycles.grown_objects["_asyncio.Task"] >= 5
    assert "more objects of _asyncio.Task." in str(cycles)
