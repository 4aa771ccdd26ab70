"""The ways to change a provider: one function each. ``WAYS`` has them by name, in this order.

Every way works on the same plugins: ``alpha`` in two versions and ``beta``, which provide the port ``work``, and a
flock of ten plugins in two colours. A function is given the kernel and the number of the swap, from 0: swaps with an
even number go one way and the others come back, so that each of them changes who answers.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve, frozen

from hotswap import Kernel
from tests.benchmarks.swap.load import Call
from tests.benchmarks.swap.work import FLOCK, OPENING, Adapter, Work
from tests.plugin_folder import settings, write_plugin

Change = Callable[[Kernel, int], Awaitable[object]]
C = TypeVar("C", bound=Change)


@frozen
class Way:
    """One way to change a provider, and what it starts from."""

    name: str
    swap: Change
    enabled: tuple[str, ...]
    ports: dict[str, tuple[str, ...]]
    call: Callable[[Kernel], Call]
    reached: int
    """How many providers one call reaches."""
    waits: bool = False
    """Whether calls are to wait for the swap: then it adds to their time, by what the swap takes."""

    def kernel(self, root: Path) -> Kernel:
        """Return the kernel to swap in; its plugins are written to ``root``."""
        write_plugins(root)
        asked = settings(root, *self.enabled, ports=self.ports, fail_back_after=0.0, health_interval=0.0)
        return Kernel(asked, ports=[Work, *FLOCK], environ={})


WAYS: dict[str, Way] = {}


def _work(kernel: Kernel) -> Call:
    return kernel.get(Work).work


def way(
    name: str,
    *,
    enabled: tuple[str, ...] = ("alpha",),
    ports: dict[str, tuple[str, ...]] | None = None,
    call: Callable[[Kernel], Call] = _work,
    reached: int = 1,
    waits: bool = False,
) -> Callable[[C], C]:
    """Make a function one of the ways."""

    def add(swap: C) -> C:
        WAYS[name] = Way(name, swap, enabled, ports or {}, call, reached, waits)
        return swap

    return add


ALONE = (("alpha-1", "alpha", "1.0.0"), ("alpha-2", "alpha", "2.0.0"), ("beta", "beta", "1.0.0"))
CODE = """
    from tests.benchmarks.swap.work import Adapter as Base

    class Adapter(Base):
        LABEL = "{label}"
"""
MOODY = """
    from hotswap_ports import Health, Plugin
    from tests.benchmarks.swap.work import Adapter

    class Own(Plugin):
        async def health(self):
            return Health("healthy" if Adapter.WELL else "unhealthy")
"""
BIRD = """
    from tests.benchmarks.swap.work import flock_adapter

    class Adapter(flock_adapter({number})):
        LABEL = "{colour}"
        OPENING = {opening}
"""


def write_plugins(root: Path, *, opening: float = OPENING) -> None:
    """Write what the ways work on; ``opening`` is what one of the flock takes to open."""
    for folder, plugin, version in ALONE:
        code = CODE.replace("{label}", plugin)
        _write(root, plugin, code, version=version, folder=folder, provides={"work": "Adapter"})
    gamma = {"work": {"class": "Adapter", "exclusive": True}}
    _write(root, "gamma", CODE.replace("{label}", "gamma"), provides=gamma)
    Adapter.WELL = True
    _write(root, "omega", MOODY, provides={"work": "Adapter"}, python={"class_name": "Own"})
    for colour in ("red", "blue"):
        for number, port in enumerate(FLOCK):
            code = BIRD.format(colour=colour, number=number, opening=opening)
            _write(root, f"{colour}-{number}", code, provides={port.PORT: "Adapter"}, activation="eager")


def _write(root: Path, plugin: str, code: str, **tables: Any) -> None:
    write_plugin(root, plugin, code, capabilities={"config_access": True}, **tables)


@way("enable, and disable to the next provider")
async def enable_and_disable(kernel: Kernel, number: int) -> None:
    """Enable a provider and select it in one plan; disable it, and the port leads to the next one there is."""
    if number % 2:
        await kernel.disable("beta")
    else:
        await kernel.apply(await kernel.plan(enable=["beta"], select={Work: ("beta", "alpha")}))


@way("select", enabled=("alpha", "beta"), ports={"work": ("alpha",)})
async def select(kernel: Kernel, number: int) -> None:
    """Let the port lead to the other one of two open providers."""
    await kernel.select(Work, "alpha" if number % 2 else "beta")


@way("upgrade and downgrade", enabled=("alpha==1.0.0",))
async def upgrade_and_downgrade(kernel: Kernel, number: int) -> None:
    """Go to the other version in the catalog."""
    await kernel.enable("alpha==1.0.0" if number % 2 else "alpha==2.0.0")


@way("reload of code changed on disk", enabled=("beta",))
async def reload(kernel: Kernel, number: int) -> None:
    """Change the code on disk, and load it; a label of the same length leaves nothing but the code itself to tell."""
    await asyncio.to_thread(_rewrite, Path(kernel.plugins()["beta"].path), f"gen{number % 10}")
    as_it_was, sys.dont_write_bytecode = sys.dont_write_bytecode, False  # what is stale then is there to be fallen for
    try:
        await kernel.reload("beta")
    finally:
        sys.dont_write_bytecode = as_it_was


def _rewrite(folder: Path, label: str) -> None:
    folder = folder if folder.is_dir() else folder.parent
    beside = folder / "code.new"
    beside.write_text(_dedented(CODE.replace("{label}", label)), "utf-8")
    os.replace(beside, folder / "code.py")


def _dedented(code: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in code.splitlines())


@way("configure", enabled=("beta",))
async def configure(kernel: Kernel, number: int) -> None:
    """Give the provider other settings: it does not watch them, so a new generation is opened."""
    await kernel.configure("beta", {"number": number})


@way("failover and fail-back", enabled=("omega", "beta"), ports={"work": ("omega", "beta")})
async def failover(kernel: Kernel, number: int) -> None:
    """Let the first of an order become unwell, and well again."""
    Adapter.WELL = number % 2 == 1
    await kernel.health()


@way("an edit of hotswap.toml", enabled=("alpha",))
async def edit(kernel: Kernel, number: int) -> None:
    """Put in force what a watch would read: another selection, by which another plugin is wanted."""
    name = "alpha" if number % 2 else "beta"
    await kernel.change(settings=evolve(kernel.settings, enabled=(name,), ports={"work": (name,)}))


@way("rollback", enabled=("beta",))
async def rollback(kernel: Kernel, number: int) -> None:
    """Go back to what stood before the last change, and forth again."""
    await (kernel.rollback() if number else kernel.configure("beta", {"number": 0}))


@way("an exclusive provider", enabled=("gamma",), waits=True)
async def exclusive(kernel: Kernel, number: int) -> None:
    """Give other settings to a provider that cannot be open twice: calls wait while it is closed and opened."""
    await kernel.configure("gamma", {"number": number})


@way(
    "one plan: ten plugins stop, ten others start",
    enabled=tuple(f"blue-{number}" for number in range(len(FLOCK))),
    call=lambda kernel: _both(kernel),
    reached=2,
)
async def plan_and_apply(kernel: Kernel, number: int) -> None:
    """Replace a whole flock at once."""
    coming, leaving = ("blue", "red") if number % 2 else ("red", "blue")
    plan = await kernel.plan(
        enable=[f"{coming}-{each}" for each in range(len(FLOCK))],
        disable=[f"{leaving}-{each}" for each in range(len(FLOCK))],
    )
    await kernel.apply(plan)


class Mixed(RuntimeError):
    """Two ports that are switched together led to different sides of the switch."""


def _both(kernel: Kernel) -> Call:
    """Return a call of two ports at one moment; it raises Mixed where they answer from different sides of a switch."""
    one, other = kernel.get(FLOCK[0]), kernel.get(FLOCK[-1])

    async def call() -> str:
        both = await asyncio.gather(one.work(), other.work())
        colours = [each.split()[0] for each in both]
        if colours[0] != colours[1]:
            raise Mixed(f"{both[0]} and {both[1]}")
        return both[0]

    return call
