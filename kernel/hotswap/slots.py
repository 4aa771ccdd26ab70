"""Where a handle leads: slots, and the generations behind them. The heart; it knows no container.

A call travels handle -> slot -> generation -> adapter. The generation counts the calls inside it; a switch is one
assignment to ``Slot.generation``, after which new calls go to the new generation while the old one drains.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NoReturn
from weakref import WeakSet

from hotswap.errors import HotswapError, PortUnfilled
from hotswap.generation import Generation, Provider
from hotswap.handles import handle_class, hooked_class
from hotswap_ports import Port


class _Nobody:
    """The adapter of an empty slot: whatever is asked of it says why nobody is there."""

    __slots__ = ("error",)

    def __init__(self, error: HotswapError | Callable[[], HotswapError]) -> None:
        self.error = error

    def __getattr__(self, name: str) -> NoReturn:
        # One exception raised by many tasks would keep the frames of all of them.
        raise _copy(self.error) if isinstance(self.error, HotswapError) else self.error()


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

    def empty(self, error: HotswapError | Callable[[], HotswapError] | None = None) -> Generation:
        """Return a generation that answers every call with ``error``, or what it returns (default: PortUnfilled)."""
        nobody: Any = _Nobody(error or PortUnfilled(self.port.PORT))
        return Generation(Provider(self.port.PORT, self.name or "nobody", "", ""), nobody, 0)

    def handle(self, consumer: str = "") -> Port:
        """Return the handle of one consumer, always the same object.

        A consumer is ``id#number`` for one generation of a plugin, and empty for the application.
        """
        handle = self._handles.get(consumer)
        if handle is None:
            handle_of: Any = handle_class(self.port)
            handle = self._handles[consumer] = handle_of(self, consumer.partition("#")[0])
            self._live.add(handle)
            if self.hooks:
                self._set_classes()
        return handle

    def release(self, consumer: str) -> None:
        """Forget a consumer's handle; the handle itself goes on working for whoever still has it."""
        self._handles.pop(consumer, None)

    def pin(self, consumer: str, generation: Generation) -> None:
        """Let one consumer's handle go on leading to ``generation``, wherever the slot leads from now on."""
        handle: Any = self._handles[consumer]
        pinned = handle._slot = Slot(self.port, self.name, self.besides)
        pinned.generation, pinned.hooks = generation, self.hooks

    def pinned(self, consumer: str) -> Port | None:
        """Return a consumer's handle where it leads to another generation than the slot."""
        handle: Any = self._handles.get(consumer)
        return handle if handle is not None and handle._slot is not self else None

    def unpin(self, consumer: str) -> None:
        """Let a consumer's handle lead to where the slot does again."""
        handle: Any = self._handles.get(consumer)
        if handle is not None:
            handle._slot = self

    def set_hooks(self, hooks: dict[str, Any]) -> None:
        """Put another set of compiled hooks in force for the calls that start from now on."""
        self.hooks = hooks
        if self._live:
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

    def ports(self) -> list[type[Port]]:
        """Return the ports that have a slot."""
        return [next(iter(each.values())).port for each in self._slots.values() if each]

    def of_port(self, port: str) -> list[Slot]:
        """Return the selected slot of a port and all others that lead to one of its providers."""
        return list(self._slots.get(port, {}).values())

    def handle(self, slot: Slot, consumer: str) -> Port:
        """Return a consumer's handle of a slot in here, and remember whose it is."""
        self._consumers.setdefault(consumer, {})[slot] = None
        return slot.handle(consumer)

    def led_to(self, consumer: str, generations: Collection[Generation]) -> list[tuple[Slot, Generation]]:
        """Return the slots of a consumer that lead to one of ``generations``, past a relay too, each with that one."""
        slots = self._consumers.get(consumer, ())
        return [
            (each, one)
            for each in slots
            for one in generations
            if each.generation.provider is one.provider and not one.retired  # one whose calls are held is
        ]

    def unpin(self, consumer: str) -> None:
        """Let all handles of a consumer follow their slots again."""
        for slot in self._consumers.get(consumer, ()):
            slot.unpin(consumer)

    def pinned(self, port: str, name: str | None, besides: str, consumer: str) -> Port | None:
        """Return a consumer's handle where it leads to another generation than its slot."""
        slot = self.get(port, name, besides)
        return None if slot is None else slot.pinned(consumer)

    def pinned_names(self, port: str, consumer: str) -> list[str]:
        """Return the names of a port's providers that a consumer reaches though its slots lead elsewhere."""
        slots = self._consumers.get(consumer, ())
        named = [(each.name, each) for each in slots if port == each.port.PORT and each.name is not None]
        return [name for name, each in named if each.pinned(consumer) is not None]

    def release(self, consumer: str) -> None:
        """Forget a consumer's handles everywhere."""
        for each in self._consumers.pop(consumer, ()):
            each.release(consumer)
