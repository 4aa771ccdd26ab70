"""A stream of the kernel's loop as an iterator for threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hotswap.errors import KernelNotRunning
from hotswap.portal_call import PortalCall

if TYPE_CHECKING:
    from hotswap.portal import Portal

T = TypeVar("T")


class Source(Generic[T]):
    """The loop's side of a stream: one task that drives the async iterator from its first item to its end.

    It is one task, because what the iterator enters between two items (timeouts, task groups, context variables) is to
    be left where it was entered. It takes an item when a thread asks for one, and never runs ahead.
    """

    def __init__(self, make: Callable[[], AsyncIterator[T]]) -> None:
        self._make = make
        self._context = copy_context()
        self._asking: asyncio.Queue[Future[tuple[T, ...]]] = asyncio.Queue()
        self._asked: Future[tuple[T, ...]] | None = None
        self._error: BaseException | None = None
        self.driver = PortalCall[None](self._drive)
        self.driver.answer.add_done_callback(self._ended)
        self.begun = self.over = False

    @property
    def spent(self) -> bool:
        """Return whether it has ended, and whoever asks from now on is told no more than that."""
        return self.over and self._error is None

    def ask(self, begin: Callable[[PortalCall[Any]], None], answer: Future[tuple[T, ...]]) -> None:
        """Let ``answer`` be the next item, or nothing when there is none; the first one begins the stream."""
        self._asking.put_nowait(answer)
        if self.over:
            self._settle()
        elif not self.begun:
            self.begun = True
            self._context.run(begin, self.driver)

    async def _drive(self) -> None:
        items = self._make()
        try:
            self._asked = await self._asking.get()
            async for item in items:
                self._asked.set_result((item,))
                self._asked = await self._asking.get()
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

    def _ended(self, answer: Future[None]) -> None:
        error = answer.exception()
        self.over = True
        self._error = None if isinstance(error, GeneratorExit) else error
        self._settle()

    def _settle(self) -> None:
        """Answer whoever asks: an error that ended the stream is for the first of them, and the others get nothing."""
        asking = [self._asking.get_nowait() for _ in range(self._asking.qsize())]
        for each in asking if self._asked is None or self._asked.done() else [self._asked, *asking]:
            if self._error is None:
                each.set_result(())
            else:
                each.set_exception(self._error)
                self._error = None

    async def close(self) -> None:
        """End the stream; raises what failed while it was closed."""
        if self.begun and not self.over:
            self.driver.cancel(GeneratorExit())
            await self.driver.ended()
            error = self.driver.answer.exception()
            if error is not None and not isinstance(error, GeneratorExit):
                raise error

    def drop(self) -> None:
        """End a stream that nobody can read any more, nor be told what failed while it was closed."""
        self.driver.answer.add_done_callback(_report)
        self.driver.cancel(GeneratorExit())


def _report(answer: Future[None]) -> None:
    error = answer.exception()
    if error is not None and not isinstance(error, GeneratorExit):
        what = {"message": "A stream that was not read to its end failed to close", "exception": error}
        asyncio.get_running_loop().call_exception_handler(what)


class Stream(Iterator[T]):
    """The items of a stream. From its first item on it holds its provider: read it to its end, or close it.

    ``close()``, leaving ``with stream:`` and losing the last reference end the call behind it. Several threads may read
    one stream; each item goes to one of them.
    """

    def __init__(self, portal: Portal, source: Source[T]) -> None:
        self._portal = portal
        self._source = source
        self._closed = False

    def __next__(self) -> T:
        source = self._source
        if self._closed or source.spent:
            raise StopIteration
        answer: Future[tuple[T, ...]] = Future()
        ask = partial(source.ask, self._portal.begin, answer)
        found = self._portal.ask(source.driver, answer, ask, begun=source.begun)
        if not found:
            raise StopIteration
        return found[0]

    def close(self) -> None:
        """End the stream; raises what failed while it was closed. Closing twice does nothing."""
        self._closed = True
        with suppress(KernelNotRunning):  # one that was left has closed its streams
            self._portal.run(PortalCall[None](self._source.close), begun=True)

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if self._source.begun and not self._source.over:
            self._portal.post(self._source.drop, begun=True)
