"""The container. The only file that knows dependency-injector.

Its providers hand out the live handles, never the adapters: what ``@inject`` put into a function yesterday follows
today's swap, and an override of dependency-injector is never on the path of a call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeVar, cast

from dependency_injector import containers, providers

from hotswap.config import Config, structure_config
from hotswap.consumer import APPLICATION, Consumer
from hotswap.errors import HotswapError, InjectionFailed, PortUnfilled, ProviderNotFound
from hotswap.generation import Generation
from hotswap.hooks import Hooks, MethodHooks
from hotswap.injection import Need, needs_of
from hotswap.slots import Slot, SlotTable
from hotswap.switchboard import Switchboard
from hotswap_ports import PluginContext, Port
from hotswap_ports.methods import port_methods

P = TypeVar("P", bound=Port)
T = TypeVar("T")


class LiveMapping(Mapping[str, Port]):
    """All providers of a port by name, the selected one first, as they are at the moment of looking.

    For a plugin that leaves, those that leave with it are there until it is closed.
    """

    def __init__(self, wiring: Wiring, port: type[Port], consumer: Consumer) -> None:
        self._wiring = wiring
        self._port = port
        self._consumer = consumer

    def _names(self) -> Collection[str]:
        port, key = self._port.PORT, self._consumer.key
        names = self._consumer.others(port, self._wiring.names(port))
        left = self._wiring.slots.pinned_names(port, key) if key else ()
        return list(dict.fromkeys([*names, *left])) if left else names

    def __getitem__(self, name: str) -> Port:
        if name not in self._names():
            raise KeyError(name)
        return self._wiring.handle(self._port, name, self._consumer)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __repr__(self) -> str:
        return f"<live providers of {self._port.PORT}: {', '.join(self) or 'none'}>"


class Wiring(Switchboard):
    """The container over the switchboard, and who is given what."""

    def __init__(self, selected: Mapping[str, tuple[str, ...]], hooks: Hooks) -> None:
        super().__init__(SlotTable(self._hooks_of), selected)
        self._hooks = hooks
        hooks.on_change.append(self._hooks_changed)
        self._container: containers.DynamicContainer | None = None

    @property
    def container(self) -> containers.DynamicContainer:
        """Return the container. It is filled when it is first asked for, and kept up to date from then on."""
        if self._container is None:
            self._container = containers.DynamicContainer()
            for name, port in self._ports.items():
                self._expose(self._container, port, self.providers(name))
        return self._container

    def _hooks_of(self, port: type[Port]) -> dict[str, MethodHooks]:
        compiled = {each.name: self._hooks.for_method(port.PORT, each.name) for each in port_methods(port)}
        return {name: each for name, each in compiled.items() if each is not None}

    def _hooks_changed(self, methods: Collection[tuple[str, str]]) -> None:
        """Let the handles of the ports concerned run the hooks that are in force now; part of the switch."""
        for port in {of for of, _ in methods}:
            for slot in self.slots.of_port(port):
                slot.set_hooks(self._hooks_of(slot.port))

    def _follow(self, ports: Collection[type[Port]], changed: Mapping[str, Collection[str]]) -> None:
        """Do as the switchboard does, and give the container a provider for what is new."""
        super()._follow(ports, changed)
        if self._container is not None:
            for port in ports:
                self._expose(self._container, port, changed.get(port.PORT, ()))

    def _expose(self, container: containers.DynamicContainer, port: type[Port], names: Iterable[str]) -> None:
        """Make handles providers of the container: ``storage``, and ``storage__sqlite_storage`` for one by name.

        A port that is called like something the container has itself (``wire``) gets an underscore after its name.
        """
        for name in (None, *sorted(names)):
            key = port.PORT if name is None else f"{port.PORT}__{name}"
            key = re.sub(r"\W", "_", key)
            key += "_" if hasattr(containers.DynamicContainer, key) else ""
            if key not in container.providers:
                setattr(container, key, providers.Object(self._handle(port, name, APPLICATION)))

    def _handle(self, port: type[Port], name: str | None, consumer: Consumer) -> Port:
        """Return a handle. What a plan opens is led to what that plan puts in force, before everybody else is."""
        besides = consumer.besides(port.PORT) if name is None else ""
        slot = self.slot(port, name, besides)
        handle = self.slots.handle(slot, consumer.key)
        coming = self.preview(slot, consumer.key)
        if coming is not None:
            slot.pin(consumer.key, coming)
        return handle

    def handle(self, port: type[P], name: str | None, consumer: Consumer = APPLICATION) -> P:
        """Return a live handle.

        Raises:
            PortUnfilled, PortAmbiguous: nobody, or more than one, would answer it.
            ProviderNotFound: no open provider has that name.
        """
        besides = consumer.besides(port.PORT) if name is None else ""
        pinned = self.slots.pinned(port.PORT, name, besides, consumer.key) if consumer.key else None
        if pinned is not None:
            return cast("P", pinned)
        problem = self._problem(port.PORT, name, self.providers(port.PORT), consumer)
        if problem is not None:
            raise problem
        return cast("P", self._handle(port, name, consumer))

    def _problem(
        self, port: str, name: str | None, names: Collection[str], consumer: Consumer = APPLICATION
    ) -> HotswapError | None:
        """Return why none of the providers called ``names`` would serve a consumer."""
        if name is not None:
            return None if name in names else ProviderNotFound(port, name, list(names))
        if port in consumer.own:
            chosen = self.choose(port, consumer.others(port, names), consumer.plugin)
        else:
            chosen = self.choose(port, names)
        if isinstance(chosen, PortUnfilled):
            return self.unfilled(port)
        return chosen if isinstance(chosen, HotswapError) else None

    def all(self, port: type[Port], consumer: Consumer = APPLICATION) -> Mapping[str, Port]:
        """Return a live view of a port's providers."""
        return LiveMapping(self, port, consumer)

    def take_along(
        self,
        consumer: Consumer,
        needs: Iterable[Need],
        lent: Iterable[type[Port]],
        leaving: Collection[Generation],
    ) -> list[tuple[Slot, Generation]]:
        """Return what a consumer that leaves leads to of the providers that leave with it: see ``SlotTable.led_to``.

        It is given the handles that it has not asked for yet. ``lent`` are the ports that its context hands out.
        """
        ports = {each.provider.port for each in leaving}
        for need in needs:
            if need.kind == "all" and need.port is not None and need.port.PORT in ports:
                gone = {each.provider.name for each in leaving if each.provider.port == need.port.PORT}
                names = [each for each in self.names(need.port.PORT) if each in gone]
                for name in consumer.others(need.port.PORT, names):
                    self._handle(need.port, name, consumer)
        for port in lent:
            if port.PORT in ports:
                self._handle(port, None, consumer)
        return self.slots.led_to(consumer.key, leaving)

    def gaps(
        self,
        needs: Collection[Need],
        expected: Mapping[str, Collection[str]] | None = None,
        consumer: Consumer = APPLICATION,
    ) -> list[str]:
        """Return a sentence for each need that cannot be filled.

        ``expected`` (port -> names) are the providers to count on; None: those that are open now.
        """
        found = []
        for need in needs:
            if need.port is None or need.optional or need.kind == "all":
                continue
            problem = self._problem(need.port.PORT, need.name, self._then(need.port.PORT, expected), consumer)
            if problem is not None:
                found.append(f"{need.parameter}: {problem} {problem.hint}".rstrip())
        return found

    def _then(self, port: str, expected: Mapping[str, Collection[str]] | None) -> Collection[str]:
        return self.providers(port) if expected is None else expected.get(port, ())

    def construct(
        self,
        target: Callable[..., T],
        needs: Collection[Need],
        *,
        consumer: Consumer = APPLICATION,
        config: Config | None = None,
        context: PluginContext | None = None,
        expected: Mapping[str, Collection[str]] | None = None,
    ) -> T:
        """Call ``target`` with its needs filled; ``expected`` as in ``gaps``."""
        given: dict[str, object] = {}
        for each in needs:
            if not each.optional or each.port is None or self._is_there(each, expected, consumer):
                given[each.parameter] = self._fill(each, consumer, config, context)
            elif not each.has_default:
                given[each.parameter] = None
        return target(**given)

    def _is_there(self, need: Need, expected: Mapping[str, Collection[str]] | None, consumer: Consumer) -> bool:
        assert need.port is not None
        names = self._then(need.port.PORT, expected)
        return self._problem(need.port.PORT, need.name, names, consumer) is None

    def _fill(self, need: Need, consumer: Consumer, config: Config | None, context: PluginContext | None) -> object:
        if need.kind == "context":
            return context
        if need.kind == "mapping":
            return config
        if need.structure is not None:
            return structure_config(config, need.structure) if config is not None else need.structure()
        assert need.port is not None
        return self.all(need.port, consumer) if need.kind == "all" else self._handle(need.port, need.name, consumer)

    def build(self, target: Callable[..., T]) -> T:
        """Construct something of the application's.

        Raises:
            InjectionFailed: lists every parameter that cannot be filled; nothing was constructed.
        """
        needs = [each for each in needs_of(target) if each.port is not None or not each.optional]
        own = [f"{each.parameter}: only plugins are given this" for each in needs if each.port is None]
        gaps = [*own, *self.gaps(needs)]
        if gaps:
            raise InjectionFailed(str(getattr(target, "__qualname__", None) or repr(target)), gaps)
        return self.construct(target, needs)
