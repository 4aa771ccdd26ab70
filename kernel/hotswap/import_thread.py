"""A thread that may be left behind: importing a plugin's code is that code's to end, and it may never."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], *, seconds: float, undo: Callable[[T], None], name: str) -> T:
    """Return ``work()``, run in a daemon thread; callers on the loop go on meanwhile.

    After ``seconds`` (TimeoutError), or when the waiting task is cancelled, the thread is left to itself: it does not
    keep the process alive, and what it returns in the end is handed to ``undo``.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def deliver(answer: Callable[[], T]) -> None:
        try:
            result = answer()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            if not done.done():
                done.set_exception(error)
            return
        if done.done():
            undo(result)
        else:
            done.set_result(result)

    def run() -> None:
        answer = _answer(work)
        try:
            loop.call_soon_threadsafe(deliver, answer)
        except RuntimeError:  # the loop has closed, so nobody waits
            with suppress(BaseException):
                undo(answer())

    threading.Thread(target=copy_context().run, args=(run,), name=name, daemon=True).start()
    async with asyncio.timeout(seconds):
        return await done


def _answer(work: Callable[[], T]) -> Callable[[], T]:
    """Do the work, and return what returns or raises its outcome."""
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - raised where the answer is read
        caught = error

        def fail() -> T:
            raise caught

        return fail
    return lambda: result
