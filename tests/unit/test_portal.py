"""Threads of an async application that call its kernel."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hotswap import Kernel, KernelNotRunning, WouldDeadlock
from hotswap.hooks import surroundings
from hotswap.portal_call import PortalCall
from hotswap_ports import HookContext
from tests.counter import Counter, counter
from tests.plugin_folder import Greeter, greeter, settings

CALLERS = 16
SWAPS = 20


def kernel(root: Path, *enabled: str, **changes: Any) -> Kernel:
    """Return a kernel over the plugins in ``root``."""
    config = {each: {"journal": str(root)} for each in enabled}
    return Kernel(settings(root, *enabled, config=config, **changes), ports=[Greeter, Counter], environ={})


async def test_a_thread_calls_a_live_handle(tmp_path: Path) -> None:
    """``kernel.portal.call`` calls an async method from a thread, with its arguments, and returns its answer."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        handle = running.get(Greeter)
        assert await asyncio.to_thread(running.portal.call, handle.greet, "you", loud=True) == "hello you"
        assert await asyncio.to_thread(running.portal.call, running.get, Greeter) is handle


async def test_a_thread_reads_a_stream(tmp_path: Path) -> None:
    """``kernel.portal.iterate`` gives a thread the items of a stream."""
    counter(tmp_path, "one")
    async with kernel(tmp_path, "one") as running:
        handle = running.get(Counter)
        assert await asyncio.to_thread(lambda: list(running.portal.iterate(handle.count, 3))) == [0, 1, 2]


async def test_the_context_goes_along(tmp_path: Path) -> None:
    """A call from ``asyncio.to_thread`` works on the request of the task that went to the thread."""
    counter(tmp_path, "one")
    async with kernel(tmp_path, "one") as running:
        surroundings.set(HookContext(request_id="r7"))
        request = running.get(Counter).request
        assert await asyncio.to_thread(running.portal.call, request) == "r7"


async def test_on_the_loop_itself(tmp_path: Path) -> None:
    """On the kernel's own loop a blocking call is refused."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        with pytest.raises(WouldDeadlock):
            running.portal.call(running.get(Greeter).greet, "you")


async def test_before_and_after(tmp_path: Path) -> None:
    """A thread that calls a kernel that does not run is told so, while the loop goes on."""
    greeter(tmp_path, "english")
    one = kernel(tmp_path, "english")
    with pytest.raises(KernelNotRunning, match="not entered"):
        await asyncio.to_thread(one.portal.call, one.plugins)
    async with one:
        greet = one.get(Greeter).greet
    with pytest.raises(KernelNotRunning, match="left"):
        await asyncio.to_thread(one.portal.call, greet, "you")


async def test_left_by_one_of_its_own_calls(tmp_path: Path) -> None:
    """A call that leaves the kernel itself does not wait for its own end."""
    greeter(tmp_path, "english")
    one = kernel(tmp_path, "english")
    await one.__aenter__()
    await asyncio.to_thread(one.portal.call, one.__aexit__, None, None, None)
    with pytest.raises(KernelNotRunning):
        one.get(Greeter)


def test_a_loop_that_is_gone(tmp_path: Path) -> None:
    """A kernel that was not left when its loop ended is not running."""
    greeter(tmp_path, "english")
    one = kernel(tmp_path, "english")
    asyncio.run(one.__aenter__())
    with pytest.raises(KernelNotRunning, match="loop"):
        one.portal.call(one.plugins)


async def test_given_up_before_it_began() -> None:
    """A call whose thread was interrupted before the loop had got to it is never made."""
    made: list[int] = []
    call = PortalCall(lambda: made.append(1))
    call.cancel(KeyboardInterrupt())
    call.start(set())
    await asyncio.sleep(0)
    assert isinstance(call.answer.exception(), KeyboardInterrupt)
    assert made == []


Swap = Callable[[Kernel, int], Any]
SWAPPING: dict[str, Swap] = {
    "select": lambda kernel, number: kernel.select(Counter, ("one", "two")[number % 2]),
    "reload": lambda kernel, number: kernel.reload("one"),
    "configure": lambda kernel, number: kernel.configure("one", {"number": number}),
}


@pytest.mark.parametrize("how", SWAPPING)
async def test_swaps_under_load(tmp_path: Path, how: str) -> None:
    """While threads call without a pause, directly, from a pool and in streams, no swap costs a call or a lease."""
    counter(tmp_path, "one")
    counter(tmp_path, "two")
    over = threading.Event()
    async with kernel(tmp_path, "one", "two", ports={"counter": ("one",)}) as running:
        handle, portal = running.get(Counter), running.portal

        def once(number: int) -> None:
            surroundings.set(HookContext(request_id=str(number)))
            assert portal.call(handle.request) == str(number)
            assert list(portal.iterate(handle.count, 3)) == [0, 1, 2]

        def again_and_again(number: int) -> int:
            calls = 0
            while not over.is_set():
                once(number)
                calls += 1
            return calls

        async def hop(number: int) -> int:
            calls = 0
            while not over.is_set():
                await asyncio.to_thread(once, number)
                calls += 1
            return calls

        with ThreadPoolExecutor(CALLERS // 2) as pool:
            loop = asyncio.get_running_loop()
            callers = [loop.run_in_executor(pool, again_and_again, number) for number in range(CALLERS // 2)]
            callers += [asyncio.ensure_future(hop(number)) for number in range(CALLERS // 2)]
            for number in range(1, SWAPS + 1):
                await SWAPPING[how](running, number)
                await asyncio.sleep(0.002)
            over.set()
            assert all(await asyncio.gather(*callers))
        names: list[Any] = [running.get(Counter, name) for name in running.all(Counter)]
        assert [each._slot.generation.leases for each in names] == [0] * len(names)
