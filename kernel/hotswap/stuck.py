"""Calls that are inside a generation, found when somebody has to know: nothing is recorded per call.

Every call runs through a frame of a generated handle, which knows its generation and when it began. Tasks lead to
those frames by what they await; a stream that nobody reads just now is found among the objects of the garbage
collector.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import AsyncGeneratorType, FrameType
from typing import Any

from attrs import frozen

from hotswap.clock import CLOCK

GENERATION = "_hotswap_generation"
"""The local variable by which a frame that is a call inside a generation is known; ``_hotswap_since``: its begin."""
_KERNEL = str(Path(__file__).parent)
_HANDLE = "<hotswap handle"


@frozen(eq=False)
class Inside:
    """One call inside a generation."""

    method: str
    since: float
    """When it began, by ``hotswap.clock``."""
    consumer: str = ""
    """Id of the plugin whose handle it came through; empty for the application's."""
    caller: str = ""
    """``function (file:line)`` of the code that awaits it; empty where it is a task's own first call."""
    task: asyncio.Task[Any] | None = None
    """None for a stream that nobody reads at the moment."""
    items: Any = None
    """For a stream that nobody reads: the adapter's own iterator."""

    def __str__(self) -> str:
        age = f" for {CLOCK.age(self.since):.0f} s" if self.since else ""
        who = f"plugin {self.consumer!r}" if self.consumer else "the application"
        where = f" in task {self.task.get_name()}" if self.task is not None else ", between two items of a stream"
        return f"{self.method}{where}{age}, called by {who}{f' at {self.caller}' if self.caller else ''}"


def calls_inside(generation: object) -> list[Inside]:
    """Return the calls that are inside ``generation`` now, but for the one that asks."""
    found = list(_of_tasks(generation))
    return found + list(_idle_streams(generation))


def generation_of(frame: FrameType) -> object | None:
    """Return the generation that a frame is a call inside; None where it is none."""
    return frame.f_locals.get(GENERATION) if GENERATION in frame.f_code.co_varnames else None


def awaited_in(task: asyncio.Task[Any]) -> Iterator[Any]:
    """Yield what a task that waits awaits, from its own coroutine to the innermost."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        yield awaited
        awaited = _next_awaited(awaited)


def frames(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frames of a task that waits, from the outermost to the innermost."""
    return (frame for each in awaited_in(task) if (frame := _frame(each)) is not None)


def is_idle(items: object) -> bool:
    """Return whether something is a stream that was begun, and that nobody reads at the moment."""
    return type(items) is AsyncGeneratorType and items.ag_await is None and not items.ag_running


def came_from_elsewhere(error: BaseException, provider: object) -> bool:
    """Return whether an error, or what led to it, was raised inside a call to another provider than this one.

    Tracebacks tell: every call has a frame that knows its generation.
    """
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        step = found.__traceback__
        while step is not None:
            generation = step.tb_frame.f_locals.get(GENERATION)
            if generation is not None and generation.provider is not provider:
                return True
            step = step.tb_next
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return False


def _of_tasks(generation: object) -> Iterator[Inside]:
    current = asyncio.current_task()
    for task in asyncio.all_tasks():
        if task is not current:
            yield from _of_task(task, generation)


def _of_task(task: asyncio.Task[Any], generation: object) -> Iterator[Inside]:
    """Yield the outermost call of a task that is inside; what it calls in turn ends with it.

    A call may come through more than one handle on its way, where it had to wait, say: the first knows whose it is.
    """
    caller = consumer = ""
    for frame in frames(task):
        if not frame.f_code.co_filename.startswith((_HANDLE, _KERNEL)):
            consumer, caller = "", f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
        consumer = consumer or _consumer(frame)
        if _is_call(frame, generation):
            yield _inside(frame, consumer, caller, task)
            return


def _consumer(frame: FrameType) -> str:
    of_handle = frame.f_code.co_filename.startswith(_HANDLE)
    return getattr(frame.f_locals.get("self"), "_consumer", "") if of_handle else ""


def _inside(frame: FrameType, consumer: str = "", caller: str = "", task: asyncio.Task[Any] | None = None) -> Inside:
    of = frame.f_locals
    since = of.get("_hotswap_since", 0.0)
    method = of.get("_hotswap_method") or frame.f_code.co_name
    return Inside(method, since, consumer, caller, task, of.get("_hotswap_items"))


def _idle_streams(generation: object) -> Iterator[Inside]:
    for each in gc.get_objects():
        if is_idle(each):
            frame = each.ag_frame
            if frame is not None and _is_call(frame, generation):
                yield _inside(frame, _consumer(frame))


def _is_call(frame: FrameType, generation: object) -> bool:
    return generation_of(frame) is generation


def _frame(awaited: Any) -> FrameType | None:
    return (
        getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None) or getattr(awaited, "gi_frame", None)
    )


def _next_awaited(awaited: Any) -> Any:
    for attribute in ("cr_await", "ag_await", "gi_yieldfrom"):
        inner = getattr(awaited, attribute, None)
        if inner is not None:
            # ``async for`` awaits an opaque object; the generator behind it is only reachable through its referents
            return inner if not type(inner).__name__.startswith("async_generator_") else _generator_of(inner)
    frame = _frame(awaited)  # a chain of hooks that waits steps through its handlers by hand
    return None if frame is None else frame.f_locals.get("_hotswap_steps")


def _generator_of(step: Any) -> Any:
    return next((each for each in gc.get_referents(step) if inspect.isasyncgen(each)), None)
