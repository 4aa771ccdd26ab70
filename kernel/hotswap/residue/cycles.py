"""The check for long runs: plugins opened and closed many times, and what has grown meanwhile."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from hotswap.residue.finding import Residue
from hotswap.residue.watch import Watch, watching

if TYPE_CHECKING:
    from hotswap.kernel import Kernel

WARM_UP = 10
"""Cycles before anything is measured: what is filled once (imports, caches, executors) is full then.

Memory is not: how much of it Python asks for at a time was seen to settle after about 2,000 openings.
"""
_OWN = f"{__name__.rpartition('.')[0]}."


async def _nothing() -> None:
    """Do nothing."""


@frozen
class Cycles:
    """What was left by plugins that were opened and closed many times, and what has grown meanwhile."""

    times: int
    residue: Residue
    """What these cycles left, and those before them in which the check was on already."""
    grown_bytes: int
    """Growth of the process's memory in bytes, as the system sees it; 0 where it does not say."""
    grown_objects: Mapping[str, int] = field(factory=dict)
    """By type, how many objects more there are, where that is at least one for every other cycle.

    Caches that have a bound grow too, until they reach it.
    """

    def __str__(self) -> str:
        grown = [f"{count} more objects of {name}." for name, count in self.grown_objects.items()]
        memory = f"{self.times} cycles; {self.grown_bytes / 2**20:+.2f} MiB."
        return "\n".join(filter(None, [str(self.residue), *grown, memory]))


async def cycled(
    kernel: Kernel,
    *plugins: str,
    times: int,
    use: Callable[[], Awaitable[object]] = _nothing,
    alone: bool = False,
    warm_up: int = WARM_UP,
) -> Cycles:
    """Enable and disable plugins, in order and back, ``times`` times; return what was left and what has grown.

    Args:
        plugins: ids of plugins that are not open.
        use: what is done while they are open.
        alone: as in ``watching``.
        warm_up: cycles before the check begins, and again before it is measured what grows.
    """
    for _ in range(warm_up):
        await _cycle(kernel, plugins, use)
    async with watching(kernel, *plugins, alone=alone) as watch:
        for _ in range(warm_up):  # what the check itself remembers is filled too
            await _cycle(kernel, plugins, use)
        objects, memory = _objects(watch), _memory()
        for _ in range(times):
            await _cycle(kernel, plugins, use)
        watch.forget()
        gc.collect()
        grown_bytes = _memory() - memory  # before anything is looked for: that takes memory too
        residue = await watch.residue()
        grown = _objects(watch)
        grown.subtract(objects)
        more = {name: count for name, count in grown.most_common() if 2 * count >= max(times, 4)}
        return Cycles(times, residue, grown_bytes, more)


async def _cycle(kernel: Kernel, plugins: Sequence[str], use: Callable[[], Awaitable[object]]) -> None:
    for each in plugins:
        await kernel.enable(each)
    await use()
    for each in reversed(plugins):
        await kernel.disable(each, cascade=True)


def _objects(watch: Watch) -> Counter[str]:
    """Count all objects by type, but for those of the check itself."""
    watch.forget()
    gc.collect()
    names = (f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    return Counter(each for each in names if not each.startswith(_OWN))


def _memory() -> int:
    """Return the bytes of memory that the process has."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
