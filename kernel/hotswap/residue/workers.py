"""What goes on by itself: tasks, timers and threads."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from hotswap.residue.finding import Finding, Kind
from hotswap.residue.owners import Owners, defined
from hotswap.residue.recorder import SHARED
from hotswap.residue.records import Records
from hotswap.residue.tap import is_inner


def left_tasks(owners: Owners, records: Records) -> Iterator[tuple[Finding, Any]]:
    """Yield the tasks that plugins started, and those that are inside a plugin's code, each with the task."""
    current = asyncio.current_task()
    for task in asyncio.all_tasks():
        if task is current:
            continue
        made, name = records.tasks.get(task), _name_of(task)
        load = owners.maker(made)
        if load is not None and made is not None:
            yield Finding(Kind.TASK, load.plugin, name, owners.place(made, load)), task
        elif (inside := owners.runs(_awaited(task), made)) is not None:
            load, place = inside
            yield Finding(Kind.TASK, load.plugin, name, place), task


def _name_of(task: asyncio.Task[Any]) -> str:
    function = getattr(task.get_coro(), "__qualname__", "")
    return f"{task.get_name()} ({function})" if function else task.get_name()


def _awaited(task: asyncio.Task[Any]) -> list[FrameType]:
    """Return the frames of what a task awaits, innermost first."""
    frames: list[FrameType] = []
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = _first(awaited, "cr_frame", "gi_frame", "ag_frame")
        if inspect.isframe(frame):
            frames.append(frame)
        awaited = _first(awaited, "cr_await", "gi_yieldfrom", "ag_await")
    return frames[::-1]


def _first(thing: Any, *names: str) -> Any:
    found = (getattr(thing, each, None) for each in names)
    return next((each for each in found if each is not None), None)


def left_timers(owners: Owners, records: Records, loop: asyncio.AbstractEventLoop) -> Iterator[tuple[Finding, Any]]:
    """Yield the timers that plugins set, each with its handle; a loop that does not list them has none."""
    for timer in list(getattr(loop, "_scheduled", ())):
        callback = timer._callback
        if timer.cancelled() or is_inner(callback):
            continue
        made = records.timers.get(timer)
        load = owners.maker(made) or owners.author(callback)
        if load is not None:
            place = owners.place(made, load) if made is not None else defined(callback)
            name = getattr(callback, "__qualname__", None) or type(callback).__qualname__
            yield Finding(Kind.TIMER, load.plugin, name, place), timer


def left_threads(owners: Owners, records: Records, loop: asyncio.AbstractEventLoop) -> Iterator[tuple[Finding, Any]]:
    """Yield the threads that plugins started, and those that run a plugin's code, each with the thread.

    A thread that works for everybody, like those of the loop's own executor, counts while it runs a plugin's code.
    """
    executor = getattr(loop, "_default_executor", None)
    shared = frozenset(map(id, getattr(executor, "_threads", ())))
    threads = {each.ident: each for each in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        thread = threads.get(ident)
        if ident == threading.get_ident() or (thread is not None and is_inner(getattr(thread, "_target", None))):
            continue
        name = thread.name if thread is not None else f"thread {ident}"
        is_shared = id(thread) in shared or name.startswith(SHARED)
        made = None if is_shared else records.threads.get(thread)
        load = owners.maker(made)
        if load is not None and made is not None:
            yield Finding(Kind.THREAD, load.plugin, name, owners.place(made, load)), thread
        elif (running := owners.runs(_outwards(frame), made, shared=is_shared)) is not None:
            load, place = running
            yield Finding(Kind.THREAD, load.plugin, name, place), thread


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
