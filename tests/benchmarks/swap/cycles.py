"""Enabling and disabling the same plugins over and over: what is left of it."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import threading
import tracemalloc
from collections import Counter
from pathlib import Path

from attrs import field, frozen

from hotswap import Kernel
from hotswap.residue import watching
from tests.benchmarks.swap.section import Bound, Section, Table, shown
from tests.benchmarks.swap.ways import write_plugins
from tests.benchmarks.swap.work import FLOCK, Provider
from tests.plugin_folder import settings

PLUGINS = 20
CYCLES = 1_000
SAMPLES = 20
CHECKED = 5
"""Cycles under the kernel's residue check, which remembers where everything is made."""
MIB = 1024 * 1024

TITLE = "Enabling and disabling over and over"
TEXT = """\
20 plugins are enabled by one plan and disabled by another, 1,000 times, after 50 times to warm up. Growth is what
tracemalloc counts when everything that can be collected was: it sees each object that Python holds on to, and nothing
else. It is the most in the second half less the most in the first, doubled, so that a cache which is emptied when it is
full is no growth. The resident set is shown beside it: it also moves with what tracemalloc itself needs, with free
memory that the allocator keeps and with the stacks of threads, by more than the bound, so that it proves little by
itself. Residue is what there is more of than before, modules, tasks, threads, open files; and what the residue check of
the kernel (`hotswap doctor --residue`) finds over five more cycles."""

GROWTH = Bound("growth over {} cycles of 20 plugins, MiB", 2.0)
RESIDUE = Bound("residue after {} cycles of 20 plugins", 0)


def bounds() -> list[Bound]:
    """Return what is promised."""
    return [each.of(f"{CYCLES:,}") for each in (GROWTH, RESIDUE)]


@frozen
class Left:
    """What a process has at one moment."""

    bytes: int
    resident: int
    kinds: Counter[str] = field(eq=False)

    @classmethod
    def now(cls) -> Left:
        """Look, after a collection."""
        gc.collect()
        kinds = Counter(
            module=len(sys.modules),
            task=len(asyncio.all_tasks()),
            thread=threading.active_count(),
            file=len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
        )
        return cls(tracemalloc.get_traced_memory()[0], _resident(), kinds)


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    except OSError:  # no such thing on this system
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def residue(before: Left, after: Left) -> list[str]:
    """Return a word for everything that there is more of."""
    more = after.kinds - before.kinds
    return [f"{count} more {kind}s" for kind, count in more.items()]


async def cycle(kernel: Kernel) -> None:
    """Enable all of them, and disable them; what the harness itself remembers of them is dropped."""
    plugins = [f"{colour}-{number}" for colour in ("red", "blue") for number in range(len(FLOCK))]
    await kernel.apply(await kernel.plan(enable=plugins))
    await kernel.apply(await kernel.plan(disable=plugins))
    Provider.all.clear()


async def _measure(quick: bool) -> Section:
    cycles, warm = (20, 5) if quick else (CYCLES, 50)
    assert 2 * len(FLOCK) == PLUGINS
    with tempfile.TemporaryDirectory(prefix="hotswap-swap-") as folder:
        write_plugins(Path(folder), opening=0)
        async with Kernel(settings(Path(folder)), ports=FLOCK, environ={}) as kernel:
            tracemalloc.start()
            for _ in range(warm):
                await cycle(kernel)
            seen = [Left.now()]
            for _ in range(SAMPLES):
                for _ in range(cycles // SAMPLES):
                    await cycle(kernel)
                seen.append(Left.now())
            tracemalloc.stop()
            async with watching(kernel) as watch:
                for _ in range(CHECKED):
                    await cycle(kernel)
                found = await watch.residue()
    before, after = seen[0], seen[-1]
    first, second = (max(each.bytes for each in half) for half in (seen[: SAMPLES // 2 + 1], seen[SAMPLES // 2 + 1 :]))
    growth, resident = 2 * (second - first) / MIB, (after.resident - before.resident) / MIB
    left = [*residue(before, after), *map(str, found.findings)]
    rows = [GROWTH.of(f"{cycles:,}").row(growth), RESIDUE.of(f"{cycles:,}").row(len(left))]
    lines = [[shown(cycles), shown(growth), shown(resident), ", ".join(left) or "none"]]
    return Section(TITLE, TEXT, rows, [Table(("cycles", "growth, MiB", "resident set, MiB", "residue"), lines)])


def measure(quick: bool) -> Section:
    """Measure the kernel. The quick form has so few cycles that a leak shows as residue, and hardly as growth."""
    return asyncio.run(_measure(quick))
