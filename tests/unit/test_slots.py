"""Handles, slots, generations and leases, without a kernel around them."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from collections.abc import AsyncIterator
from typing import Any, ClassVar, get_type_hints

import pytest

from hotswap.ahead import Ahead
from hotswap.errors import CallEvicted, DrainTimeout, PortAmbiguous, PortUnfilled
from hotswap.generation import Generation, Provider
from hotswap.handles import handle_class
from hotswap.holding import Held, Hold
from hotswap.relays import relayed
from hotswap.selection import choose
from hotswap.slots import Slot
from hotswap_ports import AdapterFailed, AIProvider, NotFound, Port, Scraper, Search, Storage
from hotswap_ports.errors import WrongTest
from hotswap_ports.methods import port_methods


class Feed(Port):
    """A port with every kind of method."""

    PORT: ClassVar[str] = "feed"
    VERSION: ClassVar[str] = "1.0.0"

    async def one(self, first: int, /, second: int = 2, *rest: int, third: int, **more: int) -> tuple[Any, ...]:
        """Return the arguments."""
        raise NotImplementedError

    def many(self, count: int = 3) -> AsyncIterator[int]:
        """Count."""
        raise NotImplementedError

    def label(self) -> str:
        """Return a label at once."""
        raise NotImplementedError


class Feeder(Feed):
    """Implements it, and notes what happens."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.entered = asyncio.Event()
        self.ended = 0

    async def one(self, first: int, /, second: int = 2, *rest: int, third: int, **more: int) -> tuple[Any, ...]:
        if third < 0:
            self.entered.set()
            await self.gate.wait()
        if third == 404:
            raise NotFound("it is not there")
        if third == 500:
            raise RuntimeError("oops")
        return first, second, rest, third, more

    async def many(self, count: int = 3) -> AsyncIterator[int]:
        try:
            for each in range(count):
                yield each
                if each == 13:
                    raise RuntimeError("unlucky")
        finally:
            self.ended += 1

    def label(self) -> str:
        return "feeder"


def generation(target: Port, number: int = 1) -> Generation:
    """Return an opened generation around ``target``."""
    return Generation(Provider("feed", "feeder", "feeder", "1.0.0"), target, number)


@pytest.fixture
def slot() -> Slot:
    """Return a slot that leads to a Feeder."""
    slot = Slot(Feed)
    slot.generation = generation(Feeder())
    return slot


def handle_of(slot: Slot) -> Feed:
    """Return the application's handle, typed."""
    handle = slot.handle()
    assert isinstance(handle, Feed)
    return handle


async def test_every_kind_of_parameter_arrives(slot: Slot) -> None:
    """Positional, keyword-only, variadic and default arguments arrive as they were given."""
    feed = handle_of(slot)
    assert await feed.one(1, third=3) == (1, 2, (), 3, {})
    assert await feed.one(1, 5, 6, 7, third=3, x=9) == (1, 5, (6, 7), 3, {"x": 9})
    assert feed.label() == "feeder"


@pytest.mark.parametrize("port", [Scraper, AIProvider, Storage, Search, Feed])
def test_handles_have_the_ports_signatures(port: type[Port]) -> None:
    """inspect and typing see on a handle's class what stands in the port."""
    for method in port_methods(port):
        generated = getattr(handle_class(port), method.name)
        assert inspect.signature(generated) == inspect.signature(method.function)
        assert get_type_hints(generated) == get_type_hints(method.function)
        assert generated.__doc__ == method.function.__doc__


async def test_errors_leave_as_the_ports_errors(slot: Slot) -> None:
    """A port's own error passes as it is; any other becomes AdapterFailed with its cause."""
    feed = handle_of(slot)
    with pytest.raises(NotFound, match="it is not there"):
        await feed.one(1, third=404)
    with pytest.raises(AdapterFailed, match="feeder failed in one: RuntimeError: oops") as failed:
        await feed.one(1, third=500)
    assert isinstance(failed.value.__cause__, RuntimeError)
    with pytest.raises(AdapterFailed, match="unlucky"):
        [each async for each in feed.many(99)]


async def test_what_says_that_the_test_is_wrong_passes_as_it_is(slot: Slot) -> None:
    """It is no failure of the provider, whatever kind of method raised it, and the lease is given back."""

    class Wrong(Feed):
        async def one(self, first: int, /, second: int = 2, *rest: int, third: int, **more: int) -> tuple[Any, ...]:
            raise WrongTest("nobody answers")

        async def many(self, count: int = 3) -> AsyncIterator[int]:
            yield 1
            raise WrongTest("nobody answers")

        def label(self) -> str:
            raise WrongTest("nobody answers")

    failures: list[Exception] = []
    slot.generation = current = generation(Wrong())
    current.on_failure = lambda failed, error: failures.append(error)
    feed = handle_of(slot)
    with pytest.raises(WrongTest):
        await feed.one(1, third=3)
    with pytest.raises(WrongTest):
        [each async for each in feed.many()]
    with pytest.raises(WrongTest):
        feed.label()
    assert (current.leases, failures) == (0, [])


async def test_an_empty_slot_says_that_nobody_is_there() -> None:
    """A handle of a port that nobody provides raises PortUnfilled at each call, and works once somebody does."""
    slot = Slot(Feed)
    feed = handle_of(slot)
    for _ in range(2):
        with pytest.raises(PortUnfilled):
            await feed.one(1, third=3)
    with pytest.raises(PortUnfilled):
        feed.label()
    slot.generation = generation(Feeder())
    assert await feed.one(1, third=3)


async def test_a_generation_drains_when_its_last_call_has_left(slot: Slot) -> None:
    """drain waits for the calls inside, and a call that starts afterwards goes to the new generation."""
    feed, old = handle_of(slot), slot.generation
    inside = asyncio.create_task(feed.one(1, third=-1))
    await old.target.entered.wait()
    assert old.leases == 1
    slot.generation = generation(Feeder(), 2)
    drained = asyncio.create_task(old.drain(5))
    await asyncio.sleep(0)
    assert await feed.one(1, third=3)
    assert not drained.done()
    old.target.gate.set()
    await inside
    await drained
    assert old.leases == 0


async def test_a_cancelled_call_gives_its_lease_back(slot: Slot) -> None:
    """Cancelling a call leaves no lease behind."""
    feed = handle_of(slot)
    inside = asyncio.create_task(feed.one(1, third=-1))
    await slot.generation.target.entered.wait()
    inside.cancel()
    await asyncio.gather(inside, return_exceptions=True)
    await slot.generation.drain(1)


async def test_a_stream_holds_its_lease_until_it_ends_is_closed_or_is_garbage(slot: Slot) -> None:
    """A stream counts as a call from its first item until its end, whichever way that comes."""
    feed, target = handle_of(slot), slot.generation.target
    stream = feed.many()
    assert slot.generation.leases == 0
    assert [each async for each in stream] == [0, 1, 2]
    assert (slot.generation.leases, target.ended) == (0, 1)
    closed: Any = feed.many()
    await anext(closed)
    assert slot.generation.leases == 1
    await closed.aclose()
    assert (slot.generation.leases, target.ended) == (0, 2)
    dropped: Any = feed.many()
    await anext(dropped)
    del dropped
    gc.collect()
    async with asyncio.timeout(5):
        while slot.generation.leases:
            await asyncio.sleep(0.001)
    assert target.ended == 3


async def test_a_drain_that_takes_too_long_names_and_cancels_the_calls_inside_and_only_them(slot: Slot) -> None:
    """DrainTimeout says which calls were stuck, those are cancelled, and other tasks go on."""
    feed, old = handle_of(slot), slot.generation

    async def nested() -> None:
        await feed.one(1, third=-1)

    async def streaming() -> None:
        async for _ in feed.many(2):
            await asyncio.Event().wait()

    stuck = asyncio.create_task(nested(), name="stuck caller")
    reader = asyncio.create_task(streaming(), name="reader")
    other = asyncio.create_task(asyncio.sleep(30))
    await old.target.entered.wait()
    slot.generation = generation(Feeder(), 2)
    with pytest.raises(DrainTimeout, match=r"feed\.one in task stuck caller") as timeout:
        await old.drain(0.01)
    await asyncio.wait([stuck])
    assert isinstance(stuck.exception(), CallEvicted)
    assert not other.done()
    assert not reader.done()
    assert "nested" in timeout.value.calls[0]
    assert "test_slots.py" in timeout.value.calls[0]
    assert timeout.value.calls[1].startswith("feed.many, between two items of a stream")
    for task in (other, reader):
        task.cancel()
    await asyncio.gather(other, reader, return_exceptions=True)


def test_choosing_a_provider() -> None:
    """Selected first, then the one in use, then the next by name; several without a choice are ambiguous."""
    assert choose("p", ["a", "b"], ["x", "b"], "a") == "b"
    assert choose("p", ["a", "b"], [], "b") == "b"
    assert choose("p", ["a"], [], "") == "a"
    assert choose("p", ["b", "a"], [], "gone") == "a"
    assert isinstance(choose("p", [], ["a"], ""), PortUnfilled)
    assert isinstance(choose("p", ["a", "b"], [], ""), PortAmbiguous)


class Waiting(Feed):
    """An adapter whose stream waits between its items."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()

    async def many(self, count: int = 3) -> AsyncIterator[int]:
        yield 1
        self.waiting.set()
        await asyncio.Event().wait()


async def test_a_drain_finds_those_that_wait_for_a_stream(slot: Slot) -> None:
    """A task that waits for the next item of a stream is inside the provider, and is named at the deadline."""
    adapter = Waiting()
    slot.generation = stuck = generation(adapter)
    handle = handle_of(slot)

    async def read() -> list[int]:
        return [each async for each in handle.many()]

    task = asyncio.create_task(read(), name="reader")
    await adapter.waiting.wait()
    with pytest.raises(DrainTimeout, match=r"feed\.many in task reader"):
        await stuck.drain(0.01)
    assert isinstance(task.exception(), CallEvicted)
    assert stuck.leases == 0


async def test_a_stream_between_two_items_is_closed_and_its_reader_told(slot: Slot) -> None:
    """At the deadline a stream that nobody reads just now is named and closed; who reads on gets an error, no end."""
    items = handle_of(slot).many()
    old = slot.generation
    assert await anext(items) == 0
    with pytest.raises(DrainTimeout, match=r"feed\.many, between two items of a stream"):
        await old.drain(0.01)
    assert old.target.ended == 1
    with pytest.raises(CallEvicted, match=r"feed\.many was cancelled: it was still inside feeder 1\.0\.0"):
        await anext(items)
    assert old.leases == 0


async def test_a_stuck_call_that_had_to_wait_names_the_plugin_that_made_it(slot: Slot) -> None:
    """Whose handle a call began with is told, also where it waited and went on by another one."""
    provider = slot.generation
    hold = Hold(generation(Feeder(), 2), Ahead({}), seconds=30)
    onward: Any = handle_class(Feed)
    slot.generation = relayed(Feed, provider.provider, Held(hold, onward(slot, "")))
    handle: Any = slot.handle("news#3")
    task = asyncio.create_task(handle.one(1, third=-1), name="reader")
    await asyncio.sleep(0)
    slot.generation = provider
    hold.release()
    await provider.target.entered.wait()
    with pytest.raises(DrainTimeout) as timeout:
        await provider.drain(0.01)
    assert [each.split(" for ")[0] for each in timeout.value.calls] == ["feed.one in task reader"]
    assert timeout.value.calls[0].endswith("called by plugin 'news'")
    await asyncio.wait([task])


async def test_the_caller_of_a_stuck_call_goes_on_after_its_error(slot: Slot) -> None:
    """The deadline ends the call and not the task that made it; a task that is cancelled as well is cancelled."""
    feed, old = handle_of(slot), slot.generation

    async def work() -> str:
        try:
            await feed.one(1, third=-1)
        except CallEvicted:
            await asyncio.sleep(0)
            return "went on"
        return "never"

    stuck, cancelled = asyncio.create_task(work()), asyncio.create_task(work())
    async with asyncio.timeout(5):
        while old.leases < 2:
            await asyncio.sleep(0)
    drain = asyncio.create_task(old.drain(0.01))
    async with asyncio.timeout(5):
        while not old.cut:
            await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(DrainTimeout):
        await drain
    assert await stuck == "went on"
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_synchronous_calls_in_threads_are_waited_for(slot: Slot) -> None:
    """A synchronous method that runs in a thread holds a lease like any other call."""
    entered, leave = threading.Event(), threading.Event()

    class Slow(Feeder):
        def label(self) -> str:
            entered.set()
            leave.wait(5)
            return "slow"

    slot.generation = old = generation(Slow())
    calling = asyncio.create_task(asyncio.to_thread(handle_of(slot).label))
    await asyncio.to_thread(entered.wait, 5)
    slot.generation = generation(Feeder(), 2)
    draining = asyncio.create_task(old.drain(5))
    await asyncio.sleep(0)
    assert not draining.done()
    assert old.leases == 1
    leave.set()
    await draining
    assert await calling == "slow"


async def test_a_pinned_handle_goes_on_alone(slot: Slot) -> None:
    """A handle that was pinned leads to its generation; all others follow the slot."""
    mine, other = slot.handle("own#1"), slot.handle()
    old = slot.generation
    slot.pin("own#1", old)
    slot.generation = slot.empty()
    assert mine.label() == "feeder"  # type: ignore[attr-defined]
    with pytest.raises(PortUnfilled):
        other.label()  # type: ignore[attr-defined]
    assert repr(mine) == "<live handle of feed -> <generation 1 of feeder 1.0.0, 0 leases>>"
