"""The plugin that most others depend on, changed over and over: ``python -m tests.benchmarks.swap.hub WHAT SIZE``.

A process of its own for each kernel or peer: they would share ``sys.modules`` and the garbage collector otherwise, and
one that holds few plugins would pay for those of the other. It prints ``ready``; then, for each case named on a line of
its standard input, the CPU seconds that the case took and the longest step of its event loop.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import frozen

from hotswap import Kernel
from tests.benchmarks.swap.graph import Graph, kernel_of, port, write_graph
from tests.benchmarks.swap.in_flight import Watch

SELECTS, CONFIGURES, CHANGES = 20, 4, 4
"""How often a case does what it does: ``select`` is too short to be measured once."""

Cases = Mapping[str, Callable[[], Awaitable[None]]]


@frozen
class Hub:
    """A kernel with its hub."""

    kernel: Kernel
    graph: Graph

    @property
    def id(self) -> str:
        """Return the hub's plugin."""
        return f"plugin-{self.graph.hub}"

    def cases(self) -> Cases:
        """Return what can be done to it."""
        return {"select": self.select, "generation": self.configure, "change": self.change, "reload": self.reload}

    async def _select(self, name: str) -> None:
        hub: Any = port(self.graph.hub)
        await self.kernel.select(hub, name)

    async def select(self) -> None:
        """Go to the twin and back."""
        for number in range(SELECTS):
            await self._select(self.id if number % 2 else "twin")

    async def configure(self) -> None:
        """Open a new generation of the hub, several times."""
        for number in range(CONFIGURES):
            await self.kernel.configure(self.id, {"number": number})

    async def change(self) -> None:
        """Disable the twin and enable it, several times."""
        for _ in range(CHANGES):
            await self.kernel.disable("twin")
            await self.kernel.enable("twin")

    async def reload(self) -> None:
        """Reload the hub."""
        await self.kernel.reload(self.id)

    async def check(self) -> None:
        """Ask a dependant after a swap each way."""
        dependant = self.graph.direct(self.graph.hub)
        place = self.graph.needs[dependant].index(self.graph.hub) + 1
        handle: Any = self.kernel.get(port(dependant))
        for name in ("twin", self.id):
            await self._select(name)
            found = await handle.ask(place)
            assert found == name, f"{found} answered and not {name}"


@asynccontextmanager
async def kernel_cases(graph: Graph) -> AsyncIterator[Cases]:
    """Return the cases of a kernel in which all of the graph is active."""
    with tempfile.TemporaryDirectory(prefix="hotswap-swap-") as folder:
        async with kernel_of(write_graph(Path(folder), graph), graph) as kernel:
            states = {key: each.state.value for key, each in kernel.plugins().items() if each.door == "path"}
            assert set(states.values()) == {"active"}, states
            hub = Hub(kernel, graph)
            await hub.check()
            yield hub.cases()
            await hub.check()


@asynccontextmanager
async def peer_cases(module: str, graph: Graph) -> AsyncIterator[Cases]:
    """Return the one case of a peer."""
    peer: Any = import_module(f"tests.benchmarks.swap.peers.{module}").Hub(graph)

    async def swap() -> None:
        for _ in range(SELECTS):
            peer.swap()

    yield {"select": swap}
    peer.stop()


async def measured(case: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Return the CPU seconds of a case and the longest step of the loop, taken in two runs: watching costs time.

    One more before them is not measured: the collection leaves nothing of the case in the processor's caches.
    """
    gc.collect()
    gc.disable()
    await case()
    start = time.process_time()
    await case()
    spent = time.process_time() - start
    gc.enable()
    watch = Watch()
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0.01)
    watch.longest = 0.0
    await case()
    watching.cancel()
    return spent, watch.longest


async def main(what: str, size: int) -> None:
    """Do what the lines of the standard input say."""
    graph = Graph.random(size)
    async with kernel_cases(graph) if what == "hotswap" else peer_cases(what, graph) as cases:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            spent, longest = await measured(cases[line.strip()])
            print(spent, longest, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
