"""The way from other threads to the event loop that a kernel lives on.

A call is made in a thread, runs as a task of its own on the loop, and is answered from there: leases, hooks and
deadlines are what they are for a caller on the loop. anyio's portal is not used for calls, because it lets a call run
on whose thread was interrupted, and lets a thread wait for ever that asks while the loop ends.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from threading import RLock, get_ident
from typing import Any, ParamSpec, TypeVar, overload

from attrs import frozen

from hotswap.errors import HotswapError, KernelNotRunning, WouldDeadlock
from hotswap.portal_call import PortalCall
from hotswap.portal_stream import Source, Stream
from hotswap.undo import GRACE

Q = ParamSpec("Q")
T = TypeVar("T")


@frozen
class _Home:
    loop: asyncio.AbstractEventLoop
    thread: int
    process: int


class Portal:
    """Takes calls from any thread to the loop of a running kernel.

    A call carries the context variables of its thread. A thread that is interrupted (Ctrl-C) cancels its call and waits
    a moment for its end. What is still under way when the kernel has been left is cancelled.
    """

    def __init__(self) -> None:
        # Reentrant: the garbage collector may run inside it, and with it the finalizer of a stream, which posts.
        self._lock = RLock()
        self._home: _Home | None = None
        self._leaving = False
        self._under_way: set[PortalCall[Any]] = set()

    @overload
    def call(self, function: Callable[Q, Awaitable[T]], /, *args: Q.args, **kwargs: Q.kwargs) -> T: ...
    @overload
    def call(self, function: Callable[Q, T], /, *args: Q.args, **kwargs: Q.kwargs) -> T: ...
    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` on the loop, await what it returns if that can be awaited, and return the answer.

        Raises:
            KernelNotRunning: the kernel is not running, is being left, or was left before the call was done.
            WouldDeadlock: this is the loop's own thread.
            CallCancelled: something on the loop cancelled the call.
        """
        return self.run(PortalCall(partial(function, *args, **kwargs)))

    def reach(self, function: Callable[Q, T], /, *args: Q.args, **kwargs: Q.kwargs) -> T:
        """Call a function that awaits nothing: on the loop, or here where there is none or this is its thread."""
        home = self._home
        elsewhere = home is not None and home.thread != get_ident()
        return self.call(function, *args, **kwargs) if elsewhere else function(*args, **kwargs)

    def iterate(self, function: Callable[Q, AsyncIterator[T]], /, *args: Q.args, **kwargs: Q.kwargs) -> Stream[T]:
        """Return the items of ``function(*args, **kwargs)``, which is called on the loop for the first of them.

        Each item may raise what ``call`` raises.
        """
        return Stream(self, Source(partial(function, *args, **kwargs)))

    def run(self, call: PortalCall[T], *, begun: bool = False) -> T:
        """Start a call and wait for its answer; arguments and errors are those of ``ask``."""
        return self.ask(call, call.answer, partial(self.begin, call), begun=begun)

    def begin(self, call: PortalCall[Any]) -> None:
        """Start a call, on the loop."""
        call.start(self._under_way)

    def ask(
        self, call: PortalCall[Any], answer: Future[T], callback: Callable[[], object], *, begun: bool = False
    ) -> T:
        """Post ``callback`` and wait for ``answer``; if the thread is interrupted meanwhile, cancel ``call``.

        ``begun``: it goes on with what is under way already, which is allowed while the kernel is being left.
        """
        refused: HotswapError | None = None
        try:
            refused = self.post(callback, waits=True, begun=begun)
            if refused is None:
                return answer.result()
        except BaseException as error:
            if not answer.done():
                self._give_up(call, error)
            raise
        finally:
            del call, answer, callback  # an exception in the answer would keep itself alive through this frame
        raise refused

    def _give_up(self, call: PortalCall[Any], error: BaseException) -> None:
        if self.post(partial(call.cancel, error), begun=True) is None:
            try:
                call.answer.exception(GRACE)
            except TimeoutError:
                error.add_note("The call was cancelled, and had not ended yet.")

    def post(self, callback: Callable[[], object], *, waits: bool = False, begun: bool = False) -> HotswapError | None:
        """Have the loop call something soon, in a copy of this thread's context; return why not if it does not."""
        home = self._home
        if home is not None and home.process != os.getpid():  # asked before the lock, which a fork may have copied held
            return KernelNotRunning(
                f"it was entered in process {home.process}, and this one was forked from it",
                "A fork takes no threads along: enter a kernel in each process, after the fork.",
            )
        if waits and home is not None and home.thread == get_ident() and not home.loop.is_closed():
            return WouldDeadlock()
        with self._lock:
            if self._home is None:
                return KernelNotRunning("it was not entered yet, or was left already")
            if self._leaving and not begun:
                return KernelNotRunning("it is being left")
            try:
                self._home.loop.call_soon_threadsafe(callback)
            except RuntimeError:
                return KernelNotRunning("its event loop was closed before it was left")
            return None

    def open(self) -> None:
        """Take calls to the running loop from now on."""
        with self._lock:
            self._home = _Home(asyncio.get_running_loop(), get_ident(), os.getpid())
            self._leaving = False

    async def leave(self) -> None:
        """Refuse new calls; those under way go on, and those that were posted before have begun."""
        with self._lock:
            self._leaving = True
        await asyncio.sleep(0)  # their tasks are made,
        await asyncio.sleep(0)  # and have made their first step: into the provider, where no hook makes them wait

    async def close(self) -> None:
        """Refuse everything, and cancel what is still under way."""
        with self._lock:
            self._home = None
        await asyncio.sleep(0)  # what was posted before has begun now: nobody waits in vain
        await self._end([each for each in self._under_way if not each.current], "before this call was done")

    def end_streams(self) -> None:
        """End what the calling thread itself has left under way: the streams that it did not read to their end."""
        self.call(self._end_streams, get_ident())

    async def _end_streams(self, owner: int) -> None:
        mine = [each for each in self._under_way if each.owner == owner and not each.current]
        await self._end(mine, "before this stream was read to its end")

    async def _end(self, calls: list[PortalCall[Any]], when: str) -> None:
        for each in calls:
            each.cancel(KernelNotRunning(f"it was left {when}"))
        for each in calls:
            await each.ended()
