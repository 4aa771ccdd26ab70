"""Many plugins that need each other: each provides a port of its own and is given those of three others on average."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from attrs import field, frozen

from hotswap import Kernel
from hotswap_ports import Port
from tests.plugin_folder import settings, write_plugin

NEEDS = 3


@frozen
class Graph:
    """Who needs whom: number -> the lower numbers that it needs; drawn by lot."""

    needs: Mapping[int, tuple[int, ...]]
    hub: int = field(init=False)
    """The number on which the most others depend, directly or not."""

    @hub.default
    def _most_depended_upon(self) -> int:
        first = list(self.needs)[:50]  # those below have few chances to be depended upon by more
        return max(first, key=lambda each: (len(self.dependants(each)), -each))

    @classmethod
    def random(cls, size: int, seed: int = 1) -> Graph:
        """Return an acyclic graph; two to four needs where there are so many to choose from."""
        source = random.Random(seed)
        return cls({n: tuple(sorted(source.sample(range(n), min(n, source.choice((2, 3, 4)))))) for n in range(size)})

    def dependants(self, number: int) -> set[int]:
        """Return all that depend on ``number``, directly or not."""
        found = {number}
        for each, needs in self.needs.items():  # needs have lower numbers, so they come first
            if not found.isdisjoint(needs):
                found.add(each)
        return found - {number}

    def direct(self, number: int) -> int:
        """Return one that needs ``number`` itself."""
        return next(each for each, needs in self.needs.items() if number in needs)


METHODS = ("ask", "find", "keep", "forget")
"""What each port has: four methods, as hotswap's own ports have on average."""


class Ask(Port):
    """What all of them can do."""

    PORT: ClassVar[str] = "ask"
    VERSION: ClassVar[str] = "1.0.0"

    async def ask(self, need: int = 0) -> str:
        """Return whom one asks, or whom its n-th need (from 1) leads to."""
        raise NotImplementedError

    async def find(self, key: str) -> str:
        """Look something up."""
        raise NotImplementedError

    async def keep(self, key: str, value: str) -> None:
        """Keep something."""
        raise NotImplementedError

    async def forget(self, key: str) -> None:
        """Keep it no longer."""
        raise NotImplementedError


@cache
def port(number: int) -> type[Port]:
    """Return the port of a plugin."""
    return type(f"P{number}", (Ask,), {"PORT": f"p{number}", "VERSION": "1.0.0"})


def __getattr__(name: str) -> Any:
    """Return a port as an attribute: what generated code names in its annotations."""
    if name.startswith("P") and name[1:].isdigit():
        return port(int(name[1:]))
    raise AttributeError(name)


CODE = """
from tests.benchmarks.swap import graph


class Adapter(graph.P{number}):
    def __init__(self{parameters}):
        self.needs = ({names})

    async def ask(self, need=0):
        return await self.needs[need - 1].ask() if need else "{label}"

    async def find(self, key):
        return "{label}"

    async def keep(self, key, value):
        return None

    async def forget(self, key):
        return None
"""


def write_graph(root: Path, graph: Graph) -> Path:
    """Write one plugin each, and a second one, ``twin``, that provides the hub's port."""
    for number, needs in graph.needs.items():
        _write(root, f"plugin-{number}", number, needs)
    _write(root, "twin", graph.hub, graph.needs[graph.hub])
    return root


def _write(root: Path, plugin: str, number: int, needs: tuple[int, ...]) -> None:
    code = CODE.format(
        number=number,
        label=plugin,
        parameters="".join(f", p{each}: graph.P{each}" for each in needs),
        names="".join(f"p{each}, " for each in needs),
    )
    requires = {port(each).PORT: ">=1" for each in needs}
    tables: dict[str, Any] = {"requires": requires} if requires else {}
    write_plugin(root, plugin, code, provides={port(number).PORT: "Adapter"}, activation="eager", **tables)


def kernel_of(root: Path, graph: Graph) -> Kernel:
    """Return a kernel in which all of them are enabled, and the hub's port leads to the hub."""
    enabled = [f"plugin-{each}" for each in graph.needs]
    selected = {port(graph.hub).PORT: (f"plugin-{graph.hub}",)}
    ports = [port(each) for each in graph.needs]
    return Kernel(settings(root, *enabled, "twin", ports=selected), ports=ports, environ={})
