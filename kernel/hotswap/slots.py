"""Where a handle leads: slots, the generations behind them, and leases. The heart; it knows no container.

A call travels handle -> slot -> generation -> adapter. The generation counts the calls inside it; a switch is one
assignment to ``Slot.generation``, after which new calls go to the new generation while the old one drains.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn
from weakref import WeakSet

from attrs import frozen

from hotswap.errors import DrainTimeout, HotswapError, PortUnfilled, says
from hotswap.handles import handle_class, hooked_class
from hotswap.undo import cancelling
from hotswap_ports import AdapterFailed, Port, PortError

GRACE = 1.0
"""Seconds in which a call that was cancelled is to end: its ``finally`` blocks, and no more."""


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
    """One opened instance of a provider. ``leases`` are the calls inside it now."""

    __slots__ = ("_drained", "_redact", "leases", "number", "provider", "retired", "target")

    def __init__(
        self, provider: Provider, target: Port, number: int, redact: Callable[[str], str] = lambda text: text
    ) -> None:
        self._redact = redact
        self.provider = provider
        self.target: Any = target
        self.number = number
        self.leases = 0
        self.retired = False
        self._drained: asyncio.Event | None = None

    def __repr__(self) -> str:
        return f"<generation {self.number} of {self.provider}, {self.leases} leases>"

    def fail(self, method: str, error: BaseException) -> NoReturn:
        """Raise ``error`` as the port's error, with the adapter's own as its cause.

        A cancellation of the calling task goes on as it is; a ``CancelledError`` of the adapter's own making is a
        failure like any other, and so is ``SystemExit``: no adapter ends its host.
        """
        if isinstance(error, PortError | HotswapError):
            raise error
        if isinstance(error, asyncio.CancelledError) and (asyncio.current_task() is None or cancelling()):
            raise error
        raise AdapterFailed(self.provider.name, method, error, self._redact(says(error))) from error

    def left(self) -> None:
        """Note that a call has left after the generation was retired."""
        if self._drained is not None and not self.leases:
            self._drained.set()

    async def drain(self, seconds: float) -> None:
        """Wait until every call has left.

        Raises:
            DrainTimeout: some had not left within ``seconds``; they were named and cancelled, and only they.
        """
        self.retired = True
        if not self.leases:
            return
        self._drained = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._drained.wait()
        except TimeoutError:
            stuck = list(_tasks_inside(self))
            calls = [f"{self.provider.port}.{method} in task {task.get_name()}" for task, method in stuck]
            for task, _ in stuck:
                task.cancel(f"{self.provider} is going away")
            with suppress(TimeoutError):  # what is closed next is still in use by those that are just being cancelled
                async with asyncio.timeout(GRACE if stuck else 0):
                    await self._drained.wait()
            raise DrainTimeout(str(self.provider), seconds, calls or [f"{self.leases} untraceable call(s)"]) from None


def _tasks_inside(generation: Generation) -> Iterator[tuple[asyncio.Task[Any], str]]:
    """Find the tasks that are inside ``generation`` by walking what each task awaits; nothing is recorded per call."""
    current = asyncio.current_task()
    for task in asyncio.all_tasks():
        awaited: Any = task.get_coro()
        while awaited is not None and task is not current:
            frame: FrameType | None = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
            if frame is not None and frame.f_locals.get("_hotswap_generation") is generation:
                yield task, frame.f_code.co_name
                break
            awaited = _next_awaited(awaited)


def _next_awaited(awaited: Any) -> Any:
    for attribute in ("cr_await", "ag_await", "gi_yieldfrom"):
        inner = getattr(awaited, attribute, None)
        if inner is not None:
            # ``async for`` awaits an opaque object; the generator behind it is only reachable through its referents
            return inner if not type(inner).__name__.startswith("async_generator_") else _generator_of(inner)
    return None


def _generator_of(step: Any) -> Any:
    import gc

    return next((each for each in gc.get_referents(step) if inspect.isasyncgen(each)), None)


class _Nobody:
    """The adapter of an empty slot: whatever is asked of it says why nobody is there."""

    __slots__ = ("error",)

    def __init__(self, error: HotswapError) -> None:
        self.error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise _copy(self.error)  # one exception raised by many tasks would keep the frames of all of them


def _copy(error: HotswapError) -> HotswapError:
    copied = type(error).__new__(type(error), *error.args)
    copied.args = error.args
    copied.__dict__.update(error.__dict__)
    return copied


class Slot:
    """What leads to one provider of a port at a time: the selected one, or the one of a given name."""

    __slots__ = ("_handles", "_live", "besides", "generation", "hooks", "name", "port")

    def __init__(self, port: type[Port], name: str | None = None, besides: str = "") -> None:
        self.port = port
        self.name = name
        self.besides = besides
        """A plugin that provides the port and requires it: its slot never leads to itself."""
        self.hooks: dict[str, Any] = {}
        """Method name -> compiled hooks, for methods that have any."""
        self._handles: dict[str, Port] = {}
        self._live: WeakSet[Port] = WeakSet()
        self.generation = self.empty()

    def __repr__(self) -> str:
        return f"{self.port.PORT}{f'[{self.name}]' if self.name else ''} -> {self.generation!r}"

    @property
    def filled(self) -> bool:
        """Return whether a provider is behind the slot."""
        return not isinstance(self.generation.target, _Nobody)

    def empty(self, error: HotswapError | None = None) -> Generation:
        """Return a generation that answers every call with ``error`` (default: PortUnfilled)."""
        nobody: Any = _Nobody(error or PortUnfilled(self.port.PORT))
        return Generation(Provider(self.port.PORT, self.name or "nobody", "", ""), nobody, 0)

    def handle(self, consumer: str = "") -> Port:
        """Return the handle of one consumer, always the same object.

        A consumer is ``id#number`` for one generation of a plugin, and empty for the application.
        """
        if consumer not in self._handles:
            handle_of: Any = handle_class(self.port)
            handle: Port = handle_of(self, consumer.partition("#")[0])
            self._handles[consumer] = handle
            self._live.add(handle)
            self._set_classes()
        return self._handles[consumer]

    def release(self, consumer: str) -> None:
        """Forget a consumer's handle; the handle itself goes on working for whoever still has it."""
        self._handles.pop(consumer, None)

    def pin(self, consumer: str, generation: Generation) -> None:
        """Let one consumer's handle go on leading to ``generation``, wherever the slot leads from now on."""
        handle: Any = self._handles[consumer]
        pinned = handle._slot = Slot(self.port, self.name, self.besides)
        pinned.generation, pinned.hooks = generation, self.hooks

    def set_hooks(self, hooks: dict[str, Any]) -> None:
        """Put another set of compiled hooks in force for the calls that start from now on."""
        self.hooks = hooks
        self._set_classes()

    def _set_classes(self) -> None:
        names = frozenset(self.hooks)
        wanted: Any = hooked_class(self.port, names) if names else handle_class(self.port)
        for each in self._live:
            if type(each) is not wanted:
                each.__class__ = wanted


class SlotTable:
    """All slots of one kernel: one a port for the selected provider, one a provider by name."""

    def __init__(self, hooks_of: Callable[[type[Port]], dict[str, Any]] = lambda port: {}) -> None:
        self._hooks_of = hooks_of
        self._slots: dict[str, dict[tuple[str | None, str], Slot]] = {}
        self._consumers: dict[str, dict[Slot, None]] = {}

    def slot(self, port: type[Port], name: str | None = None, besides: str = "") -> Slot:
        """Return the slot, made when it is first asked for."""
        slots = self._slots.setdefault(port.PORT, {})
        key = (name, besides)
        if key not in slots:
            slots[key] = Slot(port, name, besides)
            slots[key].set_hooks(self._hooks_of(port))
        return slots[key]

    def get(self, port: str, name: str | None = None, besides: str = "") -> Slot | None:
        """Return the slot if it exists."""
        return self._slots.get(port, {}).get((name, besides))

    def clear(self, error: HotswapError | None = None) -> None:
        """Let every handle answer with ``error`` from now on (default: PortUnfilled)."""
        for slots in self._slots.values():
            for slot in slots.values():
                slot.generation = slot.empty(error)

    def of_port(self, port: str) -> list[Slot]:
        """Return the selected slot of a port and all others that lead to one of its providers."""
        return list(self._slots.get(port, {}).values())

    def handle(self, port: type[Port], name: str | None, consumer: str, besides: str = "") -> Port:
        """Return a consumer's handle, and remember whose it is."""
        slot = self.slot(port, name, besides)
        self._consumers.setdefault(consumer, {})[slot] = None
        return slot.handle(consumer)

    def led_to(self, consumer: str, generations: Collection[Generation]) -> list[tuple[Slot, Generation]]:
        """Return the slots of a consumer that lead to one of ``generations``, each with that one."""
        slots = self._consumers.get(consumer, ())
        return [(each, each.generation) for each in slots if any(each.generation is one for one in generations)]

    def pinned(self, port: str, name: str | None, consumer: str) -> Port | None:
        """Return a consumer's handle where it leads to another generation than its slot."""
        slot = self.get(port, name)
        handle: Any = None if slot is None else slot._handles.get(consumer)
        return handle if handle is not None and handle._slot is not slot else None

    def release(self, consumer: str) -> None:
        """Forget a consumer's handles everywhere."""
        for each in self._consumers.pop(consumer, ()):
            each.release(consumer)
