"""Whether some code runs within a call, found out from the tasks that wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest

from hotswap.generation import Generation, Provider
from hotswap.stuck import generation_of
from hotswap.within import is_inside, runs_within

Ask = Callable[[], Awaitable[bool]]


def generation() -> Generation:
    target: Any = None
    return Generation(Provider("greeter", "own", "own", "1.0.0"), target, 1)


async def directly(ask: Ask) -> bool:
    return await ask()


async def in_a_task(ask: Ask) -> bool:
    return await asyncio.create_task(_of(ask))


async def in_gather(ask: Ask) -> bool:
    return (await asyncio.gather(asyncio.sleep(0, False), ask()))[1]


async def in_gather_of_gather(ask: Ask) -> bool:
    return (await asyncio.gather(in_gather(ask)))[0]


async def in_wait_for(ask: Ask) -> bool:
    return await asyncio.wait_for(_of(ask), 10)


async def in_wait(ask: Ask) -> bool:
    done, _ = await asyncio.wait([asyncio.create_task(_of(ask))])
    return done.pop().result()


async def in_shield(ask: Ask) -> bool:
    return await asyncio.shield(_of(ask))


async def in_as_completed(ask: Ask) -> bool:
    return await next(iter(asyncio.as_completed([_of(ask)])))


async def in_a_task_group(ask: Ask) -> bool:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_of(ask))
    return task.result()


async def in_a_task_group_of_anyio(ask: Ask) -> bool:
    answers = []

    async def asking() -> None:
        answers.append(await ask())

    async with anyio.create_task_group() as group:
        group.start_soon(asking)
    return answers[0]


async def _of(ask: Ask) -> bool:
    return await ask()


@pytest.mark.parametrize(
    "how",
    [
        directly, in_a_task, in_gather, in_gather_of_gather, in_wait_for, in_wait, in_shield, in_as_completed,
        in_a_task_group, in_a_task_group_of_anyio,
    ],
)  # fmt: skip
async def test_what_a_call_waits_for_is_within_it(how: Callable[[Ask], Awaitable[bool]]) -> None:
    """Code in a task of its own is within the call that waits for that task, and within no other."""
    inside, other = generation(), generation()

    async def asks() -> bool:
        return is_inside(inside) and not is_inside(other)

    assert await inside.call("greet", lambda target: how(asks))
    assert not await how(asks)


async def test_what_a_call_only_started_is_not_within_it_until_it_waits() -> None:
    """A task that was started within a call is within it from the moment on that the call waits for it."""
    inside = generation()
    gates = {each: asyncio.Event() for each in ("first", "then")}
    answers: dict[str, bool] = {}

    async def asks() -> None:
        for name, each in gates.items():
            await each.wait()
            answers[name] = is_inside(inside)

    async def started(waits: asyncio.Event) -> None:
        task = asyncio.create_task(asks())
        await waits.wait()
        await task

    waits = asyncio.Event()
    call = asyncio.create_task(inside.call("greet", lambda target: started(waits)))
    gates["first"].set()
    while "first" not in answers:
        await asyncio.sleep(0)
    waits.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gates["then"].set()
    await call
    assert answers == {"first": False, "then": True}


async def test_siblings_of_a_call_are_not_within_it() -> None:
    """Tasks that somebody waits for together with a call are not within that call."""
    inside = generation()
    gate = asyncio.Event()

    async def sibling() -> bool:
        gate.set()
        return is_inside(inside)

    async with asyncio.TaskGroup() as group:
        group.create_task(inside.call("greet", lambda target: gate.wait()))
        task = group.create_task(sibling())
    assert not task.result()
    assert (await asyncio.gather(inside.call("greet", lambda target: gate.wait()), sibling()))[1] is False


@pytest.mark.parametrize("wrapped", [False, True])
async def test_who_reads_a_stream_is_within_it_between_two_items(wrapped: bool) -> None:
    """Code that waits between two items of a stream, its reader's own wrapper around it or not, is within that call."""
    inside, other = generation(), generation()
    gate, asks = asyncio.Event(), asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        yield 1

    async def read() -> None:
        stream = inside.stream("many", lambda target: numbers())
        async for _ in (each async for each in stream) if wrapped else stream:
            asks.set()
            await gate.wait()

    async def read_through() -> None:
        await asyncio.gather(read())

    for reads in (read, read_through):
        gate.clear()
        asks.clear()
        task = asyncio.create_task(reads())
        await asks.wait()
        reader = next(each for each in asyncio.all_tasks() if each.get_coro().__qualname__.endswith(".read"))  # type: ignore[union-attr]
        assert runs_within(lambda frame: generation_of(frame) is inside, reader)
        assert not runs_within(lambda frame: generation_of(frame) is other, reader)
        gate.set()
        await task
