"""What an event loop is asked for while a watch is on: tasks and timers. What was there before is put back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from hotswap.keeper import Keeper
from hotswap.residue.recorder import recorder
from hotswap.residue.trace import origin

_Coroutine = Coroutine[Any, Any, Any] | Generator[Any, Any, Any]


class Tap:
    """Stands between one loop and its task factory, and its timers, for as long as anybody watches."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.watchers = 0
        self.before: Callable[..., Any] | None = loop.get_task_factory()
        self._loop = loop
        self._call_at = loop.call_at

    def attach(self) -> None:
        """Begin."""
        Keeper.watchers += 1
        self._loop.set_task_factory(self.make_task)
        with suppress(AttributeError):  # a loop that is not written in Python: its timers are not seen
            self._loop.call_at = self.call_at  # type: ignore[method-assign,assignment] # every timer is asked for here

    def detach(self) -> None:
        """Put back what was there, unless somebody has put something else there since."""
        Keeper.watchers -= 1
        if self._loop.get_task_factory() == self.make_task:
            self._loop.set_task_factory(self.before)
        if getattr(self._loop, "__dict__", {}).get("call_at") == self.call_at:
            del self._loop.call_at

    def make_task(self, loop: asyncio.AbstractEventLoop, work: _Coroutine, **options: Any) -> Any:
        """Make a task as it would be made without this, and remember it."""
        factory: Any = self.before or _task
        make = partial(factory, loop, work, **options)
        if not recorder.listening:
            return make()
        made = recorder.made(sys._getframe(1))
        opening = opening_in(work)
        behalf = made.origin if opening is None else object()
        as_before = behalf is origin.get() or options.get("context") is not None
        task = make() if as_before else _within(behalf).run(make)
        for records in tuple(recorder.listening):
            records.tasks.add(task, made)
            if opening is not None:
                records.born(opening, task, behalf)
        return task

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Make a timer as it would be made without this, and remember it."""
        timer = self._call_at(when, callback, *args, context=context)
        if recorder.listening and not is_inner(callback):
            made = recorder.made(sys._getframe(1))
            for records in tuple(recorder.listening):
                records.timers.add(timer, made)
        return timer


def _task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(work, loop=loop, **options)


def _within(behalf: object) -> Context:
    context = copy_context()
    context.run(origin.set, behalf)
    return context


def is_inner(callback: object) -> bool:
    """Return whether a callback is asyncio's or the kernel's own: it serves a task, which is seen by itself."""
    return str(getattr(callback, "__module__", "")).partition(".")[0] in ("asyncio", "hotswap")


def factory_of(loop: asyncio.AbstractEventLoop) -> Any:
    """Return the task factory of a loop, as it would be if nobody watched."""
    factory = loop.get_task_factory()
    tap = getattr(factory, "__self__", None)
    return tap.before if isinstance(tap, Tap) else factory


def opening_in(work: object) -> Any:
    """Return the plugin's instance that a coroutine opens; None for any other coroutine."""
    frame = getattr(work, "cr_frame", None)
    if frame is None or frame.f_code is not Keeper._live.__code__:
        return None
    return getattr(frame.f_locals["self"]._open, "__self__", None)


_taps: WeakKeyDictionary[asyncio.AbstractEventLoop, Tap] = WeakKeyDictionary()


def attach(loop: asyncio.AbstractEventLoop) -> Tap:
    """Begin to see what ``loop`` is asked for; each call takes one of ``detach``."""
    tap = _taps.get(loop)
    if tap is None:
        tap = _taps[loop] = Tap(loop)
        tap.attach()
    tap.watchers += 1
    return tap


def detach(loop: asyncio.AbstractEventLoop) -> None:
    """End it, when it was the last one that watched."""
    tap = _taps.get(loop)
    if tap is None:
        return
    tap.watchers -= 1
    if not tap.watchers:
        del _taps[loop]
        tap.detach()
