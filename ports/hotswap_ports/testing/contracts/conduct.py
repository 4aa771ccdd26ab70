"""What every adapter owes its host, whatever its port: it leaves the event loop free, and nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Awaitable, Callable

Work = Callable[[], Awaitable[object]]

LONGEST_STEP = 0.2
"""Seconds. asyncio's own debug mode warns from 0.1 s on; twice that leaves room for a busy machine."""
STEPS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377)
"""After how many rounds of the event loop calls are cancelled, to meet them at all that they do."""
CALLS = 8
FILES = "/dev/fd" if os.path.isdir("/dev/fd") else None
"""Where the system lists the open files of this process."""


async def leaves_the_loop_free(work: Work) -> None:
    """Fail where one step of ``work`` keeps the event loop to itself for longer than LONGEST_STEP.

    The best of three counts: what else runs on the machine holds a loop up as well.
    """
    await work()  # what is loaded or opened on first use
    held = min([await _longest_step(work) for _ in range(3)])
    assert held < LONGEST_STEP, f"the event loop was held for {held:.2f} s: do it in a thread, or in pieces"


async def _longest_step(work: Work) -> float:
    longest, last = 0.0, time.perf_counter()
    task = asyncio.ensure_future(work())
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    await task
    return longest


async def ended_before(steps: int, work: Work) -> bool:
    """Cancel ``work`` after so many rounds of the event loop; return whether it had ended by then."""
    task = asyncio.ensure_future(work())
    for _ in range(steps):
        if task.done():
            break
        await asyncio.sleep(0)
    ended = not task.cancel()
    await asyncio.wait([task])
    if ended:
        task.result()
    return ended


async def leaves_nothing_behind(work: Work) -> None:
    """Fail where each call leaves a task, a thread or an open file."""
    await work()
    await work()
    before = await _counted()
    for _ in range(CALLS):
        await work()
    grown = {name: count - before[name] for name, count in (await _counted()).items()}
    left = {name: count for name, count in grown.items() if count >= CALLS}
    assert not left, f"{CALLS} calls left {', '.join(f'{count} {name}' for name, count in left.items())}"


async def _counted() -> dict[str, int]:
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()
    files = len(os.listdir(FILES)) if FILES is not None else 0
    return {"tasks": len(asyncio.all_tasks()), "threads": threading.active_count(), "open files": files}
