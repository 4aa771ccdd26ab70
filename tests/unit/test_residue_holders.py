"""What keeps a closed plugin's objects alive is named, from the nearest holder to one that lives by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from hotswap.residue import Finding, Kind, watching
from tests.leaky_plugin import LEFT, imported, leaky, left_by, marked, only, put_away, spot
from tests.plugin_folder import Greeter, kernel


@pytest.fixture(autouse=True)
async def _put_away() -> AsyncIterator[None]:
    async with put_away():
        yield


class Holder:
    """Something of the application's that holds things."""

    current: Any = None

    def __init__(self, thing: Any = None) -> None:
        self.thing = thing


HOLDER = Holder()
TABLE: dict[str, Any] = {}


async def found(root: Path, start: str = "leaky_plugin.LEFT.append(self)") -> Finding:
    """Return what ``leaky`` left when its ``start`` was this."""
    leaky(root, start=start)
    async with kernel(root) as running:
        return only(await left_by(running, "leaky"))


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        ("self", "plugin object Own"),
        ("Own", "class Own"),
        ("sys.modules[__name__]", "module hotswap_loaded.leaky_"),
        ("self.start", "plugin object Own"),
    ],
)
async def test_an_object_that_is_kept_is_named_with_its_holder(tmp_path: Path, thing: str, name: str) -> None:
    """Of an instance, its class and its module, the one that is held from outside is named, and who holds it."""
    one = await found(tmp_path, f"leaky_plugin.LEFT.append({thing})")
    assert one.kind is Kind.OBJECT
    assert one.name.startswith(name)
    assert one.held_by[-1].startswith("tests.")
    assert one.held_by[-1].endswith(".LEFT (list)")


async def test_an_adapter_is_named_with_the_line_of_its_class(tmp_path: Path) -> None:
    """An adapter that an application keeps is named with the line on which its class begins."""
    path = leaky(tmp_path, call="leaky_plugin.LEFT.append(self)")
    text = (path / "code.py").read_text("utf-8").replace("class Hello(Greeter):", "class Hello(Greeter):  # here")
    (path / "code.py").write_text(text, "utf-8")
    async with kernel(tmp_path) as running:
        one = only(await left_by(running, "leaky"))
    assert one.name == "adapter Hello"
    assert spot(one.made) == marked(path)


@pytest.mark.parametrize(
    ("keep", "last"),
    [
        (lambda thing: setattr(HOLDER, "thing", thing), "tests.unit.test_residue_holders.HOLDER"),
        (lambda thing: setattr(Holder, "current", thing), "class tests.unit.test_residue_holders.Holder"),
        (lambda thing: TABLE.update(it={"deep": [thing]}), "tests.unit.test_residue_holders.TABLE"),
    ],
)
async def test_the_way_to_the_last_holder_is_told(tmp_path: Path, keep: Any, last: str) -> None:
    """Attributes, classes and nested containers are told as a reader would write them."""
    leaky(tmp_path, start="leaky_plugin.LEFT.append(self)")
    async with kernel(tmp_path) as running, watching(running, patience=0) as watch:
        await running.enable("leaky")
        keep(LEFT.pop())
        await running.disable("leaky")
        await imported()
        one = only(await watch.residue())
        HOLDER.thing = Holder.current = None
        TABLE.clear()
    assert one.held_by[-1].startswith(last)
    assert str(one).endswith(f"held by {' <- '.join(one.held_by)}.")


@pytest.mark.parametrize("way", ["task", "thread"])
async def test_a_variable_of_a_call_under_way(tmp_path: Path, way: str) -> None:
    """What a call under way holds in a variable is found, in the application's tasks and in its threads."""
    leaky(tmp_path, start="leaky_plugin.LEFT.append(self)")
    begun, done, over = threading.Event(), threading.Event(), asyncio.Event()

    def work() -> None:
        mine = LEFT.pop()
        begun.set()
        done.wait()
        del mine

    async def hold() -> None:
        mine = LEFT.pop()
        begun.set()
        await over.wait()
        del mine

    async with kernel(tmp_path) as running, watching(running, patience=0) as watch:
        await running.enable("leaky")
        task = asyncio.create_task(hold() if way == "task" else over.wait(), name="holder")
        thread = threading.Thread(target=work if way == "thread" else done.wait, name="holder")
        thread.start()
        await asyncio.to_thread(begun.wait)
        await running.disable("leaky")
        await imported()
        residue = await watch.residue()
        done.set()
        over.set()
        thread.join()
        await task
    assert f"{way} holder" in only(residue).held_by[-1]


HOLDING = {
    "task": "LEFT.append(asyncio.create_task(self.linger()))",
    "thread": """
        LEFT.append(threading.Event())
        threading.Thread(target=self.work, args=(LEFT[-1],)).start()
    """,
    "timer": "LEFT.append(asyncio.get_running_loop().call_later(60, self.work))",
    "patch": "json.dumps = self.work",
    "log filter": "logging.getLogger('own').addFilter(self.work)",
    "signal": "signal.signal(signal.SIGUSR1, self.work)",
}


@pytest.mark.parametrize("what", HOLDING)
async def test_what_another_finding_holds_is_not_told_twice(tmp_path: Path, what: str) -> None:
    """A task, a thread or a timer that is left holds the plugin's objects: it is named, and they are not."""
    methods = """
        async def linger(self):
            await wait()

        def work(self, done, *more):
            done.wait()
    """
    leaky(tmp_path, start=dedent(HOLDING[what]), methods=dedent(methods))
    async with kernel(tmp_path) as running:
        one = only(await left_by(running, "leaky"))
    assert one.kind is not Kind.OBJECT


async def test_an_error_that_the_kernel_keeps_is_no_residue(tmp_path: Path) -> None:
    """Why a plugin failed is kept for whoever asks, with the calls in which it failed; that is nobody's residue."""
    leaky(tmp_path, start="raise RuntimeError('no')")
    async with kernel(tmp_path, "leaky") as running:
        assert running.plugins()["leaky"].error is not None
    running = kernel(tmp_path, "leaky")
    async with watching(running, alone=True, patience=0) as watch:
        async with running:
            await imported()
        assert not await watch.residue()


async def test_a_kernel_that_is_left_within_the_check(tmp_path: Path) -> None:
    """A check may begin before its kernel is entered and end after it was left: then all its plugins are closed."""
    path = leaky(tmp_path, start="LEFT.append(asyncio.create_task(wait()))  # here")
    running = kernel(tmp_path, "leaky")
    async with watching(running, alone=True, patience=0) as watch:
        async with running:
            assert await running.get(Greeter).greet("x") == "hello x"
            assert not await watch.residue()
        await imported()
    assert spot(only(await watch.residue()).made) == marked(path)


async def test_the_check_keeps_nothing_alive(tmp_path: Path) -> None:
    """What the application had of an open plugin's when the check began, and let go of, is not kept by the check."""
    leaky(tmp_path, start="leaky_plugin.LEFT.append(self)")
    async with kernel(tmp_path, "leaky") as running:
        HOLDER.thing = Holder.current = TABLE["it"] = LEFT.pop()
        async with watching(running, patience=30) as watch:
            HOLDER.thing = Holder.current = None
            TABLE.clear()
            await running.disable("leaky")
            assert not await watch.residue()
