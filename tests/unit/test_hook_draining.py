"""A plugin is closed when no call is in one of its handlers any more, or will come to one."""

from __future__ import annotations

import asyncio
import gc
import re
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from loguru import logger

from hotswap.errors import DrainTimeout, HookAborted
from hotswap.hooks import Hooks, Staging
from hotswap.slots import Generation, Provider
from hotswap.wiring import Wiring
from hotswap_ports import Storage
from hotswap_ports.hooks import Abort, HookEvent, Modify
from hotswap_ports.testing import MemoryStorage

PORTS = {"storage": ("put", "get"), "ai": ("stream",)}


@pytest.fixture
def hooks() -> Hooks:
    return Hooks(PORTS)


class Gate:
    """A handler, or a call, that waits until it is let through."""

    def __init__(self, name: str = "", seen: list[str] | None = None) -> None:
        self.name = name
        self.seen = [] if seen is None else seen
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, event: Any = None) -> None:
        self.seen.append(self.name)
        self.reached.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.seen.append(f"{self.name} cut")
            raise
        self.seen.append(f"{self.name} done")


def staged(hooks: Hooks, plugin: str, **handlers: Any) -> Staging:
    """Put the handlers of a plugin in force, by point (``pre_storage__put``)."""
    staging = hooks.staged(plugin)
    for point, handler in handlers.items():
        staging.on(point.replace("__", "."), handler)
    staging.commit()
    return staging


def start(work: Awaitable[Any]) -> asyncio.Future[Any]:
    """Let something begin in a task of its own."""
    return asyncio.ensure_future(work)


async def put(hooks: Hooks, invoke: Callable[..., Awaitable[Any]] | None = None) -> str:
    """Call storage.put through the hooks that are in force."""

    async def made(key: str) -> str:
        if invoke is not None:
            await invoke()
        return f"put {key}"

    found = hooks.for_method("storage", "put")
    result: str = await (made("k") if found is None else found.call(made, {"key": "k"}))
    return result


async def settled(drain: asyncio.Future[Any]) -> bool:
    """Return whether a drain is over, when everything that can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)
    return drain.done()


async def test_nothing_is_waited_for_when_nothing_runs(hooks: Hooks) -> None:
    """A plugin whose handlers have left is drained at once, and so is one that never had any."""
    staging = staged(hooks, "p", pre_storage__put=lambda event: None)
    assert await put(hooks) == "put k"
    staging.discard()
    await staging.drained(0)
    await hooks.staged("none").drained(0)


@pytest.mark.parametrize("point", ["pre_storage__put", "post_storage__put"])
async def test_a_handler_at_work_keeps_its_plugin(hooks: Hooks, point: str) -> None:
    """A plugin that leaves while its handler runs is drained when the handler has ended; new calls go past it."""
    gate = Gate()
    staging = staged(hooks, "p", **{point: gate})
    call = start(put(hooks))
    await gate.reached.wait()
    staging.discard()
    drain = start(staging.drained(5))
    assert not await settled(drain)
    assert await put(hooks) == "put k"
    gate.open.set()
    await drain
    assert await call == "put k"


async def test_a_call_keeps_a_plugin_that_has_handlers_after_it(hooks: Hooks) -> None:
    """A call that began before the switch ends with the handlers it began with, and their plugin waits for that."""
    seen: list[str] = []
    call = Gate()
    staging = staged(
        hooks, "p", pre_storage__put=lambda e: seen.append("pre"), post_storage__put=lambda e: seen.append("post")
    )
    done = start(put(hooks, call))
    await call.reached.wait()
    staging.discard()
    drain = start(staging.drained(5))
    assert not await settled(drain)
    assert seen == ["pre"]
    call.open.set()
    await drain
    assert seen == ["pre", "post"]
    assert await done == "put k"


async def test_a_call_that_has_passed_the_last_handler_keeps_nobody(hooks: Hooks) -> None:
    """A plugin with handlers before a call does not wait for the call itself, however long that takes."""
    gate, call = Gate(), Gate()
    staging = staged(hooks, "p", pre_storage__put=gate)
    done = start(put(hooks, call))
    await gate.reached.wait()
    staging.discard()
    drain = start(staging.drained(5))
    gate.open.set()
    await call.reached.wait()
    await drain
    call.open.set()
    assert await done == "put k"


async def test_the_handlers_of_others_keep_a_plugin_only_before_its_own(hooks: Hooks) -> None:
    """A call that waits in another plugin's handler keeps those whose handlers come after it, and no other."""
    other, between = Gate(), Gate()
    first = staged(hooks, "first", pre_storage__put=lambda event: None)
    staged(hooks, "other", pre_storage__put=other)
    last = staged(hooks, "last", pre_storage__put=between)
    done = start(put(hooks))
    await other.reached.wait()
    hooks.switch(leave=[first, last])
    await first.drained(0)
    drain = start(last.drained(5))
    assert not await settled(drain)
    other.open.set()
    await between.reached.wait()
    assert not await settled(drain)
    between.open.set()
    await drain
    assert await done == "put k"


async def test_each_generation_waits_for_its_own_calls(hooks: Hooks) -> None:
    """Of two generations of a plugin that leave one after the other, each waits for the calls that began with it."""
    gates = [Gate(), Gate()]
    old = staged(hooks, "p", pre_storage__put=gates[0])
    calls = [start(put(hooks))]
    await gates[0].reached.wait()
    new = hooks.staged("p")
    new.on("pre_storage.put", gates[1])
    hooks.switch(come=[new], leave=[old])
    calls.append(start(put(hooks)))
    await gates[1].reached.wait()
    new.discard()
    drains = [start(old.drained(5)), start(new.drained(5))]
    assert not await settled(drains[0])
    gates[1].open.set()
    await drains[1]
    assert not await settled(drains[0])
    gates[0].open.set()
    await drains[0]
    assert await asyncio.gather(*calls) == ["put k"] * 2


async def test_a_handler_taken_out_by_its_plugin_counts_as_well(hooks: Hooks) -> None:
    """What a plugin took out by itself, and what others replaced meanwhile, keeps it while a call is in there."""
    gate = Gate()
    staging = hooks.staged("p")
    leave = staging.on("pre_storage.put", gate)
    staging.commit()
    done = start(put(hooks))
    await gate.reached.wait()
    leave()
    hooks.on("pre_storage.put", lambda event: None)
    staging.discard()
    drain = start(staging.drained(5))
    assert not await settled(drain)
    gate.open.set()
    await drain
    assert await done == "put k"


@pytest.mark.parametrize("change", ["joins", "leaves"])
async def test_a_change_made_within_a_handler_loses_sight_of_no_call(hooks: Hooks, change: str) -> None:
    """A call whose own handler lets others join or leave, before anything has waited, still keeps its plugins."""
    seen: list[str] = []
    call = Gate("call", seen)

    def changes(event: HookEvent) -> None:
        if change == "joins":
            staging.on("pre_storage.put", lambda event: None)
        else:
            staging.discard()

    staging = staged(hooks, "p", pre_storage__put=changes, post_storage__put=lambda event: seen.append("post"))
    done = start(put(hooks, call))
    await call.reached.wait()
    staging.discard()
    drain = start(staging.drained(5))
    assert not await settled(drain)
    call.open.set()
    await drain
    assert await done == "put k"
    assert seen == ["call", "call done", "post"]
    assert hooks.record.counts["post_storage.put", "p"].calls == 1


async def test_the_handlers_for_errors_count_as_well(hooks: Hooks) -> None:
    """A call that may still fail keeps the plugins that have handlers for that."""
    gate, seen = Gate(), []
    staging = staged(hooks, "p", error_storage__put=lambda event: seen.append(str(event.data["error"])))

    async def fails() -> None:
        await gate()
        raise LookupError("gone")

    done = start(put(hooks, fails))
    await gate.reached.wait()
    staging.discard()
    drain = start(staging.drained(5))
    assert not await settled(drain)
    gate.open.set()
    await drain
    assert seen == ["gone"]
    with pytest.raises(LookupError):
        await done


@pytest.mark.parametrize("end", ["read", "closed", "garbage"])
async def test_a_stream_keeps_a_plugin_until_it_ends(hooks: Hooks, end: str) -> None:
    """A stream that is open keeps the plugins with handlers after it, until it is read, closed or thrown away."""
    seen: list[str] = []
    staging = staged(
        hooks, "p", pre_llm_request=lambda e: seen.append("pre"), post_llm_response=lambda e: seen.append("post")
    )

    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2

    found = hooks.for_method("ai", "stream")
    assert found is not None
    stream = found.stream(items, {})
    assert await anext(stream) == 1
    staging.discard()
    drain = start(staging.drained(5))
    assert not await settled(drain)
    if end == "read":
        assert [each async for each in stream] == [2]
    elif end == "closed":
        await stream.aclose()
    else:
        del stream
        gc.collect()
    await drain
    assert seen == (["pre", "post"] if end == "read" else ["pre"])


async def test_points_that_are_fired_count_as_well(hooks: Hooks) -> None:
    """A moment of the host that is being told of keeps the plugins that have yet to hear of it, and no other."""
    first, last = Gate(), Gate()
    one = staged(hooks, "one", on_startup=first)
    two = staged(hooks, "two", on_startup=last)
    fired = start(hooks.fire("on_startup"))
    await first.reached.wait()
    hooks.switch(leave=[one, two])
    assert not (await hooks.fire("on_startup")).results
    drains = [start(one.drained(5)), start(two.drained(5))]
    assert not await settled(drains[0])
    first.open.set()
    await drains[0]
    assert not await settled(drains[1])
    last.open.set()
    await drains[1]
    assert [each.source for each in (await fired).results] == ["one", "two"]


async def test_a_handler_that_is_stuck_is_named_and_cut(hooks: Hooks) -> None:
    """At the deadline the handler is named with point, task and age, and cancelled; its call and all others go on."""
    seen: list[str] = []
    stuck, other = Gate("stuck", seen), Gate("other", seen)
    staging = staged(hooks, "p", pre_storage__put=stuck)
    staged(hooks, "q", pre_storage__put=lambda event: seen.append("q"))
    call = asyncio.create_task(put(hooks), name="caller")
    await stuck.reached.wait()
    staging.discard()
    staged(hooks, "other", pre_storage__put=other)
    beside = start(put(hooks))
    await other.reached.wait()
    with pytest.raises(DrainTimeout) as late:
        await staging.drained(0.02)
    assert (late.value.provider, late.value.seconds, late.value.code) == ("hooks of p", 0.02, "PLUG-016")
    (named,) = late.value.calls
    assert re.fullmatch(r"pre_storage\.put in task caller, after \d+\.\d s", named)
    assert await call == "put k"
    assert call.cancelling() == 0
    assert seen == ["stuck", "q", "other", "stuck cut", "q"]
    assert [(each.source, each.error) for each in hooks.record.failures] == [
        ("p", "TimeoutError: its plugin is going away")
    ]
    other.open.set()
    assert await beside == "put k"


async def test_what_has_not_been_reached_in_time_is_passed_over(hooks: Hooks) -> None:
    """A call that takes too long is not cancelled: it ends without the handlers of the plugin, which is logged."""
    seen: list[str] = []
    logged: list[str] = []
    call, first = Gate("call", seen), Gate("first", seen)
    staged(hooks, "first", pre_storage__put=first)
    plugin = staged(
        hooks, "p", pre_storage__put=lambda e: seen.append("p pre"), post_storage__put=lambda e: seen.append("p post")
    )
    staged(hooks, "q", post_storage__put=lambda e: seen.append("q post"))
    first.open.set()
    early = start(put(hooks, call))
    await call.reached.wait()
    first.open.clear()
    first.reached.clear()
    late = start(put(hooks))
    await first.reached.wait()
    seen.clear()
    plugin.discard()
    sink = logger.add(lambda message: logged.append(message.record["message"]), level="WARNING")
    logger.enable("hotswap")
    try:
        await plugin.drained(0.01)
    finally:
        logger.remove(sink)
    first.open.set()
    call.open.set()
    assert await asyncio.gather(early, late) == ["put k"] * 2
    assert sorted(seen) == ["call done", "first done", "q post", "q post"]
    assert logged == ["Calls that began before 'p' left end without its hooks at post_storage.put, pre_storage.put"]


async def test_a_handler_that_does_not_let_go_is_left(hooks: Hooks) -> None:
    """A handler that goes on after it was cancelled does not keep its plugin for ever."""
    gate = Gate()

    async def stubborn(event: HookEvent) -> None:
        try:
            await gate()
        except asyncio.CancelledError:
            gate.open.clear()
            await asyncio.shield(asyncio.ensure_future(gate.open.wait()))

    staging = staged(hooks, "p", pre_storage__put=stubborn)
    call = start(put(hooks))
    await gate.reached.wait()
    staging.discard()
    with pytest.raises(DrainTimeout):
        await staging.drained(0.01)
    assert not call.done()
    gate.open.set()
    assert await call == "put k"


async def test_a_handler_outside_of_any_task_is_named(hooks: Hooks) -> None:
    """A call that somebody drives by hand, in no task, cannot be cancelled; it is named, and goes on."""

    class Once:
        def __await__(self) -> Any:
            yield None

    async def waits(event: HookEvent) -> None:
        await Once()

    staging = staged(hooks, "p", pre_storage__put=waits)
    call = put(hooks)
    begun = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: begun.set_result(call.send(None)))  # type: ignore[attr-defined]
    await begun
    staging.discard()
    with pytest.raises(DrainTimeout) as late:
        await staging.drained(0.01)
    assert late.value.calls == ("pre_storage.put, outside of any task",)
    with pytest.raises(StopIteration, match="put k"):
        call.send(None)  # type: ignore[attr-defined]


async def test_a_cancelled_wait_is_cancelled(hooks: Hooks) -> None:
    """Who is cancelled while it waits ends cancelled, and no handler with it."""
    gate = Gate()
    staging = staged(hooks, "p", pre_storage__put=gate)
    call = start(put(hooks))
    await gate.reached.wait()
    staging.discard()
    drain = start(staging.drained(5))
    await settled(drain)
    drain.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drain
    gate.open.set()
    assert await call == "put k"
    assert gate.seen == ["", " done"]


@pytest.mark.parametrize("where", ["own", "before", "call"])
async def test_a_plugin_may_be_made_to_leave_from_within_a_handler(hooks: Hooks, where: str) -> None:
    """A handler that lets a plugin leave, and waits for it, is not waited for: nobody waits for himself."""
    seen: list[str] = []
    staging: Staging

    async def leaves(event: HookEvent) -> None:
        await asyncio.sleep(0)
        staging.discard()
        await asyncio.gather(staging.drained(5))  # in a task of its own, as a change is made
        seen.append("left")

    if where == "own":
        staging = staged(hooks, "p", pre_storage__put=leaves, post_storage__put=lambda event: seen.append("p"))
    else:
        hooks.on("pre_storage.put" if where == "before" else "pre_storage.get", leaves)
        staging = staged(hooks, "p", pre_storage__put=lambda event: seen.append("p"))
    if where == "call":
        found = hooks.for_method("storage", "get")
        assert found is not None
        inner = found

        async def get() -> None:
            await inner.call(put, {"hooks": hooks})

        async with asyncio.timeout(2):
            assert await put(hooks, get) == "put k"
        assert seen == ["p", "left"]
    else:
        async with asyncio.timeout(2):
            assert await put(hooks) == "put k"
        assert seen == ["left"]


async def test_a_handler_is_found_by_what_its_task_awaits(hooks: Hooks) -> None:
    """Who looks for a call that is stuck finds the frames of handlers, and of what they call, from the task on."""
    gate = Gate()
    staged(hooks, "p", pre_storage__put=gate)
    hooks.on("pre_storage.get", lambda event: put(hooks))
    found = hooks.for_method("storage", "get")
    assert found is not None
    inner = found

    async def caller() -> str:
        result: str = await inner.call(put, {"hooks": hooks})
        return result

    task = asyncio.create_task(caller())
    await gate.reached.wait()
    names: list[str] = []
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        following = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
        names += [] if frame is None else [frame.f_code.co_name]
        awaited = following if frame is None else frame.f_locals.get("_hotswap_steps", following)
    assert [each for each in names if each in ("put", "__call__")] == ["put", "__call__"]
    gate.open.set()
    assert await task == "put k"


async def test_nothing_of_a_plugin_is_kept_when_its_calls_have_ended(hooks: Hooks) -> None:
    """When the last call that began with a plugin's handlers has ended, nothing leads to them."""

    class Plugin:
        def __init__(self) -> None:
            self.gate = Gate()

        async def before(self, event: HookEvent) -> None:
            await self.gate()

        def after(self, event: HookEvent) -> Modify:
            return Modify({"result": "changed"})

    plugin = Plugin()
    gone = weakref.ref(plugin)
    staging = staged(hooks, "p", pre_storage__put=plugin.before, post_storage__put=plugin.after)
    calls = [start(put(hooks)) for _ in range(3)]
    await plugin.gate.reached.wait()
    plugin.gate.open.set()
    staging.discard()
    del plugin
    await staging.drained(5)
    assert await asyncio.gather(*calls) == ["changed"] * 3
    del calls
    gc.collect()
    assert gone() is None
    assert hooks.record.counts["pre_storage.put", "p"].calls == 3


async def test_an_aborted_call_keeps_nobody(hooks: Hooks) -> None:
    """A call that a handler has stopped has left, whichever handlers it had yet to come to."""
    gate = Gate()

    async def stops(event: HookEvent) -> Abort:
        await gate()
        return Abort("enough")

    hooks.on("pre_storage.put", stops)
    staging = staged(hooks, "p", post_storage__put=lambda event: None)
    call = start(put(hooks))
    await gate.reached.wait()
    staging.discard()
    drain = start(staging.drained(5))
    assert not await settled(drain)
    gate.open.set()
    await drain
    with pytest.raises(HookAborted):
        await call


class Watcher:
    """A plugin with handlers around a call, which are not to run once it is closed."""

    def __init__(self, hooks: Hooks, number: int, late: list[str]) -> None:
        self.closed = False
        self.calls = 0
        self._late = late
        self._name = f"watcher {number}"
        self.staging = hooks.staged("watcher")
        self.staging.on("pre_storage.put", self.waits)
        self.staging.on("pre_storage_write", self.at_once)
        self.staging.on("post_storage.put", self.waits)

    def at_once(self, event: HookEvent) -> None:
        self.check(event)

    async def waits(self, event: HookEvent) -> None:
        self.check(event)
        await asyncio.sleep(0.001)
        self.check(event)

    def check(self, event: HookEvent) -> None:
        self.calls += 1
        if self.closed:
            self._late.append(f"{self._name} at {event.point}")


class Slow(MemoryStorage):
    """Takes a little time."""

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        await asyncio.sleep(0.002)
        return await super().put(key, value, expect=expect)


async def test_hooks_are_replaced_under_load_and_no_call_notices() -> None:
    """64 callers, 30 replacements of a plugin with hooks: every call succeeds, and no handler runs after its close."""
    hooks = Hooks({"storage": ("put", "get")})
    wiring = Wiring({}, hooks)
    wiring.switch([Storage], [Generation(Provider("storage", "slow", "slow", "1.0.0"), Slow(), 1)], [])
    storage = wiring.handle(Storage, None)
    late: list[str] = []
    stop = False
    made = 0

    async def caller(number: int) -> None:
        nonlocal made
        while not stop:
            await storage.put(f"key {number}", b"value")
            made += 1

    current = Watcher(hooks, 0, late)
    current.staging.commit()
    watchers = [current]
    callers = [start(caller(number)) for number in range(64)]
    for number in range(1, 31):
        await asyncio.sleep(0.005)
        new = Watcher(hooks, number, late)
        hooks.switch(come=[new.staging], leave=[current.staging])
        await current.staging.drained(5)
        current.closed = True
        current = new
        watchers.append(new)
    stop = True
    await asyncio.gather(*callers)
    assert late == []
    assert made > 64
    assert all(each.calls for each in watchers)
    assert not hooks.record.failures
    written = hooks.record.counts["pre_storage_write", "watcher"].calls
    assert written == hooks.record.counts["post_storage.put", "watcher"].calls == made


async def test_a_handler_that_was_cut_short_is_not_waited_for_again(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named and cancelled once, however long it takes to end."""
    monkeypatch.setattr("hotswap.hook_leases.GRACE", 0.01)
    leave, reached = asyncio.Event(), asyncio.Event()
    cancelled: list[str] = []

    async def stubborn(event: HookEvent) -> None:
        reached.set()
        while not leave.is_set():
            try:
                await leave.wait()
            except asyncio.CancelledError:
                cancelled.append(event.point)

    staging = staged(hooks, "slow", pre_storage__put=stubborn)
    call = start(put(hooks))
    await reached.wait()
    staging.discard()
    with pytest.raises(DrainTimeout, match=r"pre_storage\.put in task"):
        await staging.drained(0.01)
    async with asyncio.timeout(5):
        await staging.drained(30)
    leave.set()
    assert await call == "put k"
    assert cancelled == ["pre_storage.put"]
