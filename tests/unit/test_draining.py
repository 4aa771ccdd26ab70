"""Calls that are still inside at the deadline: they are found, named and ended once, however they are awaited."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, ClassVar

import pytest

import hotswap.generation
from hotswap.errors import CallEvicted, DrainTimeout
from hotswap.generation import Generation, Provider
from hotswap.slots import Slot
from hotswap_ports import Port
from tests.waiting import until


class Clock(Port):
    """A port to wait at."""

    PORT: ClassVar[str] = "clock"
    VERSION: ClassVar[str] = "1.0.0"

    async def strike(self, how: str = "") -> str:
        """Wait for ever."""
        raise NotImplementedError

    def ticks(self, how: str = "") -> AsyncIterator[int]:
        """Wait for ever, before the first item or after it."""
        raise NotImplementedError


class Tower(Clock):
    """Counts the calls that wait, and how often they are cancelled."""

    def __init__(self, within: Clock | None = None) -> None:
        self.within = within
        self.waiting = self.cancelled = self.cleaned = 0
        self.gate = asyncio.Event()

    async def strike(self, how: str = "") -> str:
        if self.within is not None:
            within, self.within = self.within, None
            try:
                return await within.strike(how)
            except CallEvicted:
                return "went on all the same"
        try:
            await self._wait()
        finally:
            if how == "fails":
                raise ValueError("no rope")
            if how == "cleans up":
                await self._clean_up()
        return "struck"

    async def ticks(self, how: str = "") -> AsyncIterator[int]:
        if how != "late":
            yield 1
            yield 2
        await self._wait()
        yield 3

    async def _wait(self) -> None:
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def _clean_up(self) -> None:
        try:
            await self.gate.wait()
            self.cleaned += 1
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def tower(within: Clock | None = None, name: str = "tower") -> tuple[Any, Generation, Tower]:
    """Return a handle, the generation that it leads to, and the adapter of that."""
    adapter = Tower(within)
    slot = Slot(Clock)
    slot.generation = Generation(Provider("clock", name, name, "1.0.0"), adapter, 1)
    return slot.handle(), slot.generation, adapter


class Returned:
    """Its ``__await__`` returns the iterator of a coroutine."""

    def __init__(self, work: Any) -> None:
        self.work = work

    def __await__(self) -> Any:
        return self.work.__await__()


class Generated(Returned):
    """Its ``__await__`` is a generator."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self.work.__await__())


class Proxy:
    """It cannot be asked what it is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("there is nothing behind this")

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise RuntimeError("there is nothing behind this")


class Stepped:
    """Its ``__await__`` returns an iterator that is written by hand."""

    def __init__(self, work: Any) -> None:
        self.proxy = Proxy()
        self.steps = work.__await__()

    def __await__(self) -> Any:
        return self

    __iter__ = __await__

    def __next__(self) -> Any:
        return self.steps.send(None)

    def send(self, value: Any) -> Any:
        return self.steps.send(value)

    def throw(self, *error: Any) -> Any:
        return self.steps.throw(*error)


@types.coroutine
def _by_generator(work: Any) -> Generator[Any, Any, Any]:
    return (yield from work.__await__())


async def _of_task_group(work: Any) -> Any:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
    return task.result()


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "wait_for": lambda handle: asyncio.wait_for(handle.strike(), 30),
    "an object": lambda handle: Returned(handle.strike()),
    "an object with a generator": lambda handle: Generated(handle.strike()),
    "an object that steps": lambda handle: Stepped(handle.strike()),
    "types.coroutine": lambda handle: _by_generator(handle.strike()),
    "shield": lambda handle: asyncio.shield(handle.strike()),
    "anext": lambda handle: anext(handle.ticks("late")),
    "anext with a default": lambda handle: anext(handle.ticks("late"), None),
    "wait_for anext": lambda handle: asyncio.wait_for(anext(handle.ticks("late")), 30),
    "wait_for anext with a default": lambda handle: asyncio.wait_for(anext(handle.ticks("late"), None), 30),
    "asend": lambda handle: handle.ticks("late").asend(None),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_is_named_and_cancelled_however_it_is_awaited(way: str) -> None:
    """What a task waits for may be any object around the call: its caller gets CallEvicted at the deadline."""
    handle, generation, adapter = tower()

    async def caller() -> object:
        return await WAYS[way](handle)

    task = asyncio.create_task(caller())
    await until(lambda: adapter.waiting)
    with pytest.raises(DrainTimeout) as timeout:
        await generation.drain(0.01)
    assert len(timeout.value.calls) == 1
    assert not timeout.value.untraced
    with pytest.raises(CallEvicted):
        await task
    assert generation.leases == 0


async def test_a_task_that_waits_for_another_one_is_not_taken_for_it() -> None:
    """Only the task that is inside is cancelled, and not the one that waits for its end."""
    handle, generation, adapter = tower()
    inside = asyncio.create_task(handle.strike())

    async def wait() -> set[str]:
        await asyncio.wait([inside])
        return {str(asyncio.current_task() and asyncio.current_task().cancelling())}  # type: ignore[union-attr]

    outside = asyncio.create_task(wait())
    await until(lambda: adapter.waiting)
    with pytest.raises(DrainTimeout) as timeout:
        await generation.drain(0.01)
    assert len(timeout.value.calls) == 1
    assert await outside == {"0"}
    assert isinstance(inside.exception(), CallEvicted)


async def test_a_call_that_leads_to_no_task_is_not_said_to_be_cancelled() -> None:
    """DrainTimeout says that such a call goes on, and it is not waited for a second time."""
    handle, generation, adapter = tower()
    by_hand = handle.strike()
    by_hand.send(None)
    task = asyncio.create_task(handle.strike())
    await until(lambda: adapter.waiting == 2)
    with pytest.raises(DrainTimeout, match="were not cancelled, and it is closed while they are inside") as timeout:
        await generation.drain(0.01)
    assert timeout.value.untraced == 1
    assert len(timeout.value.calls) == 1
    assert "1 call(s) did not leave 'tower 1.0.0' within 0.01 s and were cancelled" in str(timeout.value)
    with pytest.raises(CallEvicted):
        await task
    async with asyncio.timeout(5):
        await generation.drain(30)
    by_hand.close()
    assert generation.leases == 0


def test_calls_that_lead_to_no_task_are_all_that_is_told_where_there_are_no_others() -> None:
    """The sentence has no empty list of calls."""
    assert "were cancelled" not in str(DrainTimeout("tower 1.0.0", 3, (), 2))


async def test_a_call_whose_cleanup_takes_its_time_is_cancelled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for, nor cancelled, again; its caller gets CallEvicted and a task like any other."""
    monkeypatch.setattr(hotswap.generation, "GRACE", 0.01)
    handle, generation, adapter = tower()

    async def caller() -> tuple[str, int]:
        task: Any = asyncio.current_task()
        with pytest.raises(CallEvicted):
            await handle.strike("cleans up")
        return "went on", task.cancelling()

    task = asyncio.create_task(caller())
    await until(lambda: adapter.waiting)
    with pytest.raises(DrainTimeout):
        await generation.drain(0.01)
    async with asyncio.timeout(5):
        await generation.drain(30)
    adapter.gate.set()
    assert await task == ("went on", 0)
    assert (adapter.cancelled, adapter.cleaned) == (1, 1)


async def test_a_call_that_fails_when_it_is_cancelled_has_been_evicted() -> None:
    """What its cleanup raised is the cause."""
    handle, generation, adapter = tower()
    task = asyncio.create_task(handle.strike("fails"))
    await until(lambda: adapter.waiting)
    with pytest.raises(DrainTimeout):
        await generation.drain(0.01)
    with pytest.raises(CallEvicted) as evicted:
        await task
    assert isinstance(evicted.value.__cause__, ValueError)


async def test_calls_that_come_after_a_deadline_are_waited_for() -> None:
    """What was given up is not waited for again, and what has come since then is."""
    handle, generation, adapter = tower()
    items = handle.ticks()
    assert await anext(items) == 1
    with pytest.raises(DrainTimeout):
        await generation.drain(0.01)
    async with asyncio.timeout(5):
        await generation.drain(30)
    later = asyncio.create_task(handle.strike())
    await until(lambda: adapter.waiting)
    draining = asyncio.create_task(generation.drain(30))
    await until(lambda: generation._drained is not None)
    with pytest.raises(CallEvicted):
        await anext(items)
    await asyncio.sleep(0)
    assert not draining.done()
    later.cancel()
    async with asyncio.timeout(5):
        await draining


async def test_a_stream_that_begins_after_a_deadline_is_none_of_those_it_ended() -> None:
    """Those that were cut get an error, also where the provider serves on after all; those that come go on."""
    handle, generation, _ = tower()
    items, others = handle.ticks(), handle.ticks()
    assert [await anext(items), await anext(others)] == [1, 1]
    with pytest.raises(DrainTimeout):
        await generation.drain(0.01)
    new = handle.ticks()
    assert [await anext(new), await anext(new)] == [1, 2]
    with pytest.raises(CallEvicted):
        await anext(items)
    generation.resume()
    with pytest.raises(CallEvicted):
        await anext(others)
    await new.aclose()
    assert generation.leases == 0


async def test_a_call_that_leads_back_to_its_provider_is_one_call() -> None:
    """What it calls in turn ends with it: it is named once, and the eviction ends where it began."""
    handle, generation, adapter = tower()
    adapter.within = handle
    task = asyncio.create_task(handle.strike())
    await until(lambda: adapter.waiting)
    assert generation.leases == 2
    with pytest.raises(DrainTimeout) as timeout:
        await generation.drain(0.01)
    assert (len(timeout.value.calls), timeout.value.untraced) == (1, 0)
    with pytest.raises(CallEvicted):
        await task


async def test_two_providers_that_leave_together_cancel_a_call_through_both_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cleanup goes on though the second deadline comes after the first, and the outer call has ended at its own."""
    monkeypatch.setattr(hotswap.generation, "GRACE", 0.01)
    inner_handle, inner, adapter = tower()
    handle, outer, _ = tower(inner_handle, "square")
    task = asyncio.create_task(handle.strike("cleans up"))
    await until(lambda: adapter.waiting)
    for each in (inner, outer):
        with pytest.raises(DrainTimeout):
            await each.drain(0.01)
    adapter.gate.set()
    with pytest.raises(CallEvicted, match="inside square"):
        await task
    assert (adapter.cancelled, adapter.cleaned, task.cancelling()) == (1, 1, 0)
