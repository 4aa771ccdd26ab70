"""iPOPO: components that provide a service, and one that requires it and is re-bound.

https://ipopo.readthedocs.io/en/latest/refcards/ipopo.html (``instantiate`` and ``kill``),
https://ipopo.readthedocs.io/en/latest/refcards/ipopo_decorators.html (``Requires`` with ``immediate_rebind``: a
component is not invalidated while another service is there; ``Validate``, ``Invalidate``).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from pelix.framework import FrameworkFactory, create_framework
from pelix.ipopo.constants import use_ipopo
from pelix.ipopo.decorators import ComponentFactory, Invalidate, Provides, Requires

from tests.benchmarks.swap.graph import Graph
from tests.benchmarks.swap.load import Refused
from tests.benchmarks.swap.work import CALL, Provider

SERVICE = "bench.work"
VALID = 1
"""The state of a component whose requirements are all injected."""
COMING: list[Provider] = []
"""The provider of the component that is instantiated next: iPOPO constructs components without arguments."""


@ComponentFactory("bench-provider")
@Provides(SERVICE)
class Component:
    """A component that provides the service by a provider."""

    def __init__(self) -> None:
        self.provider = COMING.pop()

    async def work(self, seconds: float) -> str:
        """Call the provider."""
        return await self.provider.work(seconds)

    @Invalidate
    def invalidate(self, context: object) -> None:
        """Close it when iPOPO takes it out of service."""
        self.provider.close()


@ComponentFactory("bench-consumer")
@Requires("service", SERVICE, optional=True, immediate_rebind=True)
class Consumer:
    """The component through which calls go; the service that is there is injected."""

    def __init__(self) -> None:
        self.service: Any = None


class Peer:
    """The new component is instantiated before the old one is killed, so that the consumer is re-bound at once."""

    def __init__(self) -> None:
        self._framework = create_framework(("pelix.ipopo.core",))
        self._name = ""

    async def start(self, first: Provider) -> None:
        """Start the framework, with one component and its consumer."""
        self._framework.start()
        self._context = self._framework.get_bundle_context()
        with use_ipopo(self._context) as ipopo:
            ipopo.register_factory(self._context, Component)
            ipopo.register_factory(self._context, Consumer)
            self._name = self._instantiate(ipopo, first)
            self._consumer = ipopo.instantiate("bench-consumer", "consumer")

    def _instantiate(self, ipopo: Any, provider: Provider) -> str:
        COMING.append(provider)
        name = f"provider-{provider.number}"
        ipopo.instantiate("bench-provider", name)
        return name

    async def call(self, seconds: float = CALL) -> str:
        """Call the service that is injected now."""
        service = self._consumer.service
        if service is None:
            raise Refused("no service is injected")
        answer: str = await service.work(seconds)
        return answer

    async def swap(self, new: Provider) -> None:
        """Instantiate the new one, kill the old one."""
        with use_ipopo(self._context) as ipopo:
            old, self._name = self._name, self._instantiate(ipopo, new)
            ipopo.kill(old)

    async def stop(self) -> None:
        """Stop the framework."""
        self._framework.stop()
        FrameworkFactory.delete_framework(self._framework)


class Hub:
    """One component for each number of a graph, which requires the services of those it needs."""

    def __init__(self, graph: Graph) -> None:
        self._framework = create_framework(("pelix.ipopo.core",))
        self._framework.start()
        self._context = self._framework.get_bundle_context()
        self._hub = graph.hub
        with use_ipopo(self._context) as ipopo:
            for number, needs in graph.needs.items():
                ipopo.register_factory(self._context, _component(number, needs))
                ipopo.instantiate(f"factory-{number}", f"component-{number}")

    def swap(self) -> None:
        """Kill the hub's component and instantiate it again: its dependants are invalidated and validated."""
        with use_ipopo(self._context) as ipopo:
            ipopo.kill(f"component-{self._hub}")
            ipopo.instantiate(f"factory-{self._hub}", f"component-{self._hub}")

    def stop(self) -> None:
        """Stop the framework."""
        self._framework.stop()
        FrameworkFactory.delete_framework(self._framework)


def _component(number: int, needs: tuple[int, ...]) -> type:
    made: type = type(f"Component{number}", (), {})
    for each in needs:
        made = Requires(f"p{each}", f"{SERVICE}.{each}")(made)
    return ComponentFactory(f"factory-{number}")(Provides(f"{SERVICE}.{number}")(made))


def boot(plugins: int) -> Callable[[], Callable[[], int]]:
    """Return what imports the modules, makes a component of each class and instantiates it, its services injected."""

    def load() -> Callable[[], int]:
        framework = create_framework(("pelix.ipopo.core",))
        framework.start()
        context = framework.get_bundle_context()
        with use_ipopo(context) as ipopo:
            for number in range(plugins):
                ipopo.register_factory(context, _bootable(number))
                ipopo.instantiate(f"factory-{number}", f"component-{number}")
            return lambda: sum(state == VALID for _, _, state in ipopo.get_instances())

    return load


def _bootable(number: int) -> type:
    adapter: Any = import_module(f"plugin_{number}").Adapter
    code = adapter.__init__.__code__
    made: type = type(f"Component{number}", (), {"fetch": adapter.fetch})
    for need in code.co_varnames[1 : code.co_argcount]:
        made = Requires(need, f"port_{need.removeprefix('p')}")(made)
    return ComponentFactory(f"factory-{number}")(Provides(adapter.PORT)(made))
