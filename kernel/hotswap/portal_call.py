"""One call from a thread to the kernel's loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import ContextVar
from functools import partial
from itertools import count
from threading import current_thread
from typing import Any, Generic, TypeVar

from hotswap.errors import CallCancelled

T = TypeVar("T")

_numbers = count(1)
_inside: ContextVar[int] = ContextVar("hotswap_portal_call", default=0)
"""Number of the call on whose behalf the current code runs: the call itself would live as long as any task it began."""


class PortalCall(Generic[T]):
    """Made in a thread, run as a task on the loop, answered from there. All methods belong to the loop."""

    def __init__(self, make: Callable[[], Awaitable[T]] | Callable[[], T]) -> None:
        self._make = make
        self._number = next(_numbers)
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._cancelled: BaseException | None = None
        thread = current_thread()
        self._name = f"thread {thread.name}"
        self.owner = thread.ident
        self.answer: Future[T] = Future()

    def start(self, under_way: set[PortalCall[Any]]) -> None:
        """Begin it, unless it was cancelled before; it is in ``under_way`` until it has ended."""
        if self._cancelled is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)
            under_way.add(self)
            self._task.add_done_callback(partial(self._done, under_way))

    async def _run(self) -> None:
        _inside.set(self._number)
        try:
            made: Any = self._make()
            result = await made if inspect.isawaitable(made) else made
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits: no call ends the loop
            self.answer.set_exception(error)
        else:
            self.answer.set_result(result)

    def _done(self, under_way: set[PortalCall[Any]], task: asyncio.Task[None]) -> None:
        under_way.discard(self)
        if task.cancelled():
            try:
                task.result()
            except asyncio.CancelledError as error:
                self.answer.set_exception(self._cancelled or CallCancelled(str(error)))
        self._over.set()

    def cancel(self, error: BaseException) -> None:
        """Cancel it; its answer is ``error``, unless it has one all the same."""
        self._cancelled = error
        if self._task is not None:
            self._task.cancel()
        elif not self.answer.done():
            self.answer.set_exception(error)

    @property
    def current(self) -> bool:
        """Return whether the current code runs on its behalf, and must not wait for it."""
        return _inside.get() == self._number

    async def ended(self) -> None:
        """Wait until it has come to its end and is answered."""
        if self._task is not None:
            await self._over.wait()
