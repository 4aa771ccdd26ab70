"""One task a plugin: it is opened in it and closed in it, whoever asked for that, and whoever was cancelled meanwhile.

Task groups and cancel scopes that a plugin leaves on its exit stack must end in the task in which they began; changes
come from many tasks, so each plugin has one of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar, TypeVar

from anyio import CancelScope

T = TypeVar("T")


async def to_the_end(work: Awaitable[T]) -> T:
    """Return what ``work`` returns. Cancelling whoever waits does not cut it short, and takes effect after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    with CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is None:
        return task.result()
    failed = None if task.cancelled() else task.exception()
    if failed is not None:
        cancelled.add_note(f"Meanwhile: {type(failed).__name__}: {failed}")
    raise cancelled


def end_all(tasks: Iterable[asyncio.Task[Any]]) -> asyncio.Future[list[Any]]:
    """Cancel ``tasks`` now; what is returned is done when each has ended, whatever it raises or returns."""
    ending = list(tasks)
    for each in ending:
        each.cancel()
    return asyncio.gather(*ending, return_exceptions=True)


class Keeper:
    """Opens something in a task of its own, waits there, and closes it there.

    Args:
        name: of the task.
        open: opens it; where it raises, it has undone what it did.
        close: closes it to the end and returns what went wrong.
    """

    watchers: ClassVar[int] = 0
    """How many want everything that is opened to have its task, by which they tell what it makes."""

    def __init__(
        self, name: str, open: Callable[[], Awaitable[None]], close: Callable[[], Awaitable[list[Exception]]]
    ) -> None:
        self._name = name
        self._open = open
        self._close = close
        self._leave = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._errors: list[Exception] = []

    async def open(self) -> None:
        """Open it. Cancelled meanwhile, return only when what was begun is undone."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = self._task = asyncio.create_task(self._live(opened), name=self._name)
        try:
            await asyncio.wait([opened, task], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            await to_the_end(self._ended(task))
            if opened.done():
                opened.exception()  # looked at, or asyncio complains that nobody did
            raise
        if not opened.done():
            await task  # somebody cancelled it before it began
        opened.result()

    def adopt(self) -> None:
        """Keep, in a task from now on, what was opened without one."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=self._name)

    @property
    def task(self) -> asyncio.Task[None] | None:
        """Return the task in which it is kept."""
        return self._task

    @property
    def gave_up(self) -> bool:
        """Return whether the task ended though nobody asked it to: what runs in it has failed and is closed."""
        return self._task is not None and self._task.done()

    async def close(self) -> list[Exception]:
        """Close it, and return what went wrong; the second time, return that again."""
        self._leave.set()
        if self._task is not None:
            await to_the_end(self._ended(self._task))
        return self._errors

    async def _ended(self, task: asyncio.Task[None]) -> None:
        await asyncio.wait([task])

    async def _live(self, opened: asyncio.Future[None]) -> None:
        try:
            await self._open()
        except BaseException as error:  # noqa: BLE001 - raised in the task that waits for the opening
            opened.set_exception(error)
            return
        opened.set_result(None)
        await self._keep()

    async def _keep(self) -> None:
        try:
            await self._leave.wait()
        except asyncio.CancelledError:  # a task group in here has failed, or the loop ends under an open kernel
            self._leave.set()
        self._errors = await self._close()
