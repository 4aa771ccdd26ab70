"""Undo stacks, keepers, and work that goes to its end."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from hotswap.keeper import Keeper, to_the_end
from hotswap.undo import UndoStack, cancelling


def stack_of(*what: BaseException | str, seconds: float = 30.0) -> tuple[UndoStack, list[int]]:
    """Return a stack whose entries raise or hang, and the list of those that were called."""
    stack, called = UndoStack(seconds), []

    async def undo(number: int, does: BaseException | str) -> None:
        called.append(number)
        if isinstance(does, BaseException):
            raise does
        if does == "hang":
            await asyncio.Event().wait()

    for number, each in enumerate(what):
        stack.push_async_callback(undo, number, each)
    return stack, called


async def test_everything_is_undone_in_reverse_and_all_errors_are_reported() -> None:
    """Whatever an entry raises, the ones below it are undone too."""
    errors = [ValueError("a"), SystemExit(3), asyncio.CancelledError(), TimeoutError("mine"), KeyError("b")]
    stack, called = stack_of(*errors, "nothing")
    stack.callback(called.append, 99)
    with pytest.raises(ExceptionGroup) as group:
        await stack.aclose()
    assert called == [99, 5, 4, 3, 2, 1, 0]
    name = "stack_of.<locals>.undo"
    assert [f"{type(each).__name__}: {each}" for each in group.value.exceptions] == [
        "KeyError: 'b'",
        "TimeoutError: mine",
        f"RuntimeError: {name} raised CancelledError",
        f"RuntimeError: {name} called sys.exit(3)",
        "ValueError: a",
    ]
    await stack.aclose()
    assert len(called) == 7


async def test_an_entry_that_hangs_is_cancelled_and_named() -> None:
    """An entry that takes too long is given up, with its name and the bound."""
    stack, called = stack_of("nothing", "hang", seconds=0.01)
    with pytest.raises(ExceptionGroup) as group:
        async with stack:
            pass
    assert str(group.value.exceptions[0]).endswith("undo took longer than 0.01 s")
    assert called == [1, 0]


async def test_a_cancellation_cuts_one_entry_short_and_no_more() -> None:
    """Cancelled while it undoes, the stack undoes the rest, and the cancellation takes effect then."""
    stack, called = stack_of(ValueError("a"), "nothing", "hang", "hang")
    task = asyncio.create_task(stack.aclose())
    for _ in range(2):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await task
    assert called == [3, 2, 1, 0]
    assert cancelled.value.__notes__ == ["ValueError: a"]


async def test_an_interrupt_is_raised_once_everything_is_undone() -> None:
    """KeyboardInterrupt goes through, after the rest."""
    stack, called = stack_of("nothing", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        await stack.aclose()
    assert called == [1, 0]


def test_outside_of_a_task_nobody_is_cancelled() -> None:
    """Code that runs in no task was cancelled by nobody."""
    numbers: list[int] = []
    loop = asyncio.new_event_loop()
    loop.call_soon(lambda: numbers.append(cancelling()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert numbers == [0]


async def test_work_goes_to_its_end() -> None:
    """Cancelling whoever waits does not cut the work short; what it raised meanwhile is in the notes."""
    go = asyncio.Event()

    async def work() -> int:
        await go.wait()
        return 3

    async def fail() -> int:
        await go.wait()
        raise ValueError("lost")

    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(to_the_end(each())) for each in (work, fail)]
    for _ in range(3):
        await asyncio.sleep(0)
        for each in tasks:
            each.cancel()
    await asyncio.sleep(0)
    assert not any(each.done() for each in tasks)
    go.set()
    for each in tasks:
        with pytest.raises(asyncio.CancelledError):
            await each
    assert await to_the_end(work()) == 3
    with pytest.raises(ValueError, match="lost"):
        await to_the_end(fail())
    with anyio.CancelScope() as scope:
        scope.cancel()
        assert await to_the_end(work()) == 3


async def test_a_keeper_opens_and_closes_in_one_task() -> None:
    """Opening and closing run in the keeper's task; a second close returns what the first one did."""
    tasks: list[Any] = []
    error = ValueError("x")

    async def open() -> None:
        tasks.append(asyncio.current_task())

    async def close() -> list[Exception]:
        tasks.append(asyncio.current_task())
        return [error]

    keeper = Keeper("kept", open, close)
    assert await keeper.close() == []
    keeper = Keeper("kept", open, close)
    await keeper.open()
    assert await keeper.close() == await keeper.close() == [error]
    assert tasks[0] is tasks[1]
    assert tasks[0].get_name() == "kept"


async def test_a_keeper_whose_opener_is_cancelled_waits_until_it_is_undone() -> None:
    """Cancelled before it began, while it opens, or just as it was open: the opening is undone or never was."""
    for steps in range(6):
        seen: list[str] = []

        async def open(seen: list[str] = seen) -> None:
            try:
                seen.append("open")
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                seen.append("undone")
                raise

        async def close(seen: list[str] = seen) -> list[Exception]:
            seen.append("closed")
            return []

        keeper = Keeper("kept", open, close)
        task = asyncio.create_task(keeper.open())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        result = await asyncio.gather(task, return_exceptions=True)
        if result == [None]:
            await keeper.close()
        assert seen in ([], ["open", "undone"], ["open", "closed"])


async def test_a_keeper_whose_task_is_cancelled_by_others_closes() -> None:
    """When the loop ends under a kernel that nobody left, what is open is closed; before it began, nothing is."""
    seen: list[str] = []

    async def open() -> None:
        seen.append("open")

    async def close() -> list[Exception]:
        seen.append("closed")
        return []

    keeper = Keeper("kept", open, close)
    await keeper.open()
    assert keeper._task is not None
    keeper._task.cancel()
    assert await keeper.close() == []
    assert seen == ["open", "closed"]

    keeper = Keeper("kept", open, close)
    opening = asyncio.create_task(keeper.open())
    await asyncio.sleep(0)
    assert keeper._task is not None
    keeper._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert seen == ["open", "closed"]
