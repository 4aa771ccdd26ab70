"""One opened instance of a provider, the calls inside it, and how they are waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from attrs import frozen

from hotswap.clock import CLOCK
from hotswap.errors import CallEvicted, DrainTimeout, HotswapError, says
from hotswap.handles import FAILURES
from hotswap.stuck import Inside, calls_around, calls_inside
from hotswap.undo import GRACE, cancelling
from hotswap_ports import AdapterFailed, Port, PortError
from hotswap_ports.errors import WrongTest

T = TypeVar("T")
Task: TypeAlias = "asyncio.Task[Any]"

_evictions: WeakKeyDictionary[Task, int] = WeakKeyDictionary()
"""Tasks that a deadline has cancelled -> how many generations did: it is one cancellation, however many ask for it."""


@frozen
class Provider:
    """One plugin's adapter for one port."""

    port: str
    name: str
    plugin: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Generation:
    """One opened instance of a provider. ``leases`` are the calls inside it now.

    Calls count themselves, on the loop or, for a port's synchronous methods, in any thread: ``+=`` on a slot is one
    step under CPython's lock.
    """

    __slots__ = (
        "__weakref__", "_cut_streams", "_drained", "_evicted", "_in_grace", "_loop", "_thread", "_untraced", "cut",
        "leases", "number", "on_failure", "provider", "redact", "retired", "target",
    )  # fmt: skip

    def __init__(
        self, provider: Provider, target: Port, number: int, redact: Callable[[str], str] = lambda text: text
    ) -> None:
        self.redact = redact
        self.provider = provider
        self.target: Any = target
        self.number = number
        self.leases = 0
        self.retired = False
        """Set while somebody waits for the calls to leave."""
        self.cut = False
        """Set at the deadline: a stream that goes on later looks whether it was cut."""
        self.on_failure: Callable[[Generation, Exception], None] | None = None
        """Told of every error of the provider's own making."""
        self._drained: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._in_grace = False
        self._evicted: dict[Task, int] = {}
        """Tasks that the deadline has cancelled -> how many of their calls are inside still."""
        self._cut_streams: dict[int, Any] = {}
        """What the deadline has closed under streams that nobody read, by ``id``."""
        self._untraced = 0
        """Calls that were inside at the deadline, and that led to no task."""

    def __repr__(self) -> str:
        return f"<generation {self.number} of {self.provider}, {self.leases} leases>"

    def fail(self, method: str, error: BaseException) -> NoReturn:
        """Raise ``error`` as the port's error, with the adapter's own as its cause.

        A cancellation of the calling task goes on as it is, as do ``KeyboardInterrupt``, ``GeneratorExit`` and
        ``WrongTest``; a ``CancelledError`` of the adapter's own making is a failure like any other, and so are
        ``SystemExit`` and whatever else is no ``Exception``: no adapter ends its host. What the deadline of a drain
        cancelled is the call, and not the task that made it: that gets an error.
        """
        if isinstance(error, KeyboardInterrupt | GeneratorExit | WrongTest):
            raise error
        if isinstance(error, PortError | HotswapError):
            self._failed(error)
            raise error
        cancelled = isinstance(error, asyncio.CancelledError)
        if self._evicted and self._take_back_eviction() and not cancelling():
            raise self.evicted(method) from (None if cancelled else error)
        if cancelled and (asyncio.current_task() is None or cancelling()):
            raise error
        failed = AdapterFailed(self.provider.name, method, error, self.redact(says(error)))
        failed.__cause__ = error  # before anybody is told, who may want to know where it came from
        self._failed(failed)
        raise failed

    def _failed(self, error: Exception) -> None:
        if self.on_failure is not None:
            self.on_failure(self, error)

    def evicted(self, method: str) -> CallEvicted:
        """Return the error of a call that was still inside at the deadline."""
        return CallEvicted(f"{self.provider.port}.{method}", str(self.provider))

    def is_cut(self, items: Any) -> bool:
        """Return whether the deadline has ended the stream that iterates over ``items``."""
        return id(items) in self._cut_streams or asyncio.current_task() in self._evicted

    def left(self, items: Any = None) -> None:
        """Note that a call has left while somebody waits for that. ``items``: what it iterated over, for a stream."""
        if self.cut:
            self._forget_evicted(items)
        if self._drained is None:
            self.retired = bool(self._evicted)
        elif self.leases <= self._given_up:
            if threading.get_ident() == self._thread:
                self._drained.set()
            elif self._loop is not None:
                self._loop.call_soon_threadsafe(self._drained.set)

    @property
    def _given_up(self) -> int:
        """Return how many calls nobody waits for: a deadline named them, and left a moment to those it cancelled."""
        return self._untraced + len(self._cut_streams) + (0 if self._in_grace else sum(self._evicted.values()))

    def _forget_evicted(self, items: Any) -> None:
        self._cut_streams.pop(id(items), None)
        self._take_back_eviction()
        self._untraced = max(0, min(self._untraced, self.leases - len(self._cut_streams) - sum(self._evicted.values())))

    def _take_back_eviction(self) -> bool:
        """Return whether the current task, cancelled by the deadline, leaves its outermost call: that ends there."""
        task = asyncio.current_task() if asyncio._get_running_loop() is not None else None
        if task is None or task not in self._evicted:
            return False
        if calls_around(self) > 1:
            self._evicted[task] -= 1
            return False
        del self._evicted[task]
        asked = _evictions.pop(task, 1) - 1
        if asked:
            _evictions[task] = asked
        else:
            task.uncancel()
        return True

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[T]]) -> T:
        """Return ``await invoke(target)`` as a call inside this generation: for those who choose one themselves."""
        _hotswap_generation, _hotswap_since, _hotswap_method = self, CLOCK.now, method
        self.leases += 1
        try:
            return await invoke(self.target)
        except FAILURES as error:
            self.fail(method, error)
        finally:
            self.leases -= 1
            if self.retired:
                self.left()

    async def stream(self, method: str, invoke: Callable[[Any], AsyncIterator[T]]) -> AsyncGenerator[T, None]:
        """Iterate over ``invoke(target)`` as a call inside this generation."""
        _hotswap_generation, _hotswap_since, _hotswap_method = self, CLOCK.now, method
        self.leases += 1
        _hotswap_items: Any = None
        try:
            _hotswap_items = invoke(self.target)
            async for item in _hotswap_items:
                yield item
                if self.cut and self.is_cut(_hotswap_items):
                    raise self.evicted(method)
        except FAILURES as error:
            self.fail(method, error)
        finally:
            await self.end_stream(_hotswap_items)

    async def end_stream(self, items: Any) -> None:
        """Close what a stream iterates over, and give its lease back."""
        try:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()
        finally:
            self.leases -= 1
            if self.retired:
                self.left(items)

    async def drain(self, seconds: float) -> None:
        """Wait until every call has left, but for those that were given up at an earlier deadline.

        Raises:
            DrainTimeout: some had not left within ``seconds``; they were named and cancelled, and only they.
        """
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._drained = asyncio.Event()
        self.retired = True  # after the event is there: a call that leaves in a thread looks for it
        if self.leases <= self._given_up:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._drained.wait()
        except TimeoutError:
            raise DrainTimeout(str(self.provider), seconds, *await self._evict(self._drained)) from None

    def resume(self) -> None:
        """Serve on after a drain: what was to come in its place has not come."""
        self._drained = None
        self.retired = bool(self._evicted)  # these have yet to say that they have left

    async def _evict(self, drained: asyncio.Event) -> tuple[list[str], int]:
        """Cancel the calls that are inside, and wait a moment for their last lines.

        A stream that nobody reads just now is not in anybody's way: what it iterates over is closed, and whoever reads
        on gets an error. Returns who they were, and how many more led to no task: these go on.
        """
        inside = calls_inside(self)
        stuck = [each for each in inside if each.task not in self._evicted and id(each.items) not in self._cut_streams]
        known, self._untraced = self._untraced, max(0, self.leases - sum(each.leases for each in inside))
        named = [f"{self.provider.port}.{each}" for each in stuck]
        self.cut = self._in_grace = True
        for each in stuck:
            self._end(each)
        try:
            # What is closed is still in use by those that are just being cancelled.
            async with asyncio.timeout(GRACE):
                idle = [each for each in stuck if each.task is None]
                named += [problem for each in idle if (problem := await _close(each.items))]
                if self.leases > self._given_up:
                    await drained.wait()
        except TimeoutError:
            pass
        finally:
            self._in_grace = False
        return named, max(0, self._untraced - known)

    def _end(self, call: Inside) -> None:
        """Cancel a call, once."""
        if call.task is None:
            self._cut_streams[id(call.items)] = call.items
            return
        self._evicted[call.task] = call.leases
        if call.task not in _evictions:
            call.task.cancel(f"{self.provider} is going away")
        _evictions[call.task] = _evictions.get(call.task, 0) + 1


async def _close(items: Any) -> str:
    """Close an adapter's iterator; return what went wrong, empty for nothing."""
    close = getattr(items, "aclose", None)
    if close is None:
        return ""
    try:
        await close()
    except Exception as error:  # noqa: BLE001 - the adapter's own code: reported with the stuck calls
        return f"closing a stream raised {type(error).__name__}: {says(error)}"
    return ""
