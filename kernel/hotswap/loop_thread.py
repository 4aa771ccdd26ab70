"""An event loop in a thread of its own, for as long as something is open in it.

anyio's ``start_blocking_portal`` is not used: it is a generator that waits for its loop when it is collected, and the
loop does not answer in a process that was forked, nor at the end of a program that did not leave it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import copy_context
from threading import Thread
from types import TracebackType

from loguru import logger


class LoopThread:
    """Enters ``thing`` in a loop of its own, and leaves it in the same task."""

    def __init__(self, thing: AbstractAsyncContextManager[object], name: str) -> None:
        self._thing = thing
        self._loop = asyncio.new_event_loop()
        self._context = copy_context()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._task: asyncio.Task[None] | None = None
        self._unwanted = False
        self._leave = asyncio.Event()
        self._leaving_with: tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
        self._leaving_with = (None, None, None)
        self._entered: Future[None] = Future()
        self._left: Future[None] = Future()
        self._ended: Future[None] = Future()
        """Waited for before the thread is joined: up to Python 3.12, an interrupted ``join`` counts it as ended."""
        self._process = os.getpid()

    @property
    def forked(self) -> bool:
        """Return whether this process is a fork of the one that started it: the thread is not here."""
        return self._process != os.getpid()

    def start(self) -> None:
        """Return when ``thing`` is entered. Interrupted meanwhile, return when what was begun is undone."""
        self._thread.start()
        try:
            self._entered.result()
        except BaseException:
            self._tell(self._give_up)
            self._ended.result()
            self._thread.join()
            raise

    def stop(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave ``thing``, and raise what it raises. Interrupted meanwhile, return when it is left all the same.

        A second interruption does not wait for that.
        """
        self._leaving_with = kind, error, at
        try:
            self._tell(self._leave.set)
            self._ended.result()
        except BaseException:
            self._tell(self._leave.set)
            self._ended.result()
            self._thread.join()
            raise
        self._thread.join()
        self._left.result()

    def _tell(self, callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is closed: it has ended by itself
            self._loop.call_soon_threadsafe(callback)

    def _give_up(self) -> None:
        self._unwanted = True
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live(), context=self._context)
        except BaseException as error:  # noqa: BLE001 - a task raised what ends a loop: it is logged, and all is left
            logger.error("The event loop of the thread {!r} was ended by {!r}", self._thread.name, error)
        finally:
            self._ended.set_result(None)

    async def _live(self) -> None:
        self._task = asyncio.current_task()
        try:
            if self._unwanted:
                raise asyncio.CancelledError
            await self._thing.__aenter__()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for it
            self._entered.set_exception(error)
            return
        self._entered.set_result(None)
        with suppress(asyncio.CancelledError):
            await self._leave.wait()
        try:
            await self._thing.__aexit__(*self._leaving_with)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that leaves
            self._left.set_exception(error)
        else:
            self._left.set_result(None)
