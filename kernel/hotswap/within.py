"""Whether some code runs within a call, told when somebody has to know: nothing is recorded per call.

What runs in a task of its own is within a call as well where that waits for the task: awaited as it is, or by
``gather``, ``wait``, ``wait_for``, ``shield``, ``as_completed`` or a task group. A task that was only started within a
call, and that nobody waits for (yet), is not. Who calls something between two items of a stream is within the call that
the stream is.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

from hotswap.stuck import awaited_in, frames, generation_of, is_idle


def runs_within(found: Callable[[FrameType], bool], task: asyncio.Task[Any] | None = None) -> bool:
    """Return whether some code, or what waits for its task, runs within a frame of a kind.

    Args:
        task: whose code it is, where that is suspended; None: it is the code that asks. What this has begun to read
            between two items of a stream shows only when it is suspended.
    """
    if task is None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if found(frame):
                return True
            frame = frame.f_back
        task = asyncio.current_task() if asyncio._get_running_loop() is not None else None
    elif any(map(found, _frames(task))):
        return True
    return task is not None and any(found(each) for waiting in _waiting_for(task) for each in _frames(waiting))


def _frames(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frames of a task that waits, and those of the streams that it reads."""
    yield from frames(task)
    left = list(awaited_in(task))
    while left:
        for each in gc.get_referents(left.pop()):
            if is_idle(each) and each.ag_frame is not None:
                yield each.ag_frame
                left.append(each)


def is_inside(generation: object) -> bool:
    """Return whether the code that asks runs within a call that is inside ``generation``."""
    return runs_within(lambda frame: generation_of(frame) is generation)


def _waiting_for(task: asyncio.Task[Any]) -> Iterator[asyncio.Task[Any]]:
    """Yield the tasks that cannot go on before ``task`` has ended."""
    seen: set[Any] = {task}
    left: list[Any] = [task]
    while left:
        for callback, _ in left.pop()._callbacks or ():
            for each in _told(callback):
                if each in seen:
                    continue
                seen.add(each)
                left.append(each)
                if isinstance(each, asyncio.Task):
                    yield each


def _told(callback: Any) -> Iterator[Any]:
    """Yield the futures that a callback of another one settles, and the task that it wakes."""
    for each in _held(callback):
        if asyncio.isfuture(each):
            yield each
        elif isinstance(each, asyncio.Queue):  # of ``as_completed``
            yield from each._getters  # type: ignore[attr-defined]
        elif asyncio.isfuture(until := getattr(each, "_on_completed_fut", None)):  # of a task group at its end
            yield until


def _held(callback: Any) -> Iterator[Any]:
    if isinstance(callback, partial):
        yield from callback.args
        callback = callback.func
    yield getattr(callback, "__self__", None)
    for cell in getattr(callback, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not set yet
            continue
