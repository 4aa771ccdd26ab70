"""Which providers are open, and where each slot leads. Knows no container.

A slot leads to the provider that serves its port, or to the one of its name. Two things can stand between: a *stand-in*
for one generation, where calls wait while it is replaced or until it is open, and a *route*, which shares the calls to
a port's selected provider out among several, or watches them. Routes lie in layers, one behind the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import IntEnum

from hotswap.ahead import Ahead
from hotswap.errors import HotswapError, PortUnfilled, ProviderNotFound
from hotswap.generation import Generation
from hotswap.handles import handle_class
from hotswap.relays import Policy, relayed
from hotswap.selection import choose, in_order
from hotswap.slots import Slot, SlotTable
from hotswap_ports import Port

Route = Callable[[Generation], Policy | None]
"""Makes the policy of a slot that leads to the generation given, be that a provider or another route; None for none."""


StandIn = Callable[[Generation, Slot, Port], Policy]
"""Makes the policy of a slot that leads to a generation; the plain handle is for calls that go on along the slot."""


class Layer(IntEnum):
    """Where a route lies: a call comes through the highest layer first, and through the lowest right before its end."""

    COUNT = 0
    """Failover counts the calls of a provider under suspicion."""
    CHANCE = 1
    """Failover tries a provider again that was down."""
    TRIAL = 2
    """Calls are shared out between the selected provider and another one."""


class Switchboard:
    """The providers and slots of one kernel; each change of them is synchronous from end to end."""

    def __init__(self, slots: SlotTable, selected: Mapping[str, tuple[str, ...]]) -> None:
        self.slots = slots
        self.unfilled: Callable[[str], HotswapError] = PortUnfilled
        """Makes the error of a port that nobody serves; the kernel's says who could, and why they do not."""
        self.absent: Callable[[str, str, Iterable[str]], HotswapError] = ProviderNotFound
        """Makes the error of a provider that is not open; the kernel's says who could be it, and why it is not."""
        self.settled = False
        """Set once the kernel is up: from then on the provider in use stays when another one comes."""
        self.unwell: dict[tuple[str, str], str] = {}
        """Port and name of providers that others of the selection stand in for -> why."""
        self._ports: dict[str, type[Port]] = {}
        """Those that have had a provider, by name."""
        self._selected = dict(selected)
        self._in_use: dict[str, str] = {}
        """Port without a slot -> the provider that it would have led to before the last change."""
        self._providers: dict[str, dict[str, Generation]] = {}
        self._resting: dict[str, dict[str, str]] = {}
        """Port and name of providers in force that nobody has looked at -> the plugin."""
        self._make: Callable[[str], object] = lambda plugin: None
        self._lent: dict[tuple[str, str], Generation] = {}
        """Port and name -> a generation that is open and not in force yet."""
        self._stand_ins: dict[Generation, StandIn] = {}
        self._routes: dict[str, dict[Layer, Route]] = {}
        self.ahead: Ahead | None = None

    @property
    def selected(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the providers chosen for each port, best first."""
        return self._selected

    @selected.setter
    def selected(self, selected: Mapping[str, tuple[str, ...]]) -> None:
        ports = {*self._selected, *selected}
        self._keep_in_use(each for each in ports if self._selected.get(each) != selected.get(each))
        self._selected = dict(selected)

    def restart(self, selected: Mapping[str, tuple[str, ...]]) -> None:
        """Begin anew: nobody is open, and no port leads anywhere."""
        self.settled = False
        self._in_use.clear()
        self._resting.clear()
        self.slots.clear()
        self.selected = dict(selected)

    def _keep_in_use(self, ports: Iterable[str]) -> None:
        """Remember what ports without a slot lead to: where there is a slot, it knows that itself."""
        for port in ports if self.settled else ():
            if self.slots.get(port) is None:
                self._in_use[port] = self._leads_to(port)

    def _leads_to(self, port: str) -> str:
        """Return the name of the provider that a port leads to; empty for none."""
        slot = self.slots.get(port)
        if slot is not None:
            return slot.generation.provider.name if slot.filled else ""
        chosen = self.choose(port, self.providers(port))
        return "" if isinstance(chosen, HotswapError) else chosen

    def providers(self, port: str) -> dict[str, Generation]:
        """Return the open providers of a port by name."""
        if port in self._resting:
            for plugin in list(self._resting[port].values()):
                self._make(plugin)
            del self._resting[port]
        return self._providers.get(port, {})

    def has(self, port: str, name: str) -> bool:
        """Return whether a provider of that name is open, and look at none."""
        return name in self._providers.get(port, ()) or name in self._resting.get(port, ())

    def names(self, port: str) -> list[str]:
        """Return the names of a port's open providers, the one in use first."""
        current = self._leads_to(port)
        return sorted(self.providers(port), key=lambda each: (each != current, each))

    def serving(self, port: str) -> Generation | HotswapError:
        """Return the generation that serves a port, or why none does."""
        chosen = self.choose(port, self.providers(port))
        return chosen if isinstance(chosen, HotswapError) else self.providers(port)[chosen]

    def choose(self, port: str, names: Collection[str], besides: str = "") -> str | HotswapError:
        """Return which of ``names`` would serve a port; ``besides``: the plugin whose slot it is."""
        current = self._current(port, besides) if self.settled else ""
        return choose(port, names, self.in_order(port, self.selected), current)

    def _current(self, port: str, besides: str) -> str:
        """Return the name of the provider that a slot leads to until something is changed; empty for none."""
        slot, main = self.slots.get(port, None, besides), self.slots.get(port)
        for each in (slot, main):
            if each is not None and each.filled:
                return each.generation.provider.name
        return self._leads_to(port) if main is None and besides else self._in_use.get(port, "")

    def in_order(self, port: str, selection: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Return a selection of a port: those that are unwell stand behind the others."""
        selected = selection.get(port, ())
        return in_order(port, selected, self.unwell) if self.unwell else selected

    def lend(self, generations: Iterable[Generation]) -> None:
        """Let handles by name reach providers that are not in force yet, until they are or are gone."""
        for each in generations:
            of, name = each.provider.port, each.provider.name
            if name not in self.providers(of):
                self._lent[of, name] = each
                if (slot := self.slots.get(of, name)) is not None:
                    self._point(slot, each)

    def switch(
        self, ports: Collection[type[Port]], add: Collection[Generation], remove: Collection[Generation]
    ) -> None:
        """Put generations in and out of force. Synchronous from end to end: no call sees a part of it.

        ``ports`` are those whose slots may lead elsewhere afterwards; the cost depends on them alone.
        """
        self._keep_in_use(each.PORT for each in ports)
        for each in (*add, *remove):
            self.providers(each.provider.port)
        for gone in remove:
            named = self._providers.get(gone.provider.port, {})
            if named.get(gone.provider.name) is gone:
                del named[gone.provider.name]
        for new in add:
            self._providers.setdefault(new.provider.port, {})[new.provider.name] = new
        changed: dict[str, set[str]] = {}
        for each in (*add, *remove):
            changed.setdefault(each.provider.port, set()).add(each.provider.name)
        self._follow(ports, changed)

    def rest(
        self, ports: Collection[type[Port]], add: Mapping[str, Mapping[str, str]], make: Callable[[str], object]
    ) -> None:
        """Put providers in force as ``switch`` does, of which there is a generation when somebody looks at one.

        Args:
            add: port -> name -> the plugin.
            make: sees to it that ``made`` is called with each generation of a plugin.
        """
        self._keep_in_use(add)
        self._make = make
        for port, named in add.items():
            self._resting[port] = {**self._resting[port], **named} if port in self._resting else dict(named)
        self._follow(ports, add)

    def made(self, generation: Generation, stand_in: StandIn) -> None:
        """Take the generation of a provider that somebody looks at; calls to it go to a stand-in."""
        self._stand_ins[generation] = stand_in
        port, name, plugin = generation.provider.port, generation.provider.name, generation.provider.plugin
        resting = self._resting.get(port, {})
        if resting.get(name) == plugin:  # and not another one of that name
            del resting[name]
            self._providers.setdefault(port, {})[name] = generation

    def _follow(self, ports: Collection[type[Port]], changed: Mapping[str, Collection[str]]) -> None:
        """Let the slots of ``ports`` lead to where they should, now that those providers are others.

        Args:
            changed: port -> names.
        """
        for of, name in list(self._lent):
            if name in changed.get(of, ()):
                del self._lent[of, name]
        for port in ports:
            self._ports[port.PORT] = port
            for slot in self.slots.of_port(port.PORT):
                if slot.name is None or slot.name in changed.get(port.PORT, ()):
                    self._aim(slot)

    def lead(self, port: type[Port]) -> None:
        """Let what serves a port by selection lead to where it should now."""
        for slot in self.slots.of_port(port.PORT):
            if slot.name is None:
                self._aim(slot)

    def slot(self, port: type[Port], name: str | None, besides: str) -> Slot:
        """Return a slot; it is made, and led to its provider, when it is first asked for."""
        found = self.slots.get(port.PORT, name, besides)
        if found is None:
            found = self.slots.slot(port, name, besides)
            self._aim(found)
            if name is None and not besides:
                self._in_use.pop(port.PORT, None)
        return found

    def _aim(self, slot: Slot) -> None:
        """Let a slot lead to where it should now."""
        found = self._of_name(slot, slot.name) if slot.name is not None else self._of_selection(slot)
        if isinstance(found, Generation):
            self._point(slot, found)
        elif isinstance(found, PortUnfilled):
            slot.generation = slot.empty(lambda: self.unfilled(slot.port.PORT))
        else:
            slot.generation = slot.empty(found)

    def _of_name(self, slot: Slot, name: str) -> Generation | Callable[[], HotswapError]:
        """Return the provider of a name; where there is none, what makes the error: it looks for the nearest names."""
        port = slot.port.PORT
        found = self.providers(port).get(name) or self._lent.get((port, name))
        return found or (lambda: self.absent(port, name, self.providers(port)))

    def _of_selection(self, slot: Slot) -> Generation | HotswapError:
        """Return what serves a port; for a plugin that provides the port itself, the best of the others."""
        port = slot.port.PORT
        found = self.providers(port)
        if slot.besides:
            found = {name: each for name, each in found.items() if each.provider.plugin != slot.besides}
        chosen = self.choose(port, found, slot.besides)
        return chosen if isinstance(chosen, HotswapError) else found[chosen]

    def _point(self, slot: Slot, generation: Generation) -> None:
        """Let a slot lead to a generation, or to what stands in for it."""
        make = self._stand_ins.get(generation)
        if make is not None:
            policy = make(generation, slot, _onward(slot))
            slot.generation = relayed(slot.port, generation.provider, policy, generation.number, generation.redact)
        else:
            slot.generation = generation if slot.name is not None else self._routed(slot, generation)

    def _routed(self, slot: Slot, generation: Generation) -> Generation:
        """Return what stands for a generation behind the routes of its port.

        Calls that another provider of the port makes to it are no part of a trial: a candidate would be led to itself.
        """
        routes = self._routes.get(slot.port.PORT)
        for layer, route in sorted(routes.items()) if routes else ():
            policy = route(generation) if layer is not Layer.TRIAL or not slot.besides else None
            if policy is not None:
                generation = relayed(slot.port, generation.provider, policy, generation.number, generation.redact)
        return generation

    def stand_in(self, generation: Generation, make: StandIn) -> None:
        """Let new calls to a generation go to a stand-in."""
        self._stand_ins[generation] = make
        provider = generation.provider
        if self.providers(provider.port).get(provider.name) is generation:
            self.refresh(provider.port)

    def step_aside(self, generations: Collection[Generation]) -> None:
        """Let the slots of some generations lead where they should without stand-ins."""
        ports = {each.provider.port for each in generations if self._stand_ins.pop(each, None) is not None}
        for port in ports:
            self.refresh(port)

    def stood_in_for(self, generation: Generation) -> bool:
        """Return whether calls to a generation go to a stand-in."""
        return generation in self._stand_ins

    def preview(self, slot: Slot, consumer: str) -> Generation | None:
        """Return where a slot will lead for a plugin that is being opened; None where it leads there already."""
        if self.ahead is None or consumer not in self.ahead.consumers:
            return None
        port = slot.port.PORT
        coming = self.ahead.coming.get(port)
        if not coming:
            return None
        found = {**self.providers(port), **coming}
        if slot.besides:
            found = {name: each for name, each in found.items() if each.provider.plugin != slot.besides}
        current = slot.generation.provider.name if slot.filled else ""
        name = slot.name or choose(port, found, self.in_order(port, self.ahead.selected), current)
        led = None if isinstance(name, HotswapError) or name not in found else coming.get(name)
        return led if led is not slot.generation else None

    def route(self, port: str, route: Route | None, layer: Layer = Layer.TRIAL) -> None:
        """Let the calls to a port's selected provider go as ``route`` says; None: no more."""
        layers = self._routes.setdefault(port, {})
        if route is None:
            layers.pop(layer, None)
        else:
            layers[layer] = route
        self.refresh(port)

    def free(self, port: str, name: str) -> Generation | None:
        """Return an open provider, for those who choose one themselves; None while its calls have to wait."""
        found = self.providers(port).get(name)
        return None if found in self._stand_ins else found

    def refresh(self, port: str) -> None:
        """Let every slot of a port lead to where it should now."""
        for slot in self.slots.of_port(port):
            self._aim(slot)


def _onward(slot: Slot) -> Port:
    """Return a handle of the slot by which calls go on after they have waited; hooks have run before."""
    made: Callable[[Slot, str], Port] = handle_class(slot.port)
    return made(slot, "")
