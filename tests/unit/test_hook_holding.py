"""Calls wait for a plugin with hooks that is closed before another generation of it is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from loguru import logger

from hotswap.hooks import Hooks, Staging
from hotswap_ports.hooks import HookContext, HookEvent

PORTS = {"storage": ("put", "get"), "ai": ("stream",)}
POINTS = ("pre_storage.put", "post_storage.put", "post_storage.get", "pre_llm_request", "on_startup")


class Plugin:
    """Notes what its handlers are called for, and is not to be called once it is closed."""

    def __init__(self, hooks: Hooks, name: str, seen: list[str], source: str = "p") -> None:
        self.closed = False
        self.staging: Staging = hooks.staged(source)
        for point in POINTS:
            self.staging.on(point, lambda event: seen.append(f"{name}{' late' if self.closed else ''} {event.point}"))


@pytest.fixture
def hooks() -> Hooks:
    return Hooks(PORTS)


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def old(hooks: Hooks, seen: list[str]) -> Plugin:
    plugin = Plugin(hooks, "old", seen)
    plugin.staging.commit()
    return plugin


async def call(hooks: Hooks, method: str, source: str = "", invoke: Callable[[], Any] | None = None) -> str:
    """Call a method of the storage through its hooks."""

    async def made() -> str:
        if invoke is not None:
            await invoke()
        return method

    found = hooks.for_method("storage", method)
    result: str = await (made() if found is None else found.call(made, {}, source=source))
    return result


async def put(hooks: Hooks, source: str = "", invoke: Callable[[], Any] | None = None) -> str:
    return await call(hooks, "put", source, invoke)


async def stream(hooks: Hooks, source: str = "") -> list[int]:
    """Read a stream through its hooks."""

    async def items() -> AsyncIterator[int]:
        yield 1

    found = hooks.for_method("ai", "stream")
    return [each async for each in (items() if found is None else found.stream(items, {}, source=source))]


async def fire(hooks: Hooks, source: str = "") -> list[str]:
    """Fire a point; return who heard of it."""
    return [each.source for each in (await hooks.fire("on_startup", {}, HookContext(source=source))).results]


async def begin(*works: Any) -> list[asyncio.Future[Any]]:
    """Start what is given, and let it go as far as it can."""
    started = [asyncio.ensure_future(each) for each in works]
    for _ in range(20):
        await asyncio.sleep(0)
    return started


@pytest.mark.parametrize("closing", ["", "discards"])
@pytest.mark.parametrize("waits", [put, stream, fire])
async def test_a_call_waits_and_goes_to_the_new_handlers(
    hooks: Hooks, seen: list[str], old: Plugin, waits: Callable[[Hooks], Any], closing: str
) -> None:
    """From hold to release no handler of either generation runs; what waited is seen by the new one alone."""
    release = old.staging.hold(5)
    await old.staging.drained(0)
    old.closed = True
    if closing == "discards":
        old.staging.discard()
    (waiting,) = await begin(waits(hooks))
    assert (waiting.done(), seen) == (False, [])
    new = Plugin(hooks, "new", seen)
    hooks.switch(come=[new.staging], leave=[old.staging])
    release()
    release()
    await waiting
    heard = list(seen)
    assert heard
    assert all(each.startswith("new ") for each in heard)
    assert await waits(hooks)
    assert seen == heard * 2


async def test_calls_inside_are_drained_while_others_wait(hooks: Hooks, seen: list[str], old: Plugin) -> None:
    """A call that began before the hold ends with the old handlers, and is what ``drained`` waits for."""
    gate = asyncio.Event()
    (inside,) = await begin(put(hooks, invoke=gate.wait))
    release = old.staging.hold(5)
    waiting, drain = await begin(put(hooks), old.staging.drained(5))
    assert not drain.done()
    gate.set()
    await drain
    assert await inside == "put"
    assert (waiting.done(), seen) == (False, ["old pre_storage.put", "old post_storage.put"])
    release()
    assert await waiting == "put"


async def test_a_plugin_may_leave_while_it_is_held(hooks: Hooks, seen: list[str], old: Plugin) -> None:
    """Calls that waited for a plugin of which no other generation came go on without it."""
    release = old.staging.hold(5)
    waiting = await begin(put(hooks), stream(hooks), fire(hooks))
    old.staging.discard()
    release()
    assert await asyncio.gather(*waiting) == ["put", [1], []]
    assert seen == []


async def test_the_old_handlers_serve_on_when_nothing_came_of_it(hooks: Hooks, seen: list[str], old: Plugin) -> None:
    """Released without a switch, the calls that waited come to the handlers they would have come to."""
    release = old.staging.hold(5)
    (waiting,) = await begin(put(hooks))
    release()
    assert await waiting == "put"
    assert seen == ["old pre_storage.put", "old post_storage.put"]
    old.staging.discard()
    assert await put(hooks) == "put"


@pytest.mark.parametrize("waits", [put, stream, fire])
async def test_a_call_waits_only_so_long(
    hooks: Hooks, seen: list[str], old: Plugin, waits: Callable[[Hooks], Any]
) -> None:
    """A call that has waited its time goes past the handlers that are held, and no other; that is logged."""
    logged: list[str] = []
    hooks.on("pre_storage.put", lambda event: seen.append("other"))
    hooks.on("pre_llm_request", lambda event: seen.append("other"))
    hooks.on("on_startup", lambda event: seen.append("other"))
    release = old.staging.hold(0.01)
    sink = logger.add(lambda message: logged.append(message.record["message"]), level="WARNING")
    logger.enable("hotswap")
    try:
        await waits(hooks)
    finally:
        logger.remove(sink)
    assert seen == ["other"]
    assert logged == ["A call waited 0.01 s for 'p' to be replaced, and goes on without its hooks"]
    release()


@pytest.mark.parametrize("goes", [put, stream, fire])
async def test_a_plugin_does_not_wait_for_itself(
    hooks: Hooks, seen: list[str], old: Plugin, goes: Callable[[Hooks, str], Any]
) -> None:
    """What a plugin calls while its hooks are held, on its way out or in, goes past them."""
    release = old.staging.hold(5)
    async with asyncio.timeout(2):
        await goes(hooks, "p")
    assert seen == []
    release()


@pytest.mark.parametrize("where", ["handler", "call", "task"])
async def test_what_a_plugin_waits_for_does_not_wait_for_it(
    hooks: Hooks, seen: list[str], old: Plugin, where: str
) -> None:
    """Calls from within another's handler, or a call that the plugin has yet to hear of, go past it, in any task."""
    gate = asyncio.Event()

    async def nested(event: HookEvent | None = None) -> None:
        await gate.wait()
        await (asyncio.gather(put(hooks)) if where == "task" else put(hooks))

    if where == "handler":
        hooks.on("pre_storage.get", nested)
    (outer,) = await begin(call(hooks, "get", invoke=None if where == "handler" else nested))
    release = old.staging.hold(5)
    gate.set()
    async with asyncio.timeout(2):
        await old.staging.drained(5)
        assert await outer == "get"
    assert seen == ["old post_storage.get"]
    release()


@pytest.mark.parametrize("waits", [put, stream, fire])
async def test_a_call_goes_past_what_begins_to_wait_for_it(
    hooks: Hooks, seen: list[str], old: Plugin, waits: Callable[[Hooks], Any]
) -> None:
    """A call that waits goes on, past the handlers that are held, when it turns out that it is waited for itself."""
    needed = False
    release = old.staging.hold(60, lambda task: needed)
    (waiting,) = await begin(waits(hooks))
    assert not waiting.done()
    needed = True
    async with asyncio.timeout(5):
        await waiting
    assert seen == []
    release()


async def test_two_plugins_may_be_held_at_once(hooks: Hooks, seen: list[str], old: Plugin) -> None:
    """A call waits for every plugin that is held, and each may be released first."""
    other = Plugin(hooks, "other", seen, source="q")
    other.staging.commit()
    for first in (0, 1):
        releases = [old.staging.hold(5), other.staging.hold(5)]
        (waiting,) = await begin(put(hooks))
        releases[first]()
        await begin()
        assert not waiting.done()
        releases[1 - first]()
        assert await waiting == "put"
    assert len(seen) == 8
