"""A swap of the plugin that most others depend on, among few and among many."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from attrs import frozen

from hotswap import Kernel
from tests.benchmarks.swap.graph import Graph, kernel_of, port, write_graph
from tests.benchmarks.swap.peers import offering
from tests.benchmarks.swap.section import Bound, Section, Table, shown
from tests.benchmarks.timing import ratio

FEW, MANY, MOST = 10, 1_000, 5_000
SELECTS, CONFIGURES = 20, 4

TITLE = "A swap among many plugins"
TEXT = """\
Plugins with random acyclic dependencies, three on average; each provides a port of its own. The one swapped is the hub,
on which most others depend; one of its dependants is asked before and after the measurement, and must answer from the
new one. Select goes from one open provider to another; a new generation is opened for other settings, and the old one
is drained and closed. CPU time, ratios within one run. pluggy unregisters the hub's plugin and registers another; iPOPO
kills the hub's component and instantiates it again."""

SELECT = Bound("select on a hub among {} plugins / among 10", 1.5, quick=3.0)
GENERATION = Bound("a new generation of a hub among {} plugins / among 10", 1.5, quick=3.0)
PEERS = {
    "pluggy": Bound("select on a hub among 1,000 plugins / the same swap in pluggy", 1 / 50),
    "iPOPO": Bound("select on a hub among 1,000 plugins / the same swap in iPOPO", 1 / 1_000),
}


def bounds() -> list[Bound]:
    """Return what is promised."""
    flat = [each.of(f"{size:,}") for size in (MANY, MOST) for each in (SELECT, GENERATION)]
    return [*flat, *PEERS.values()]


@frozen
class Hub:
    """A kernel with its hub."""

    kernel: Kernel
    graph: Graph

    @property
    def port(self) -> Any:
        """Return the hub's port."""
        return port(self.graph.hub)

    async def selects(self) -> None:
        """Go to the twin and back."""
        for number in range(SELECTS):
            await self._select(f"plugin-{self.graph.hub}" if number % 2 else "twin")

    async def _select(self, name: str) -> None:
        await self.kernel.select(self.port, name)

    async def check(self) -> None:
        """Ask a dependant after a swap each way."""
        dependant = self.graph.direct(self.graph.hub)
        place = self.graph.needs[dependant].index(self.graph.hub) + 1
        handle: Any = self.kernel.get(port(dependant))
        for name in ("twin", f"plugin-{self.graph.hub}"):
            await self._select(name)
            found = await handle.ask(place)
            assert found == name, f"{found} answered and not {name}"

    async def configures(self) -> None:
        """Open a new generation of the hub, several times."""
        for number in range(CONFIGURES):
            await self.kernel.configure(f"plugin-{self.graph.hub}", {"number": number})


async def hub_among(stack: AsyncExitStack, size: int) -> Hub:
    """Return a kernel with ``size`` plugins, open until the stack is left."""
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hotswap-swap-")))
    graph = Graph.random(size)
    kernel = await stack.enter_async_context(kernel_of(write_graph(root, graph), graph))
    inactive = [str(each) for each in kernel.plugins().values() if each.door == "path" and each.state.value != "active"]
    assert not inactive, inactive[:3]
    hub = Hub(kernel, graph)
    await hub.check()
    return hub


async def _measure(quick: bool) -> Section:
    rounds = 3 if quick else 9
    sizes = (200,) if quick else (MANY, MOST)
    rows, lines = [], []
    async with AsyncExitStack() as stack:
        few = await hub_among(stack, FEW)
        for size in sizes:
            async with AsyncExitStack() as inner:
                hub = await hub_among(inner, size)
                select = await ratio(hub.selects, few.selects, rounds)
                generation = await ratio(hub.configures, few.configures, rounds)
                await hub.check()
                dependants = shown(len(hub.graph.dependants(hub.graph.hub)))
                lines.append([shown(size), dependants, shown(select), shown(generation)])
                rows += [
                    SELECT.of(f"{size:,}").row(select, quick),
                    GENERATION.of(f"{size:,}").row(generation, quick),
                ]
                if size == MANY:
                    found = await _against(hub, rounds)
    head = ("plugins", "dependants of the hub", "select, by that among 10", "new generation, by that among 10")
    tables = [Table(head, lines)]
    if not quick:
        rows += [PEERS[name].row(each) for name, each in found.items()]
        peers = [[name, shown(1 / each)] for name, each in found.items()]
        tables.append(Table(("hub among 1,000", "times as long as a select"), peers))
    return Section(TITLE, TEXT, rows, tables)


async def _against(hub: Hub, rounds: int) -> dict[str, float]:
    found = {}
    for name, make in list[Any](offering("Hub")):
        peer = make(hub.graph)
        found[name] = await ratio(hub.selects, _swaps(peer.swap), rounds) / SELECTS
        peer.stop()
    return found


def _swaps(swap: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        swap()

    return run


def measure(quick: bool) -> Section:
    """Measure the kernel, and the peers that can replace what others depend on."""
    return asyncio.run(_measure(quick))
