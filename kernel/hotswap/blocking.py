"""The kernel for threads: what a synchronous application holds. A loop in a thread of its own, and a way there."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from anyio import CapacityLimiter, to_thread
from loguru import logger

from hotswap.blocking_handles import BlockingHandle, BlockingHandles, BlockingMapping
from hotswap.blocking_injection import stand_in
from hotswap.blocking_ports import BlockingPorts
from hotswap.errors import KernelInUse, KernelNotRunning
from hotswap.kernel import Kernel
from hotswap.loop_thread import LoopThread
from hotswap.program_end import close_at_end
from hotswap_ports import Handler, HookEvent, Port

if TYPE_CHECKING:
    from hotswap.boot import Backoff
    from hotswap.catalog import Catalog
    from hotswap.errors import HotswapError
    from hotswap.health_watch import Timer
    from hotswap.plan import Plan
    from hotswap.proposals import Past
    from hotswap.settings import Settings

Q = ParamSpec("Q")
T = TypeVar("T")


@overload
def _mirrored(
    method: Callable[Concatenate[Kernel, Q], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[BlockingKernel, Q], T]: ...
@overload
def _mirrored(method: Callable[Concatenate[Kernel, Q], T]) -> Callable[Concatenate[BlockingKernel, Q], T]: ...
def _mirrored(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of ``Kernel`` in its blocking form: the same parameters, and what is awaited elsewhere."""

    @wraps(method)
    def call(self: BlockingKernel, *args: Any, **kwargs: Any) -> Any:
        portal = self._kernel.portal
        send: Callable[..., Any] = portal.call if inspect.iscoroutinefunction(method) else portal.reach
        return send(method, self._kernel, *args, **kwargs)

    return call


def _in_thread(handler: Handler) -> Handler:
    """Return a handler that runs ``handler`` in a thread, where it may block and use the kernel that calls it."""

    async def call(event: HookEvent) -> Any:
        # A limiter of its own, for handlers may wait for calls whose handlers wait for a thread.
        answer = await to_thread.run_sync(handler, event, abandon_on_cancel=True, limiter=CapacityLimiter(1))
        return await answer if inspect.isawaitable(answer) else answer

    return handler if inspect.iscoroutinefunction(handler) else call


class BlockingKernel(BlockingPorts):
    """A ``Kernel`` for code that does not await: ``with BlockingKernel(Settings.load()) as kernel:``.

    It lives on an event loop in a thread of its own. Every method may be called from any thread but that one, also from
    many at once and while providers are swapped. A call carries the context variables of its thread; Ctrl-C cancels
    the call that it interrupts, and no other. Leaving closes everything in order; errors are those of ``Kernel``.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        ports: Iterable[type[Port]] = (),
        environ: Mapping[str, str] | None = None,
        backoff: Backoff | None = None,
        timer: Timer | None = None,
    ) -> None:
        self._kernel = Kernel(settings, ports=ports, environ=environ, backoff=backoff, timer=timer)
        self._handles = BlockingHandles(self._kernel.portal)
        self._thread: LoopThread | None = None

    def __enter__(self) -> BlockingKernel:
        if self._thread is not None:
            raise KernelInUse
        thread = LoopThread(self._kernel, "hotswap")
        thread.start()
        self._thread = thread
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._thread is None or self._thread.forked:  # a fork has no copy of the thread, and nothing to leave
            return
        thread, self._thread = self._thread, None
        try:
            with suppress(KernelNotRunning):  # its loop has died: nothing is under way
                self._kernel.portal.end_streams()
        finally:
            thread.stop(kind, error, at)

    def open(self) -> BlockingKernel:
        """Enter it without ``with``, for a server's module: it is left by ``close``, or when the program ends.

        Where a server forks its workers, open it in each worker.
        """
        self.__enter__()
        close_at_end(self, BlockingKernel._close_late)
        return self

    def close(self) -> None:
        """Leave it; raises as leaving ``with`` does. Closing what is not open does nothing."""
        self.__exit__(None, None, None)

    def _close_late(self) -> None:
        try:
            self.close()
        except Exception as error:  # noqa: BLE001 - nobody is left to be told: it is logged
            logger.error("A kernel that was open to the end of the program did not close cleanly: {}", error)

    def _get(self, port: Callable[..., Port], name: str | None) -> BlockingHandle:
        return self._handles.over(self._kernel.portal.reach(self._kernel.get, port, name))

    def _all(self, port: Callable[..., Port]) -> BlockingMapping:
        return BlockingMapping(self._handles, self._kernel.portal.reach(self._kernel.all, port))

    def build(self, target: Callable[..., T]) -> T:
        """Construct ``target``, in this thread, with what its annotations ask for: blocking handles.

        Annotate them as ``BlockingStorage`` and the like (``hotswap.blocking_ports``), by which type checkers know what
        is passed. A port itself, ``Storage``, is filled with its blocking handle too.

        Raises:
            InjectionFailed: lists every parameter that cannot be filled; nothing was constructed.
        """
        found = self._kernel.portal.reach(self._kernel.build, stand_in(target))
        return target(**{name: self._blocking(value) for name, value in found.items()})

    def _blocking(self, given: object) -> object:
        if isinstance(given, Port):
            return self._handles.over(given)
        return BlockingMapping(self._handles, given) if isinstance(given, Mapping) else given

    def run(self, main: Callable[[Kernel], Awaitable[T]]) -> T:
        """Run ``await main(kernel)`` on the kernel's loop, as ``hotswap.run`` does in a kernel of its own."""
        return self._kernel.portal.call(main, self._kernel)

    def on(
        self,
        point: str,
        handler: Handler,
        priority: int = 0,
        *,
        before: Iterable[str] = (),
        after: Iterable[str] = (),
    ) -> Callable[[], None]:
        """Register the application's own handler at a hook point; what is returned takes it out again.

        A coroutine function runs on the loop; any other handler in a thread, where it may use this kernel.
        """
        taken = _in_thread(handler)
        remove = self._kernel.portal.reach(self._kernel.on, point, taken, priority, before=before, after=after)
        return lambda: self._kernel.portal.reach(remove)

    @property
    def settings(self) -> Settings:
        """Return the settings in force: those it was given, with what was enabled, selected and configured since."""
        return self._kernel.portal.reach(lambda: self._kernel.settings)

    @property
    def catalog(self) -> Catalog:
        """Return what was found."""
        return self._kernel.portal.reach(lambda: self._kernel.catalog)

    @property
    def problems(self) -> tuple[HotswapError, ...]:
        """Return what was found wrong and did not stop the kernel: bad manifests, names that lead nowhere."""
        return self._kernel.portal.reach(lambda: self._kernel.problems)

    @property
    def history(self) -> tuple[Past, ...]:
        """Return what stood before each change of settings or solution, the latest last."""
        return self._kernel.portal.reach(lambda: self._kernel.history)

    def watch(
        self,
        *,
        interval: float = 0.5,
        on_change: Callable[[Plan], None] | None = None,
        on_problem: Callable[[Exception], None] | None = None,
    ) -> Callable[[], None]:
        """Follow ``hotswap.toml`` as ``Kernel.watch`` does; calling what is returned ends it.

        ``on_change`` and ``on_problem`` are called on the loop: they may not use this kernel.
        """
        portal = self._kernel.portal
        follow = partial(self._kernel.watch, interval=interval, on_change=on_change, on_problem=on_problem)
        watch = portal.reach(follow)
        return lambda: portal.call(watch.stop)

    plan = _mirrored(Kernel.plan)
    change = _mirrored(Kernel.change)
    rollback = _mirrored(Kernel.rollback)
    trials = _mirrored(Kernel.trials)
    apply = _mirrored(Kernel.apply)
    enable = _mirrored(Kernel.enable)
    disable = _mirrored(Kernel.disable)
    select = _mirrored(Kernel.select)
    configure = _mirrored(Kernel.configure)
    reload = _mirrored(Kernel.reload)
    plugins = _mirrored(Kernel.plugins)
    ports = _mirrored(Kernel.ports)
    why = _mirrored(Kernel.why)
    health = _mirrored(Kernel.health)
    redact = _mirrored(Kernel.redact)
