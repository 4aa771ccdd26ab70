"""Calls that are inside a generation, found when somebody has to know: nothing is recorded per call.

Every call runs through a frame of a generated handle, which knows its generation and when it began. Tasks lead to
those frames by what they await, through objects that do not say what that is as well: the garbage collector knows what
they refer to. It also has the streams that nobody reads just now.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import AsyncGeneratorType, FrameType, FunctionType, ModuleType
from typing import Any

from attrs import frozen

from hotswap.clock import CLOCK

GENERATION = "_hotswap_generation"
"""The local variable by which a frame that is a call inside a generation is known; ``_hotswap_since``: its begin."""
_KERNEL = str(Path(__file__).parent)
_HANDLE = "<hotswap handle"
_FAR = 3
"""References from what a task waits for to the coroutine that it runs: ``anext(stream, None)`` is two away."""
_ELSEWHERE = (asyncio.AbstractEventLoop, type, FrameType, FunctionType, ModuleType)
"""What has a life of its own: nobody runs a coroutine through one of these."""


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
    leases: int = 1
    """How many calls it is, with those that it leads to in turn and that are inside as well."""

    def __str__(self) -> str:
        age = f" for {CLOCK.age(self.since):.0f} s" if self.since else ""
        who = f"plugin {self.consumer!r}" if self.consumer else "the application"
        where = f" in task {self.task.get_name()}" if self.task is not None else ", between two items of a stream"
        return f"{self.method}{where}{age}, called by {who}{f' at {self.caller}' if self.caller else ''}"


def calls_inside(generation: object) -> list[Inside]:
    """Return the calls that are inside ``generation`` now, but for the one that asks."""
    found = list(_of_tasks(generation))
    return found + list(_idle_streams(generation))


def calls_around(generation: object) -> int:
    """Return how many calls that are inside ``generation`` the code that asks runs within."""
    found = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        found += _is_call(frame, generation)
        frame = frame.f_back
    return found


def generations_around() -> set[Any]:
    """Return the generations inside of which the code that asks runs."""
    found: set[Any] = set()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if (generation := generation_of(frame)) is not None:
            found.add(generation)
        frame = frame.f_back
    return found


def generation_of(frame: FrameType) -> object | None:
    """Return the generation that a frame is a call inside; None where it is none."""
    return frame.f_locals.get(GENERATION) if GENERATION in frame.f_code.co_varnames else None


def awaited_in(task: asyncio.Task[Any]) -> Iterator[Any]:
    """Yield what a task that waits awaits, from its own coroutine to the innermost."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        yield awaited
        awaited = _next_awaited(awaited, _frame(awaited))


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
            found = _of_task(task, generation)
            if found is not None:
                yield found


def _of_task(task: asyncio.Task[Any], generation: object) -> Inside | None:
    """Return the outermost call of a task that is inside; what it calls in turn ends with it.

    A call may come through more than one handle on its way, where it had to wait, say: the first knows whose it is.
    """
    caller = consumer = ""
    outermost: FrameType | None = None
    leases = 0
    for frame in frames(task):
        if outermost is None:
            if not frame.f_code.co_filename.startswith((_HANDLE, _KERNEL)):
                consumer, caller = "", f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
            consumer = consumer or _consumer(frame)
        if _is_call(frame, generation):
            outermost = outermost or frame
            leases += 1
    return None if outermost is None else _inside(outermost, consumer, caller, task, leases)


def _consumer(frame: FrameType) -> str:
    of_handle = frame.f_code.co_filename.startswith(_HANDLE)
    return getattr(frame.f_locals.get("self"), "_consumer", "") if of_handle else ""


def _inside(
    frame: FrameType, consumer: str = "", caller: str = "", task: asyncio.Task[Any] | None = None, leases: int = 1
) -> Inside:
    of = frame.f_locals
    since = of.get("_hotswap_since", 0.0)
    method = of.get("_hotswap_method") or frame.f_code.co_name
    return Inside(method, since, consumer, caller, task, of.get("_hotswap_items"), leases)


def _idle_streams(generation: object) -> Iterator[Inside]:
    for each in gc.get_objects():
        if is_idle(each):
            frame = each.ag_frame
            if frame is not None and _is_call(frame, generation):
                yield _inside(frame, _consumer(frame))


def _is_call(frame: FrameType, generation: object) -> bool:
    return generation_of(frame) is generation


def _frame(awaited: Any) -> FrameType | None:
    """Return the frame of a coroutine or a generator, of those that compilers make as well."""
    kind = type(awaited)  # whatever else it is may have a ``__getattr__`` of its own
    for attribute in ("cr_frame", "ag_frame", "gi_frame"):
        if hasattr(kind, attribute):
            frame = getattr(awaited, attribute)
            return frame if isinstance(frame, FrameType) else None
    return None


def _next_awaited(awaited: Any, frame: FrameType | None) -> Any:
    if frame is None:
        return _behind(awaited)
    for attribute in ("cr_await", "ag_await", "gi_yieldfrom"):
        inner = getattr(awaited, attribute, None)
        if inner is not None:
            return inner
    # A chain of hooks that waits steps through its handlers by hand.
    return frame.f_locals.get("_hotswap_steps") if "_hotswap_steps" in frame.f_code.co_varnames else None


def _behind(opaque: Any) -> Any:
    """Return the coroutine or generator that is run through an object that does not say so; None for none.

    A future is the end of a chain: what it stands for is a task of its own, or nobody's.
    """
    level = [opaque]
    for _ in range(_FAR):
        level = [each for one in level if not _has_own_life(one) for each in gc.get_referents(one)]
        found = next((each for each in level if _frame(each) is not None), None)
        if found is not None:
            return found
    return None


def _has_own_life(referred: Any) -> bool:
    kind = type(referred)  # a proxy answers for something else when it is asked for its ``__class__``, or raises
    return hasattr(kind, "_asyncio_future_blocking") or issubclass(kind, _ELSEWHERE)
